"""What one request can plausibly be, and how many may come at once: the same for every way in, the gateway included."""

from __future__ import annotations

from providers.pricing.book import MOST_USD

__all__ = ["MOST_USD"]  # of one request

LONGEST_NAME = 200  # characters of a model, a vendor's id, an error type, a user and the like
LONGEST_SLUG = 80  # of a provider, an application, a deployment
MOST_TOKENS = 10**9  # of one class in one request; the longest context is a hundredth of it
LONGEST_MS = 86_400_000.0  # a call that lasts longer has a clock that is wrong
MOST_ITEMS = 100_000  # of one export, post or file that is read at once

# Different names of one application that arrive on one UTC day; what comes beyond is kept under one name for all of it,
# for every name is a row of the rollups and a line of a page. A model with a price of its own does not count.
MOST_MODELS = 500  # pairs of provider and model
MOST_PROVIDERS = 50
MOST_ERROR_TYPES = 200
