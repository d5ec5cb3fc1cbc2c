"""One-time links with which people set a password that nobody else knows; they are signed and valid for three days.

They use Django's tokens, which become invalid after a new password, another e-mail address or a sign-in.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _


def link(user: User) -> str:
    """The address where this person sets a password, once."""
    return str(settings.BASE_URL + reverse("new-password", args=parts_of(user)))


def parts_of(user: User) -> list[str]:
    """The parts of the link: the person's encoded id, and the token."""
    return [urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)]


def send(email: str) -> int:
    """Send their link to the active people with this address; returns how many there are."""
    people = User.objects.filter(email__iexact=email, is_active=True)
    for user in people:
        context = {"user": user, "link": link(user), "days": settings.PASSWORD_RESET_TIMEOUT // 86_400}
        text = render_to_string("registration/link_mail.txt", context)
        send_mail(_("A new password for Breakeven"), text, settings.DEFAULT_FROM_EMAIL, [user.email])
    return len(people)
