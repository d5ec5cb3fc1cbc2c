"""What the demo keeps in the data directory: its secrets, how far it has loaded, what the pages may say of that."""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dashboard.http.demo_progress import read_json
from dashboard.up.data import replace_private
from demo.company import APPLICATIONS, PEOPLE, PLAYGROUND

ADMIN = "admin"
READY = "demo-ready.json"


def write_json(path: Path, content: Any) -> None:
    """Whole or not at all, readable by the owner alone: these files hold passwords, keys or a company's figures."""
    replace_private(path, json.dumps(content, indent=1))


@dataclass(frozen=True)
class Credentials:
    """Random at the first start, the same at every later one. Keys are named `scope/application`."""

    passwords: dict[str, str]
    keys: dict[str, str] = field(repr=False)

    @classmethod
    def kept_in(cls, directory: Path) -> Credentials:
        """Those of the directory; what is missing is made."""
        path = directory / "demo-credentials.json"
        known = read_json(path) or {"passwords": {}, "keys": {}}
        made = cls(
            {name: known["passwords"].get(name) or secrets.token_urlsafe(9) for name in usernames()},
            {name: known["keys"].get(name) or f"bk_{secrets.token_urlsafe(24)}" for name in key_names()},
        )
        if (made.passwords, made.keys) != (known["passwords"], known["keys"]):
            write_json(path, {"passwords": made.passwords, "keys": made.keys})
        return made

    def ready(self) -> dict[str, Any]:
        """The demo's part of the ready file."""
        return {
            "admin": {"username": ADMIN, "password": self.passwords[ADMIN]},
            "ingest_key": self.keys[f"ingest/{PLAYGROUND}"],
            "api_key": self.keys["read/"],
            "rate_key": self.keys[f"rate/{PLAYGROUND}"],
            "gateway_key": self.keys[f"gateway/{PLAYGROUND}"],
        }


def usernames() -> list[str]:
    return [ADMIN, *(person.username for person in PEOPLE)]


def key_names() -> list[str]:
    """Without an application after the slash a key is made for all."""
    scopes = ("ingest", "rate", "gateway")
    slugs = (PLAYGROUND, *(application.slug for application in APPLICATIONS))
    return ["ingest/", "read/", *(f"{scope}/{slug}" for slug in slugs for scope in scopes)]


class LoadState:
    """How far the demo has come, so that a start after a stop goes on.

    The days before `started_on`, the day of the first start, are loaded whole and in any order: `done`. From that day
    on everything up to `front` has been sent.
    """

    def __init__(self, directory: Path, today: date) -> None:
        self._path = directory / "demo-state.json"
        self._lock = threading.Lock()
        known = read_json(self._path) or {}
        self.started_on = date.fromisoformat(known.get("started_on", today.isoformat()))
        self.front = datetime.fromisoformat(known["front"]) if known.get("front") else None
        self.done = {date.fromisoformat(day) for day in known.get("done", [])}
        self.rows = int(known.get("rows", 0))
        self.judged = date.fromisoformat(known["judged"]) if known.get("judged") else None
        self.billed = bool(known.get("billed", False))
        self.save()

    def add_day(self, day: date, rows: int) -> None:
        """A day whose rows and bill have all arrived."""
        with self._lock:
            self.done.add(day)
            self.rows += rows
            self.save()

    def advance(self, front: datetime, rows: int) -> None:
        """Everything up to this moment has arrived, from the days of the live part."""
        with self._lock:
            self.front = front
            self.rows += rows
            if rows:  # a stretch without any may be looked at again
                self.save()

    def set_billed(self) -> None:
        """The vendors know what they have to bill for the history."""
        with self._lock:
            self.billed = True
            self.save()

    def set_judged(self, day: date) -> None:
        """The history's ratings are in, from its newest day back to this one."""
        with self._lock:
            self.judged = day
            self.save()

    def save(self) -> None:
        content = {
            "started_on": self.started_on.isoformat(),
            "front": self.front and self.front.isoformat(),
            "done": sorted(day.isoformat() for day in self.done),
            "rows": self.rows,
            "judged": self.judged and self.judged.isoformat(),
            "billed": self.billed,
        }
        write_json(self._path, content)
