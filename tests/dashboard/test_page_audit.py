"""`manage.py audit --pages`: figures that mean the same are compared over all pages."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from alerts.digests.mail import words_of
from alerts.digests.periods import Period
from alerts.models import Report
from alerts.wording import Fact, meaning
from costs.verdicts.amounts import marked_saving
from dashboard.page_audit.compare import collect
from dashboard.page_audit.crawl import frozen, links
from dashboard.page_audit.marks import Marked, marked, shows
from lib.confidence_intervals import Interval
from lib.formats import figure
from tests.costs.usage_rows import usage
from traffic.models import Application

NOVEMBER = date(2026, 11, 1)


def test_a_marked_figure_is_read_back_with_its_meaning_and_exact_value() -> None:
    html = figure("$393", "spend", Decimal("392.8700"), NOVEMBER)
    assert marked(f"<p>{html}</p>") == [Marked(("spend", "2026-11", ""), "392.87", "$393")]
    assert ">$393</data>" in html
    scoped = marked(figure("3 %", "busy", 0.03, "", "lease <7>"))
    assert scoped == [Marked(("busy", "", "lease <7>"), "0.03", "3 %")]


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$393", "392.87"),
        ("≥ 392.87", "392.87"),
        ("−$74", "-74.21"),
        ("+$534", "534.08"),
        ("$74", "-74.21"),  # "costs $74 more"
        ("$300–400", "400.00"),
        ("87,800", "87783"),
        ("0.2 %", "0.0017"),
        ("<0.1 %", "0.0004"),
        ("85 %", "0.852941"),
        ("No open alerts", "0"),
        ("All 6 deployments are up", "6"),
    ],
)
def test_a_text_shows_its_figure_rounded_to_the_digits_that_it_has(text: str, value: str) -> None:
    assert shows(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$394", "392.87"),
        ("392.86", "392.87"),
        ("+$74", "-74.21"),
        ("$400–300", "400.00"),
        ("87,900", "87783"),
        ("$400", "440.00"),  # a zero of three digits is shown, not left out
        ("0.9 %", "0.0017"),
        ("<0.1 %", "0.004"),
        ("5 %", "0.852941"),
        ("No open alerts", "2"),
    ],
)
def test_another_text_does_not_show_it(text: str, value: str) -> None:
    assert not shows(text, value)


def test_a_page_whose_text_differs_from_its_mark_is_a_difference() -> None:
    right, wrong = (figure(text, "spend", Decimal("392.87"), NOVEMBER) for text in ("$393", "$411.74"))
    figures = collect([("/", 200, right), ("/spend/", 200, f"<p>{wrong}</p>")])
    assert [*figures.differences()] == ["/spend/ shows “$411.74” for spend 2026-11, which is 392.87"]


def test_a_saving_is_marked_with_both_ends_of_its_interval_and_a_loss_with_the_other_end() -> None:
    def marks(text: str, value: str, low: str, high: str) -> list[tuple[str, str, str]]:
        interval = Interval(Decimal(low), Decimal(high))
        rows = marked(marked_saving(text, Decimal(value), interval))
        assert not any(row.wrong for row in rows)
        return [(row.meaning[0], row.value, row.text) for row in rows]

    assert marks("So <far> about $201 (−$74 to +$534).", "201.32", "-74.21", "534.08") == [
        ("saving", "201.32", "$201"), ("saving-low", "-74.21", "−$74"), ("saving-high", "534.08", "+$534"),
    ]  # fmt: skip
    assert marks("It costs about $50 ($20 to $80) more.", "-50.10", "-80.30", "-20.20") == [
        ("saving", "-50.10", "$50"), ("saving-high", "-20.20", "$20"), ("saving-low", "-80.30", "$80"),
    ]  # fmt: skip
    escaped = marked_saving("<b>", Decimal(1), Interval(Decimal(0), Decimal(2)))
    assert escaped == "&lt;b&gt;"


def test_facts_of_mails_carry_the_marks_of_the_pages() -> None:
    saving = Fact("Saving", "about $201 (−$74 to +$534)", "", ["saving", "201.32", "", "", "-74.21", "534.08"])
    assert [row.meaning[0] for row in marked(saving.marked)] == ["saving", "saving-low", "saving-high"]
    idle = Fact("Busy", "3 %", "", meaning("busy", 0.03, scope="7"))
    assert marked(idle.marked) == [Marked(("busy", "", "7"), "0.03", "3 %")]


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


@pytest.mark.django_db(transaction=True)
def test_the_command_ends_with_1_where_a_stored_digest_and_the_statement_of_its_month_differ(capsys: Any) -> None:
    reader = User.objects.create_superuser("ada", "ada@example.com", "a long password of hers")
    now = timezone.now()
    until = now.date().replace(day=1)
    since = (until - timedelta(days=1)).replace(day=1)
    usage(day=since, requests=1, cost=Decimal(55))
    words = words_of("monthly", Period(since, until), now)
    words["facts"][0][4] = "54.00"
    Report.objects.create(person=reader, kind="monthly", starts_on=since, ends_on=until, words=words, created_at=now)
    with pytest.raises(SystemExit) as ended:
        call_command("audit", "--pages")
    lines = capsys.readouterr().err
    assert ended.value.code == 1
    assert f"spend {since:%Y-%m}: 54.00 on monthly digest " in lines and "; 55.00 on /" in lines
