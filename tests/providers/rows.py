"""Accounts at the simulated vendors, and deployments."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from lib.encryption import encrypt
from providers.models import Account, Deployment
from providers.polling import due
from sandbox.testing import SECRETS, Sandbox
from tests.factories import AccountFactory, DeploymentFactory


def deployment(slug: str, url: str, **more: Any) -> Deployment:
    given = {"name": slug, "provider": "self", "engine": "vllm", "model": "qwen", "local": True, "timeout_s": 5.0}
    return DeploymentFactory.create(slug=slug, url=url, **given | more)


def account(sandbox: Sandbox, kind: str, **given: Any) -> Account:
    values = {"slug": kind, "name": kind, "kind": kind, "secret": encrypt(SECRETS[kind]), **given}
    made = AccountFactory.create(base_url=f"{sandbox.url}/{kind}", local=True, **values)
    made.refresh_from_db()
    due.ensure_feeds(made, timezone.now())
    return made
