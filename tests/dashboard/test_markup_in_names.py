"""Markup in names stays text: on every page of the URL conf and in every mail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import models, transaction
from django.test import Client, override_settings

from alerts.delivery.compose import compose
from alerts.delivery.mailbox import of_message
from alerts.digests.periods import newest
from alerts.digests.services import write
from alerts.kinds import KINDS
from alerts.models import Alert, Delivery, Preference, ReportKind, Rule, Transition
from costs.ledger import posting as ledger
from dashboard.access import ACCESS
from tests.costs.usage_rows import usage
from tests.dashboard.logins import ROLES, logged_in, with_role
from tests.dashboard.samples import Samples, samples
from traffic.models import Application

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
OURS = ("providers", "traffic", "costs", "alerts")
# Whatever people, vendors or programs call things by; slugs take no markup.
NAMED = {
    "name", "title", "file_name", "reason", "note", "cause", "answer", "words", "model", "gpu", "region", "source",
    "shape", "description", "last_error", "disabled_reason",
}  # fmt: skip
PAGES = [name for name, access in ACCESS.items() if access.reads is not None and not access.scope]


def rename(row: models.Model) -> None:
    """Give every name of a row markup, as far as the columns take it."""
    changed = {}
    for field in row._meta.concrete_fields:
        if field.name not in NAMED or field.choices or not isinstance(field, models.CharField | models.TextField):
            continue
        text = f"{EVIL}{row.pk}"
        if field.max_length is None or field.max_length >= len(text):
            changed[field.name] = text
    if changed:
        type(row)._default_manager.filter(pk=row.pk).update(**changed)


@pytest.fixture(scope="module")
def things(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Samples]:
    """One of everything, all of it named by markup; made once, and undone at the end."""
    folder = tmp_path_factory.mktemp("data")
    with django_db_blocker.unblock(), override_settings(DEMO=True, DATA_DIR=folder), transaction.atomic():
        for role in ROLES:
            with_role(role)
        made = samples(folder)
        User.objects.update(first_name=EVIL[:50], last_name=EVIL[:50])
        now = datetime.now(UTC)
        for back in (0, 1, 2, 40):
            usage(
                day=now.date() - timedelta(days=back), application_id=made.application.pk, requests=50, unpriced=5,
                cost=Decimal(9), model=EVIL,
            )  # fmt: skip
        ledger.post()
        for model in apps.get_models():
            if (
                model._meta.app_label in OURS
                and model._meta.managed
                and not isinstance(model._meta.pk, models.CompositePrimaryKey)
            ):
                for row in model._default_manager.all()[:50]:
                    rename(row)
        Alert.objects.update(words=evil_words())
        yield made
        transaction.set_rollback(True)


class Elements(HTMLParser):
    """What a browser would make of a page: the scripts, and everything that would run."""

    def __init__(self) -> None:
        super().__init__()
        self.script = False
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.script = tag == "script"
        self.bad += [
            f"{tag} {name}" for name, value in attrs if name.startswith("on") or (value == "x" and name == "src")
        ]

    def handle_endtag(self, tag: str) -> None:
        self.script = False

    def handle_data(self, data: str) -> None:
        if self.script and data.strip() == "alert(1)":
            self.bad.append("script")


def harmless(html: str, where: str) -> None:
    assert "<script>alert(1)" not in html, where
    page = Elements()
    page.feed(html)
    assert page.bad == [], where


@pytest.mark.django_db
def test_every_page_shows_markup_in_names_as_text(things: Samples) -> None:
    admin = logged_in(User.objects.get(username="admin"))
    shown: set[str] = set()
    for name in PAGES:
        with transaction.atomic():
            response = admin.get(things.url(name))
            transaction.set_rollback(True)
        if not response.get("Content-Type", "").startswith("text/html") or response.status_code >= 500:
            assert response.status_code in (200, 204, 302, 404, 503), f"{name}: {response.status_code}"
            continue
        html = response.content.decode()
        harmless(html, name)
        if "&lt;script&gt;alert(1)" in html:
            shown.add(name)
    assert len(shown) >= 40, sorted(shown)
    assert shown >= {
        "traffic:applications", "traffic:application", "providers:deployments", "providers:account", "costs:statements",
        "alerts:list", "alerts:detail", "alerts:rules", "alerts:rule", "alerts:digest", "alerts:digest-html", "people",
    }  # fmt: skip


def evil_words() -> dict[str, Any]:
    rows = [[EVIL, EVIL, EVIL]]
    bars = [{"label": EVIL, "text": EVIL, "share": 1.0, "tone": "us"}]
    return {
        "todo": EVIL, "detail": EVIL, "facts": rows, "bars": bars, "drivers": rows, "driven": EVIL, "over": EVIL,
        "page": "/plan/", "fixes": [[EVIL, "/plan/"]], "providers": [EVIL],
    }  # fmt: skip


def mails(now: datetime) -> Iterator[Delivery]:
    """Of every kind of rule what opens, escalates and ends, several in one, and everything that the calendar brings."""
    for kind in KINDS:
        rule = Rule.objects.create(slug=f"evil-{kind}", kind=kind, name=EVIL)
        alert = Alert.objects.create(
            rule=rule, kind=kind, subject=f"application:{EVIL}"[:200], title=f"Over budget: {EVIL}, $9 of $8",
            state="open", severity="critical", pending_since=now, opened_at=now, words=evil_words(), value="9",
            threshold="8",
        )  # fmt: skip
        several = []
        for cause, after in (("crossed", "open"), ("escalated", "open"), ("cleared", "resolved")):
            moved = Transition.objects.create(
                alert=alert,
                before="open",
                after=after,
                at=now,
                cause=cause,
                title=alert.title,
                words=alert.words,
                note=EVIL,
            )
            several.append(Delivery.objects.create(
                alert=alert, transition=moved, recipient="admin@example.com", due_at=now,
                message_id=f"<{kind}.{cause}@x>",
            ))  # fmt: skip
        yield from several
        first, *others = several
        first.deferred_by = "digest"
        first.save()
        Delivery.objects.filter(pk__in=[one.pk for one in others]).update(state="folded", folded_into=first)
        yield first
    admin = User.objects.get(username="admin")
    for report in ReportKind.values:
        period = newest(report, now.date())
        if report == ReportKind.STATEMENT:
            period = newest(ReportKind.DAILY, now.date())
        assert write(admin, Preference(person=admin), report, period, now) == 1
    yield from Delivery.objects.filter(report__isnull=False)


@pytest.mark.django_db
def test_every_mail_shows_markup_in_names_as_text(things: Samples) -> None:
    seen = 0
    with transaction.atomic():
        for delivery in mails(datetime.now(UTC)):
            mail = of_message(compose(delivery).message().as_bytes())
            harmless(mail.html, str(delivery.pk))
            assert "\n" not in mail.subject and len(mail.subject) <= 60
            assert "&lt;script&gt;alert(1)" in mail.html or delivery.report_id
            seen += 1
        transaction.set_rollback(True)
    assert seen == 4 * len(KINDS) + len(ReportKind.values)


@pytest.mark.django_db
def test_what_is_named_by_markup_is_there(things: Samples) -> None:
    assert Application.objects.filter(name__contains="<script>").count() >= 2
    assert Client().get(things.url("alerts:unsubscribe")).status_code == 200
