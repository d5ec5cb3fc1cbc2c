"""What a silence matches: kind, subject, severity and labels of an alert. Pure, so that evaluations and pages agree.

Labels are what an alert is about, by dimension: `provider`, `model`, `deployment`, `task`, `account`, ...
They are read from the subject, and a finding may add its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

LABEL = re.compile(r"^([a-z][a-z0-9_-]*):(.+)$")


class Silenceable(Protocol):
    """An alert, or whatever stands for one before it is."""

    @property
    def kind(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Target:
    """Something that may be silenced, of a finding that is no alert yet."""

    kind: str
    subject: str
    severity: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Matcher:
    """Empty parts match everything; in the subject `*` stands for any text."""

    kind: str = ""
    subject: str = ""
    severity: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def matches(self, what: Silenceable) -> bool:
        return (
            self.kind in ("", what.kind)
            and self.severity in ("", what.severity)
            # Before the subject: an application's silence is compared with its own alerts alone.
            and all(what.labels.get(name) == value for name, value in self.labels.items())
            and (not self.subject or _like(self.subject, what.subject))
        )

    @property
    def words(self) -> str:
        """`outage deployment:mistral-* critical provider:vast`; empty when it matches everything."""
        labels = [f"{name}:{value}" for name, value in sorted(self.labels.items())]
        return " ".join(filter(None, [self.kind, self.subject, self.severity, *labels]))


def _like(pattern: str, text: str) -> bool:
    """Part by part, each at its first place: a regular expression would try all places of all parts."""
    if "*" not in pattern:
        return pattern == text
    first, *parts, last = pattern.split("*")
    if not text.startswith(first):
        return False
    at = len(first)
    for part in parts:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return at <= len(text) - len(last) and text.endswith(last)


def labels_of(subject: str) -> dict[str, str]:
    """What a subject names: `spend/application:a+model:m` is about application a and model m."""
    figure, slash, scope = subject.partition("/")
    pairs = scope if slash and ":" not in figure else subject
    matches = (LABEL.match(part) for part in re.split(r"\+(?=[a-z_-]+:)", pairs))
    return {match[1]: match[2] for match in matches if match}


def read_labels(text: str) -> dict[str, str]:
    """From `provider:vast model:llama-3`. Raises ValueError with the part that is no label."""
    labels = {}
    for part in text.replace(",", " ").split():
        match = LABEL.match(part)
        if not match:
            raise ValueError(part)
        labels[match[1]] = match[2]
    return labels
