"""`manage.py audit --pages`: figures that mean the same are compared over all pages."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from dashboard.page_audit.compare import collect
from dashboard.page_audit.crawl import frozen, links
from dashboard.page_audit.marks import Marked, marked
from lib.formats import figure
from traffic.models import Application

NOVEMBER = date(2026, 11, 1)


def test_a_marked_figure_is_read_back_with_its_meaning_and_exact_value() -> None:
    html = figure("$393", "spend", Decimal("392.8700"), NOVEMBER)
    assert marked(f"<p>{html}</p>") == [Marked(("spend", "2026-11", ""), "392.87")]
    assert ">$393</data>" in html
    scoped = marked(figure("3 %", "busy", 0.03, "", "lease <7>"))
    assert scoped == [Marked(("busy", "", "lease <7>"), "0.03")]


def test_what_is_unknown_is_not_marked_and_a_meaning_must_be_listed() -> None:
    assert figure("not known", "saving", None) == "not known"
    with pytest.raises(KeyError):
        figure("3", "anything", 3)


def test_the_state_of_a_verdict_is_read() -> None:
    html = '<span class="state ok" data-question="plan" data-period="2026-11" data-state="met">Met</span>'
    assert marked(html) == [Marked(("verdict: plan", "2026-11", ""), "met")]


def test_two_values_of_one_meaning_are_named_with_their_places() -> None:
    def page(value: str, period: date = NOVEMBER) -> str:
        return figure(value, "spend", Decimal(value), period)

    figures = collect([("/", 200, page("1.00")), ("/spend/", 200, page("2.00")), ("/plan/", 200, page("1.00"))])
    assert [*figures.differences()] == ["spend 2026-11: 1.00 on /, /plan/; 2.00 on /spend/"]
    alike = collect([("/", 200, page("1.00")), ("/spend/", 200, page("1.00") + page("5.00", date(2026, 10, 1)))])
    assert ([*alike.differences()], alike.compared, alike.places) == ([], 1, 2)


def test_a_page_that_fails_is_a_difference() -> None:
    assert [*collect([("/spend/", 500, "")]).differences()] == ["/spend/ answered 500"]


def test_links_stay_within_the_installation_and_out_of_what_ifs() -> None:
    html = """<a href="/spend/?month=2026-11">a</a> <a href="//evil.example/">b</a> <a href="?by=model">c</a>
        <a href="/logout/">d</a> <a href="/break-even/?gpu_hourly=1">e</a>
        <a href="/requests/?csv" download>f</a> <iframe src="/alerts/digests/daily/html/">"""
    assert [*links(html, "/spend/")] == ["/spend/?month=2026-11", "/spend/?by=model", "/alerts/digests/daily/html/"]


@pytest.mark.django_db(transaction=True)
def test_the_clock_stands_and_nothing_that_is_written_stays() -> None:
    at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    with frozen(at):
        assert timezone.now() == at
        Application.objects.create(slug="gone", name="Gone")
    assert timezone.now() != at
    assert not Application.objects.filter(slug="gone").exists()


@pytest.mark.django_db(transaction=True)
def test_the_command_walks_the_pages_of_an_installation(capsys: Any) -> None:
    with pytest.raises(CommandError, match="createsuperuser"):
        call_command("audit", "--pages")
    User.objects.create_superuser("ada", "ada@example.com", "a long password of hers")
    out = StringIO()
    call_command("audit", "--pages", stdout=out)
    pages = int(out.getvalue().split()[0])
    assert pages > 50, "an empty installation has that many"
    assert "all agree" in out.getvalue()
