"""The one error of the engines: which step of the ladder failed, and why, in a sentence."""

from __future__ import annotations

from typing import Literal

Step = Literal["connect", "liveness", "models", "completion", "metrics"]
State = Literal["up", "down", "starting"]


class Fault(Exception):
    """A step that failed. `cause` is shown to people as it stands. `sent`: whether the request may have gone out."""

    def __init__(self, step: Step, cause: str, *, state: State = "down", sent: bool = True) -> None:
        super().__init__(cause)
        self.step: Step = step
        self.cause = cause
        self.state: State = state
        self.sent = sent
