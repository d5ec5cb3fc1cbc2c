"""Validation of the web addresses of vendors and engines; host names of a private network are valid."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# Also `{api}`, which one vendor's address holds in place of a service's name.
HOST = re.compile(r"^[A-Za-z0-9._{}-]{1,253}$|^\[[0-9A-Fa-f:.]+\]$")


def web_address(value: str) -> None:
    """http or https, a host, perhaps a port and a path. Raises ValidationError with what is wrong."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValidationError(_("This is not a valid address."), code="invalid") from None
    if parts.scheme not in ("http", "https"):
        raise ValidationError(_("An address begins with http:// or https://."), code="invalid")
    if parts.username is not None or parts.password is not None:
        raise ValidationError(_("An address has no user or password. The key has its own field."), code="invalid")
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    if not HOST.match(host) or re.search(r"\s", value):
        raise ValidationError(_("This address has no valid host name."), code="invalid")
