"""Every page begins with a sentence that answers, also where nothing is known yet."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import NoReverseMatch, reverse

from dashboard.access import ACCESS
from tests.dashboard.people import ROLES, logged_in, with_role
from tests.dashboard.samples import samples

pytestmark = pytest.mark.django_db

PAGES = [name for name, access in ACCESS.items() if access.reads is not None and not access.scope]
FEWEST = 6


class Begins(HTMLParser):
    """The text of the first h1 in main, and that of its first p."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._inside, self._tag = False, ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._inside = self._inside or tag == "main"
        if self._inside and tag in ("h1", "p") and tag not in self.found and not self._tag:
            self._tag = tag
            self.found[tag] = ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "main"
        if tag == self._tag:
            self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag:
            self.found[self._tag] += data


def begins(html: str) -> dict[str, str]:
    parser = Begins()
    parser.feed(html)
    return {tag: " ".join(text.split()) for tag, text in parser.found.items()}


def short(client: Client, urls: dict[str, str]) -> dict[str, dict[str, str]]:
    """Whole pages of these addresses whose beginning is no sentence; what is no page does not count."""
    found = {}
    for name, url in urls.items():
        response = client.get(url)
        html = (
            response.content.decode() if not response.streaming and "html" in response.get("Content-Type", "") else ""
        )
        if "<main" not in html:
            continue
        texts = begins(html)
        if max((len(text.split()) for text in texts.values()), default=0) < FEWEST:
            found[f"{name} {url} {response.status_code}"] = texts
    return found


def test_a_beginning_is_read_as_people_read_it() -> None:
    html = "<p>not here</p><main><p class=question>Who? </p><h1><b>Olga</b> is\n here.</h1><p>Later</p></main>"
    assert begins(html) == {"p": "Who?", "h1": "Olga is here."}


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


def test_every_page_begins_with_a_sentence_about_one_of_everything(tmp_path: Path, settings: Any) -> None:
    settings.DEMO, settings.DATA_DIR = True, tmp_path
    for role in ROLES:
        with_role(role)
    made = samples(tmp_path)
    urls = {name: made.url(name) for name in PAGES}
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
