"""Clients of people in a role."""

from __future__ import annotations

from typing import Any

from django.test import Client

EVIL = '<script>alert("x")</script>'


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client
