"""Keys of deployments as the gateway gets them: while they are rotated, and where they would go in the clear."""

from __future__ import annotations

import logging
from base64 import urlsafe_b64encode
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet

from providers.models import Deployment
from tests.factories import DeploymentFactory
from traffic.gateway.snapshot import read_snapshot

# Made of fixed bytes: they are names of parametrized tests, which every worker must collect alike.
OLD, NEW = (urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2))


def deployment(url: str, key: str = OLD, **more: Any) -> Deployment:
    secret = Fernet(key).encrypt(b"sk-secret").decode()
    return DeploymentFactory.create(slug="engine", name="Engine", url=url, model="m", api_key=secret, **more)


def key_of(conn: psycopg.Connection[Any], keys: str = OLD) -> str:
    (target,) = read_snapshot(conn, keys).targets
    return target.api_key


@pytest.mark.parametrize(
    ("url", "local", "sent"),
    [
        ("https://engine.example.com", False, "sk-secret"),
        ("HTTPS://engine.example.com", False, "sk-secret"),
        ("http://engine.example.com", False, ""),
        ("http://10.0.0.7:8000", True, "sk-secret"),
    ],
)
def test_a_key_is_sent_over_https_or_in_our_own_network(
    conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture, url: str, local: bool, sent: str
) -> None:
    deployment(url, local=local)
    with caplog.at_level(logging.ERROR):
        assert key_of(conn) == sent
    assert ("credential_withheld deployment=engine reason=not_encrypted" in caplog.text) == (sent == "")
    assert "sk-secret" not in caplog.text


@pytest.mark.parametrize("keys", [f"{NEW},{OLD}", f"{NEW}\n{OLD}\n", f"{OLD}, {NEW}"])
@pytest.mark.parametrize("stored", [OLD, NEW])
def test_while_a_key_is_rotated_both_are_read(conn: psycopg.Connection[Any], keys: str, stored: str) -> None:
    deployment("https://engine.example.com", stored)
    assert key_of(conn, keys) == "sk-secret"
