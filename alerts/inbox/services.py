"""Writes of the inbox: a person's step, and the link of a mail that allowed it."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction

from alerts.mail import links


@transaction.atomic
def act_once(*, token: str, act: Callable[[], str]) -> str:
    """Take a step and use up the token of a mail that allowed it, both or neither. `token` is empty where a login did.

    Returns what the step returns. Raises BadLink for a token that was used before.
    """
    if token:
        links.use_up(token)
    return act()
