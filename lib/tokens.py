"""The five token classes, which share no token: what each request, price and bill is counted in.

Each class is also a column, so a change of this list needs migrations: of requests and rollups (`traffic/models/`), of
prices, discounts and vendors' usage (`providers/models/`). Where tokens come in they are sorted into the classes:
`traffic/ingest/`, `traffic/imports/`, `traffic/gateway/answers.py`, `providers/connectors/anthropic*.py` and, for
prices, `providers/pricing/`. Pages call the classes as `traffic/usage/token_classes.py` and
`costs/spend/token_costs.py` say.
"""

from __future__ import annotations

PROMPT_CLASSES = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h")
TOKEN_CLASSES = (*PROMPT_CLASSES, "output")
