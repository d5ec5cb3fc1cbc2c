"""The five token classes, which no token is in two of, as people call them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

CLASSES = (
    ("uncached_input", _("Input, not cached")),
    ("cache_read", _("Input, read from the cache")),
    ("cache_write_5m", _("Input, written to the cache for 5 minutes")),
    ("cache_write_1h", _("Input, written to the cache for 1 hour")),
    ("output", _("Output")),
)
