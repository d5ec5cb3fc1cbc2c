"""Status pages: who sees them, what they never say, what they cost."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from providers.models import CheckHour, Deployment, Heartbeat, StatusPage
from providers.status_pages import public_views as status
from providers.status_pages.badge import badge
from providers.uptime.report import hour_of
from tests.factories import MaintenanceFactory, OutageFactory
from tests.providers.people import deployment, in_role, text
from tests.query_ceilings import ceiling

pytestmark = pytest.mark.django_db
SECRETS = ("http://10.1.2.3:8000", "CUDA out of memory at /srv/models", "driver of box seven", "who broke it")


@pytest.fixture(autouse=True)
def nothing_is_kept() -> None:
    cache.clear()


@pytest.fixture
def llama() -> Deployment:
    """Up now, watched for a day, with an outage and a planned window."""
    now = timezone.now()
    made = deployment(url=SECRETS[0], last_cause=SECRETS[1])
    for n in range(1, 25):
        CheckHour.objects.create(
            deployment=made, hour=hour_of(now) - n * timedelta(hours=1), checks=120, observed_s=3600
        )
    OutageFactory.create(
        deployment=made,
        started_at=now - timedelta(hours=5),
        confirmed_at=now - timedelta(hours=5),
        ended_at=now - timedelta(hours=4),
        cause=SECRETS[1],
        public_note="A machine was replaced.",
        note=SECRETS[3],
        requests_failed=7,
    )
    MaintenanceFactory.create(
        deployment=made, starts_at=now + timedelta(hours=1), ends_at=now + timedelta(hours=2), reason=SECRETS[2]
    )
    return made


def page_of(*shown: Deployment, access: str = "public", **more: str) -> StatusPage:
    page = StatusPage.objects.create(**{"slug": "ours", "title": "Our <models>", "access": access} | more)
    page.deployments.set(shown)
    return page


def addresses(page: StatusPage) -> list[str]:
    return [reverse(f"providers:{name}", args=[page.address]) for name in ("status", "status-badge", "status-json")]


def test_a_public_page_tells_states_days_and_public_notes_and_nothing_that_is_ours(llama: Deployment) -> None:
    page = page_of(llama)
    page.heartbeats.add(Heartbeat.objects.create(slug="nightly", name="Nightly import"))
    bodies = [Client().get(url).content.decode() for url in addresses(page)]
    assert "A machine was replaced." in bodies[0]
    assert "Planned maintenance" in bodies[0]
    assert "Our &lt;models&gt;" in bodies[0]
    assert "Nightly import" in bodies[0]
    for body in bodies:
        assert [secret for secret in SECRETS if secret in body] == []
        assert "$" not in body
    told = json.loads(bodies[2])
    assert [(one["name"], one["state"]) for one in told["services"]] == [("Llama", "up"), ("Nightly import", "unknown")]
    assert told["services"][0]["uptime_90_days"] == pytest.approx(1 - 1 / 24, abs=1e-3)
    assert len(told["services"][0]["days"]) == 90
    assert [one["note"] for one in told["outages"]] == ["A machine was replaced."]


def test_a_deployment_that_is_down_is_told_on_page_badge_and_json(llama: Deployment) -> None:
    Deployment.objects.update(state="down")
    html, svg, feed = (Client().get(url).content.decode() for url in addresses(page_of(llama)))
    assert "1 of 1 services is down." in html
    assert "1 of 1 down" in svg
    assert json.loads(feed)["state"] == "down"


def test_a_page_that_says_nothing_of_its_state_for_long_is_unknown(llama: Deployment) -> None:
    Deployment.objects.update(last_check_at=timezone.now() - timedelta(hours=1))
    assert json.loads(Client().get(addresses(page_of(llama))[2]).content)["state"] == "unknown"


def test_it_is_open_to_those_whom_somebody_chose_and_closing_works_at_once(llama: Deployment) -> None:
    page, stranger = page_of(llama, access="unlisted"), Client()
    assert [stranger.get(url).status_code for url in addresses(page)] == [200] * 3
    assert stranger.get(addresses(page)[0])["X-Robots-Tag"] == "noindex"
    assert stranger.get("/status/ours/").status_code == 404
    StatusPage.objects.update(access="off")
    assert [stranger.get(url).status_code for url in addresses(page)] == [404] * 3
    assert "draft" in text(in_role("manager"), reverse("providers:status-preview", args=["ours"]))
    StatusPage.objects.update(access="public")
    assert stranger.get("/status/ours/").status_code == 200
    assert stranger.get(f"/status/{page.token}/").status_code == 404
    StatusPage.objects.update(deleted_at=timezone.now())
    assert stranger.get("/status/ours/").status_code == 404


def test_it_costs_one_statement_once_it_is_kept_and_none_of_them_reads_a_check(
    llama: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(status, "timezone", SimpleNamespace(now=lambda: now))
    page = page_of(llama)
    for url in addresses(page):
        with CaptureQueriesContext(
            connection,
        ) as first:
            answer = Client().get(url)
        assert len(first) <= ceiling("/status/{page}/, its badge or its JSON, before it is kept")
        assert not any(re.search(r'"?providers_check"?\b(?!hour)', query["sql"]) for query in first)
        with CaptureQueriesContext(connection) as again:
            same = Client().get(url, headers={"if-none-match": answer["ETag"]})
        assert (same.status_code, len(again)) == (304, 1)
        assert "max-age=30" in answer["Cache-Control"]
    assert Client().get(addresses(page)[2])["Access-Control-Allow-Origin"] == "*"


def test_a_theme_is_part_of_what_is_kept_and_a_login_is_not(llama: Deployment) -> None:
    url, admin = addresses(page_of(llama))[0], in_role("admin")
    admin.cookies["theme"] = "dark"
    assert 'data-theme="dark"' in text(admin, url)
    assert "data-theme" not in text(Client(), url)
    assert "admin" not in text(admin, url)


def test_a_badge_is_whole_xml_whatever_its_label_is() -> None:
    svg = badge('</text><script>"&x' * 5, "up", "ok")
    root = ElementTree.fromstring(svg)  # noqa: S314  # our own drawing
    assert root.tag.endswith("svg")
    assert "<script" not in svg
    assert len(root[0].text or "") < 60


def test_a_page_is_made_changed_deleted_and_brought_back(llama: Deployment) -> None:
    admin = in_role("admin")
    sent = {"title": "Our models", "access": "public", "deployments": [llama.pk]}
    admin.post(reverse("providers:status-page-add"), sent)
    page = StatusPage.objects.get()
    assert (page.slug, list(page.deployments.all())) == ("our-models", [llama])
    edit = reverse("providers:status-page", args=[page.slug])
    assert "/status/our-models/badge.svg" in text(admin, edit)
    empty = admin.post(edit, {"title": "Our models", "slug": "our-models", "access": "public"})
    assert (empty.status_code, "Choose at least one deployment" in empty.content.decode()) == (422, True)
    admin.post(reverse("providers:status-page-delete", args=[page.slug]))
    assert Client().get("/status/our-models/").status_code == 404
    admin.post(reverse("providers:status-page-undo", args=[page.pk]))
    assert Client().get("/status/our-models/").status_code == 200
    assert "1</b> of 1 status pages is public" in text(admin, reverse("providers:status-pages"))


def test_a_name_that_was_given_away_since_stays_with_its_new_page(llama: Deployment) -> None:
    old = page_of(llama)
    StatusPage.objects.update(deleted_at=timezone.now())
    page_of(llama)
    admin = in_role("admin")
    admin.post(reverse("providers:status-page-undo", args=[old.pk]))
    old.refresh_from_db()
    assert old.deleted_at is not None


def test_nothing_that_holds_a_page_is_hidden_from_phones(llama: Deployment) -> None:
    page = page_of(llama)
    body = Client().get(addresses(page)[0]).content.decode()
    held = re.findall(r'<(?:main|section)[^>]*\bclass="([^"]+)"', body)
    css = " ".join((settings.BASE_DIR / "static/css" / name).read_text() for name in ("page.css", "charts.css"))
    hidden = {name for rule in re.findall(r"([^{}]+){ display: none; }", css) for name in re.findall(r"\.(\w+)", rule)}
    assert "wide" in hidden and held
    assert not hidden & {name for names in held for name in names.split()}
