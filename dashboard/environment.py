"""Where settings come from: the environment first, then a running `manage.py up` in the same data directory.

`up` writes `run.json` (mode 0600) into the data directory while it runs: a flat object of the same names as the
environment variables. Any other command reads it, so `manage.py poll` in a second terminal finds the same database.
"""

from __future__ import annotations

import json
import os
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured


def data_dir() -> Path:
    """The data directory: `BREAKEVEN_DATA`, else `./var`."""
    return Path(os.environ.get("BREAKEVEN_DATA") or "var").resolve()


def running(directory: Path) -> dict[str, str]:
    """The variables of an `up` that runs in this directory; empty if none runs."""
    try:
        text = (directory / "run.json").read_text()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError as error:
        sentence = f"{error.filename} belongs to another user. Run this as the user who started `up`."
        raise ImproperlyConfigured(sentence) from None
    return {str(key): str(value) for key, value in json.loads(text).items()}


class Environment:
    """Typed look-ups, which raise on an invalid value; `NAME_FILE` names a file with the value (Docker secrets)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.joined = running(directory)

    def text(self, name: str, default: str = "") -> str:
        if name in os.environ:
            return os.environ[name]
        if f"{name}_FILE" in os.environ:
            return Path(os.environ[f"{name}_FILE"]).read_text().strip()
        return self.joined.get(name, default)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.text(name).lower()
        if not value:
            return default
        if value in ("0", "false", "no"):
            return False
        if value in ("1", "true", "yes"):
            return True
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")

    def integer(self, name: str, default: int) -> int:
        value = self.text(name)
        if not value:
            return default
        try:
            return int(value)
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None

    def networks(self, name: str) -> list[IPv4Network | IPv6Network]:
        """Addresses and networks (10.0.0.0/8), separated by commas."""
        try:
            return [ip_network(text.strip(), strict=False) for text in self.text(name).split(",") if text.strip()]
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} must be addresses or networks, separated by commas: {error}.") from None

    def secret(self, name: str, filename: str) -> str:
        """A secret from the environment, else from a file (mode 0600) that is made when first needed."""
        value = self.text(name)
        if value:
            return value
        path = self.directory / filename
        if not path.exists():
            make_secret(path)
        return path.read_text().strip()


def make_secret(path: Path) -> None:
    """Write a new Fernet key to `path` with mode 0600, unless another process has just written one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(Fernet.generate_key().decode())
    try:
        os.link(draft, path)
    except FileExistsError:  # another process made it in the same moment: theirs is the key
        return
    finally:
        draft.unlink()


def email_settings(url: str) -> dict[str, object]:
    """Django's e-mail settings from `smtp://user:pass@host:port?starttls=1` or `smtps://…`."""
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL must look like smtp://user:password@host:port or smtps://…")
    query = parse_qs(parts.query)
    tls = parts.scheme == "smtps"
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if tls else 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": tls,
        "EMAIL_USE_TLS": query.get("starttls", ["0"])[0] == "1",
        "EMAIL_TIMEOUT": 15,
    }
