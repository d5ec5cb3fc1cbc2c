"""Writes of signing in."""

from __future__ import annotations

from django.contrib.auth.models import User

from dashboard.signin.forms import OwnPasswordForm


def set_own_password(*, form: OwnPasswordForm) -> User:
    """Write the new password of a valid form."""
    return form.save()
