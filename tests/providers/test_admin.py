"""Django's admin over the providers: to look at only, and never a secret."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from providers.admin import ReadOnly
from tests.providers.people import account, deployment, lease, offer

pytestmark = pytest.mark.django_db
OURS = [model for model, page in admin.site._registry.items() if isinstance(page, ReadOnly)]


@pytest.fixture
def root() -> Client:
    User.objects.create_superuser("root")
    client = Client()
    client.force_login(User.objects.get())
    return client


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_table_is_listed_and_none_is_changed(root: Client, model: type) -> None:
    where = account()
    deployment(lease=lease(where))
    offer()
    name = f"admin:providers_{model.__name__.lower()}"
    assert root.get(reverse(f"{name}_changelist")).status_code == 200
    assert root.get(reverse(f"{name}_add")).status_code == 403


def test_no_secret_is_shown_even_encrypted(root: Client) -> None:
    where, engine = account(), deployment(api_key="gAAAAAB-ciphertext")
    for name, thing, secret in (("account", where, where.secret), ("deployment", engine, engine.api_key)):
        response = root.get(reverse(f"admin:providers_{name}_change", args=[thing.pk]))
        assert response.status_code == 200
        assert str(secret) not in response.content.decode()


def test_whoever_is_no_staff_is_sent_to_the_login() -> None:
    assert Client().get(reverse("admin:providers_account_changelist")).status_code == 302
