"""What tests of traffic's pages and ratings start from: people, applications, requests that went through ingest."""

from __future__ import annotations

from typing import Any

import psycopg
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import ApplicationFactory
from tests.pages import html_of
from tests.permissions import permission_ids
from tests.traffic.request_rows import row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.models import Application, Request

ANSWER = "Yes, within 14 days."
PROMPT = '[{"role": "system", "content": "Be short."}, {"role": "user", "content": "May I return it?"}]'


def person(name: str, *permissions: str, **more: Any) -> User:
    """A user with permissions, as `app.codename`."""
    user = User.objects.create_user(name, **more)
    user.user_permissions.add(*permission_ids(permissions))
    return user


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def application(slug: str, *members: User, owner: User | None = None, captures: bool = True) -> Application:
    made = ApplicationFactory.create(slug=slug, name=slug.title(), owner=owner, capture_bodies=captures)
    made.members.set(members)
    return made


def arrive(conn: psycopg.Connection, *given: dict[str, Any]) -> list[Request]:
    """Requests that came in by ingest, in the order given."""
    rows = [row(number, **{"external_id": f"a{number}", **values}) for number, values in enumerate(given)]
    ids = ingest(conn, rows, PricingContext.load(conn)).ids
    found = [Request.objects.by_id(identifier) for identifier in ids]
    return [request for request in found if request is not None]


def text(client: Client, url: str, **query: Any) -> str:
    """A page's words on one line."""
    response = client.get(url, query)
    assert response.status_code == 200, response.status_code
    return html_of(response)
