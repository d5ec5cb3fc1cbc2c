"""Every page and mail of an installation without data, and of one without a rating: nothing is invented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.contrib.auth.models import User

from alerts.evaluation.services import evaluate
from alerts.models import Alert
from costs import savings
from costs.ledger import posting as ledger
from dashboard.management.commands.prepare import APPS
from dashboard.page_audit.compare import mails
from dashboard.page_audit.crawl import pages
from dashboard.page_audit.marks import marked
from providers.models import Deployment
from tests.costs.conftest import ready
from tests.factories import AccountFactory, DeploymentFactory, LeaseFactory, LeaseSpanFactory
from tests.pages import words
from traffic.models import Rating

__all__ = ["ready"]  # a fixture

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]

# The documentation has code, in which these words have another meaning.
CODE = ("/help/", "/legend/")
NO_FIGURE = re.compile(
    r"\b(nan|NaN|None(?! selected| chosen| waits)|[Ii]nf|[Ii]nfinity|undefined)\b|(?<!\w)−0(?![\d.])"
)
SHARE = re.compile(r"(?<![\d.,])[\d.,]+\s?%")
MEASURED = ("/uptime/", "/quality/", "/spend/", "/requests/", "/providers/", "/alerts/digests/")
QUALITY = {"quality", "go"}
EVERY_QUESTION = {"go", "latency", "plan", "quality", "reliability", "saving"}


@pytest.fixture
def unrated(ready: Deployment) -> None:
    """Traffic, spend and a GPU; 60 ratings are taken away."""
    Rating.objects.all().delete()
    lease = LeaseFactory.create(
        account=AccountFactory.create(kind="runpod", name="RunPod"), external_id="pod1", name="gpu-1", state="running",
        price_per_hour=Decimal("0.06"), started_at=NOW - timedelta(days=30), seen_at=NOW,
    )  # fmt: skip
    LeaseSpanFactory.create(lease=lease, starts_at=lease.started_at, ends_at=NOW, price_per_hour=lease.price_per_hour)
    DeploymentFactory.create(slug="unused", lease=lease)


def rendered() -> Iterator[tuple[str, str]]:
    """Address and HTML of each page and mail as an admin gets it, all of them answered."""
    for app in APPS:
        import_module(f"{app}.defaults").ensure_defaults()
    ledger.post()
    savings.search(NOW)
    evaluate(now=NOW, wait=True)
    reader = User.objects.create_superuser("ada", "ada@example.com")
    for address, status, html in [*pages(reader), *mails(reader, NOW)]:
        assert status == 200, address
        yield address, html


def states(html: str) -> Iterator[tuple[str, str]]:
    for mark in marked(html):
        if mark.meaning[0].startswith("verdict: "):
            yield mark.meaning[0].removeprefix("verdict: "), mark.value


def text_of(html: str) -> str:
    """What a page says, without its menu and its forms, whose limits and choices are no figures."""
    main = html.partition("<main")[2].partition("</main")[0] or html
    return words(re.sub(r"<(style|form|select|dialog)\b.*?</\1>", " ", main, flags=re.DOTALL))


def test_an_installation_without_data_has_no_figure_and_no_verdict(db: None) -> None:
    places, questions = 0, set()
    for address, html in rendered():
        places += 1
        for mark in marked(html):
            if mark.meaning[0].startswith("verdict: "):
                questions.add(mark.meaning[0].removeprefix("verdict: "))
                assert mark.value == "not_enough_data", (address, mark)
            else:
                assert not Decimal(mark.value), (address, mark)
        text = text_of(html)
        if not address.startswith(CODE):
            assert not NO_FIGURE.search(text), (address, text)
        if address.startswith(MEASURED):
            assert not SHARE.search(text), (address, text)
    assert questions == EVERY_QUESTION
    assert places > 150


def test_traffic_without_a_rating_has_no_verdict_on_quality_and_no_share_of_answers(unrated: None) -> None:
    places, judged = 0, set()
    for address, html in rendered():
        places += 1
        judged |= {*states(html)}
        text = text_of(html)
        if not address.startswith(CODE):
            assert not NO_FIGURE.search(text), (address, text)
        if address.startswith("/quality/"):
            assert not SHARE.search(text), (address, text)
    assert {state for question, state in judged if question in QUALITY} == {"not_enough_data"}
    assert {("saving", "met"), ("latency", "met"), ("reliability", "met")} <= judged
    assert Alert.objects.filter(state="open").count() > 1, "their mails are among the places"
    assert places > 200
