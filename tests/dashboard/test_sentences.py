"""Every page begins with its name and a line that gives the finding, also where nothing is known yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import NoReverseMatch, reverse

from dashboard.access import ACCESS
from tests.dashboard.addresses import PEOPLES
from tests.dashboard.beginnings import begins, dull
from tests.dashboard.logins import ROLES, logged_in, with_role
from tests.dashboard.samples import samples

pytestmark = pytest.mark.django_db

PAGES = [name for name, access in ACCESS.items() if access.reads is not None and not access.scope]


def short(client: Client, urls: dict[str, str]) -> dict[str, dict[str, str]]:
    """Whole pages of these addresses whose beginning is no sentence."""
    found = {}
    for name, url in urls.items():
        response: Any = client.get(url)
        if (texts := dull(response)) is not None:
            found[f"{name} {url} {response.status_code}"] = texts
    return found


def test_the_text_of_an_element_is_read_without_markup() -> None:
    html = "<p>not here</p><main><h1> Users</h1><p class=finding><b>Olga</b> is\n here.</p><p>Later</p></main>"
    assert begins(html) == {"h1": "Users", "p": "Olga is here."}


@pytest.mark.parametrize(
    ("html", "enough"),
    [
        ("<main><h1>Alerts</h1><p>All clear: no open alerts.</p></main>", True),
        ("<main><h1>$300 of $400, everything up</h1></main>", True),
        ("<main><h1></h1><p>All clear: no open alerts.</p></main>", False),
        ("<main><h1>Alerts</h1><p></p></main>", False),
        ("<main><p>All clear: no open alerts.</p></main>", False),
    ],
)
def test_a_page_needs_a_name_and_a_finding(html: str, enough: bool) -> None:
    assert (dull(HttpResponse(html)) is None) is enough


@pytest.mark.parametrize("role", ("anonymous", *ROLES))
def test_every_page_begins_with_a_sentence_where_nothing_is_known(role: str) -> None:
    client = Client() if role == "anonymous" else logged_in(with_role(role))
    assert short(client, plain()) == {}


def plain() -> dict[str, str]:
    """Addresses that name nothing."""
    found = {}
    for name in PAGES:
        try:
            found[name] = reverse(name)
        except NoReverseMatch:
            continue
    return found


def test_open_pages_begin_with_a_sentence_about_one_of_everything(tmp_path: Path, settings: Any) -> None:
    """All others are opened by everybody, with one of everything, where it is tested who may: there they are read."""
    settings.DEMO, settings.DATA_DIR = True, tmp_path
    for role in ROLES:
        with_role(role)
    made = samples(tmp_path)
    urls = {name: made.url(name) for name in PAGES if name not in PEOPLES}
    assert urls
    for role in ROLES:
        assert short(logged_in(User.objects.get(username=role)), urls) == {}, role


def test_a_person_is_a_sentence_in_every_state() -> None:
    admin, one = with_role("admin"), with_role("staff", "jorun")
    client, url = logged_in(admin), {"person": reverse("person", args=[one.pk])}
    assert short(client, url) == {}, "never signed in"
    logged_in(one)
    assert short(client, url) == {}, "signed in"
    User.objects.filter(pk=one.pk).update(is_active=False)
    assert short(client, url) == {}, "locked out"
