"""What a rule does with its targets: which of several equal ones is asked first, and which calls its canary gets.

Pure, so that the gateway and *Try the rules* decide alike. A conversation is recognised by its first message of the
user and stays at its target while that is up: engines keep what they have read of a conversation.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, TypeVar

FIRST, WEIGHTED, LEAST_BUSY = "first", "weighted", "least_busy"
IDLE: Mapping[int, int] = MappingProxyType({})


class Rule(Protocol):
    """Of `traffic.gateway.routes.Rule` what is read here."""

    @property
    def slug(self) -> str: ...
    @property
    def strategy(self) -> str: ...
    @property
    def deployment(self) -> str: ...
    @property
    def weight(self) -> int: ...
    @property
    def fallbacks(self) -> Sequence[str]: ...
    @property
    def weights(self) -> Sequence[int | None]: ...
    @property
    def canary_percent(self) -> int | None: ...


class Target(Protocol):
    """Of `traffic.gateway.routes.Target` what is read here."""

    @property
    def id(self) -> int: ...
    @property
    def slug(self) -> str: ...
    @property
    def down(self) -> bool: ...


T = TypeVar("T", bound=Target)


def arranged(rule: Rule, equals: Sequence[T], conversation: bytes, busy: Mapping[int, int]) -> tuple[T, ...]:
    """Equal targets in the order in which they are asked; those in an outage last."""
    if rule.strategy == FIRST:
        return tuple(sorted(equals, key=lambda target: target.down))
    counted = busy if rule.strategy == LEAST_BUSY else IDLE
    return tuple(
        sorted(
            equals,
            key=lambda target: (target.down, counted.get(target.id, 0), lot(rule, target, conversation)),
        )
    )


def lot(rule: Rule, target: Target, conversation: bytes) -> float:
    """Weighted rendezvous hashing: the least lot wins, in the long run as often as the target's weight says.

    When a target goes, its own conversations move and no other. Of a provider's deployments each weighs the same.
    """
    weights = {rule.deployment: rule.weight, **dict(zip(rule.fallbacks, rule.weights, strict=False))}
    weight = weights.get(target.slug) or 1
    return -math.log1p(-_drawn(f"{rule.slug}/{target.slug}", conversation)) / weight


def in_canary(rule: Rule, conversation: bytes) -> bool:
    """Whether a conversation is in the share that a rule's canary gets."""
    return _drawn(f"{rule.slug}/canary", conversation) * 100 < (rule.canary_percent or 0)


def _drawn(name: str, conversation: bytes) -> float:
    """Between 0 and 1, below 1: the same for a name and a conversation at every gateway."""
    digest = hashlib.blake2b(name.encode() + b"/" + conversation, digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48
