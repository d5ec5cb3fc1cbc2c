"""What categories of charges are called on the pages of this app."""

from __future__ import annotations

from django.utils.translation import gettext as _

from costs.models import Category
from costs.models.ledger import IDLE


def category_name(category: str) -> str:
    if category == IDLE:
        return _("idle GPU hours")
    return str(Category(category).label) if category in Category.values else category
