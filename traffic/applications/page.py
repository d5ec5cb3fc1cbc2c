"""What the pages of applications and keys show of a key."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from traffic.authentication.keys import use_by_line, used_of
from traffic.models import Key


def add_use_words(keys: list[Key], now: datetime) -> None:
    """Set `used_words` of each key that has a quota: how much of it is used, for people."""
    use = use_by_line(keys, now)
    for key in keys:
        if key.quota is not None:
            share = used_of(use[key.line], key.quota_period, now)[key.quota_unit] / key.quota
            key.used_words = _("%(percent)s %% of %(quota)s") % {
                "percent": f"{share * 100:.0f}",
                "quota": key.quota_words,
            }
