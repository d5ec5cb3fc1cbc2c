"""Static files collected and compressed once, and again only when one of them has changed.

`python -m dashboard.static_files.collect` does it: `make setup` and the image ahead of time, `manage.py up` where
they are old.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

BASE = Path(__file__).resolve().parents[2]
SOURCE, TARGET = BASE / "static", BASE / "staticfiles"
STAMP = TARGET / ".stamp"
# Packages whose files are among the collected ones.
PACKAGES = ("django", "django-htmx", "django-ninja", "plotly", "whitenoise")


def stamp() -> str:
    """A text that changes with the content of our own files and with the versions of the packages."""
    digest = hashlib.sha256()
    for path in sorted(path for path in SOURCE.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(SOURCE)).encode() + b"\0" + path.read_bytes() + b"\0")
    for package in PACKAGES:
        digest.update(f"{package} {_version(package)}".encode())
    return digest.hexdigest()


def changed() -> bool:
    """Whether the collected files are out of date."""
    return not STAMP.exists() or STAMP.read_text() != stamp()


def collect() -> None:
    """Collect the files unless another process has just done so. Raises Django's error for a broken reference."""
    TARGET.mkdir(exist_ok=True)
    with (TARGET / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not changed():
            return
        # The settings would make them in the data directory, which may not be this stack's.
        os.environ["SECRET_KEY"] = os.environ["BREAKEVEN_KEY"] = "not needed to copy files"  # noqa: S105 -- no secret
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
        from django.core.management import execute_from_command_line

        execute_from_command_line(["manage.py", "collectstatic", "--no-input", "--verbosity", "0"])
        STAMP.write_text(stamp())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    sys.path.insert(0, str(BASE))
    collect()
