"""Exceptions that end `up`."""

from __future__ import annotations


class Refused(Exception):
    """`up` cannot start with these options; the text is a sentence with the reason and what to do."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


class Crashed(Exception):
    """A process ended by itself; the text has its name and its last lines."""


class Stopped(BaseException):
    """A signal asked to stop. It is a BaseException, so that no `except Exception` on the way catches it."""
