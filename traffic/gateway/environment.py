"""Where the gateway's settings come from: the environment, else a running `up` in the same data directory.

The same names and files as the web's settings, read without Django.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path


class SettingMissing(Exception):
    """A setting without which the gateway cannot work; the message names it."""


VALKEY = "redis://127.0.0.1:6379/0"


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    data_dir: Path
    idle_timeout_s: float  # longest silence of an engine, before and between the bytes of its answer
    connect_timeout_s: float
    send_timeout_s: float = 30.0  # in which a caller takes something of its answer
    grace_s: float = 30.0  # for calls under way when the gateway is told to stop
    queue_timeout_s: float = 300.0  # longest wait for a slot of a deployment with a limit; 0: nobody waits
    cool_s: float = 10.0  # for which a deployment that failed again and again is asked last; 0: never
    drain_s: float = 0.0  # for which a vendor's stream is read on after its caller has gone; 0: it is cancelled
    redis_url: str = VALKEY  # asked for calls with caps alone

    @property
    def spool_dir(self) -> Path:
        return self.data_dir / "spool"

    def credentials_key(self) -> str:
        """The key that vendors' keys are encrypted with; empty while nobody has made one."""
        value = _text("BREAKEVEN_KEY", self.data_dir)
        path = self.data_dir / "credentials.key"
        return value or (path.read_text().strip() if path.exists() else "")


def read_settings() -> Settings:
    """The settings of this process. Raises SettingMissing where no database is named."""
    data_dir = Path(os.environ.get("BREAKEVEN_DATA") or "var").resolve()
    database_url = _text("DATABASE_URL", data_dir)
    if not database_url:
        raise SettingMissing(f"DATABASE_URL is not set, and no `manage.py up` runs in {data_dir}.")
    return Settings(
        database_url=database_url,
        data_dir=data_dir,
        idle_timeout_s=_seconds("BREAKEVEN_GATEWAY_TIMEOUT", _text("BREAKEVEN_GATEWAY_TIMEOUT", data_dir), 600),
        connect_timeout_s=_seconds(
            "BREAKEVEN_GATEWAY_CONNECT_TIMEOUT", _text("BREAKEVEN_GATEWAY_CONNECT_TIMEOUT", data_dir), 5
        ),
        send_timeout_s=_seconds("BREAKEVEN_SEND_TIMEOUT", _text("BREAKEVEN_SEND_TIMEOUT", data_dir), 30),
        grace_s=_seconds("BREAKEVEN_GATEWAY_GRACE", _text("BREAKEVEN_GATEWAY_GRACE", data_dir), 30),
        queue_timeout_s=_seconds(
            "BREAKEVEN_GATEWAY_QUEUE_TIMEOUT", _text("BREAKEVEN_GATEWAY_QUEUE_TIMEOUT", data_dir), 300
        ),
        cool_s=_seconds("BREAKEVEN_GATEWAY_COOLDOWN", _text("BREAKEVEN_GATEWAY_COOLDOWN", data_dir), 10),
        drain_s=_seconds("BREAKEVEN_GATEWAY_DRAIN", _text("BREAKEVEN_GATEWAY_DRAIN", data_dir), 0),
        redis_url=_text("REDIS_URL", data_dir) or VALKEY,
    )


def _seconds(name: str, text: str, default: float) -> float:
    try:
        seconds = float(text or default)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6:
        raise SettingMissing(f"{name} must be a number of seconds, not {text}.")
    return seconds


def _text(name: str, data_dir: Path) -> str:
    if name in os.environ:
        return os.environ[name]
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text().strip()
    try:
        running = json.loads((data_dir / "run.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return str(running.get(name, ""))
