"""The ways in which `up` ends other than by being asked to."""

from __future__ import annotations


class Refused(Exception):
    """It cannot start as asked; the text is a sentence that says why and what to do."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


class Crashed(Exception):
    """A process ended by itself; the text names it and carries its last lines."""


class Stopped(BaseException):
    """A signal asked to stop. No Exception, so that nothing on the way takes it for a failure of its own."""
