"""Digests and statements: on each person's morning, once for a period, with findings that are real or the word that
there are none."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client

from alerts.delivery import outbox
from alerts.delivery.compose import compose
from alerts.digests import services as reporting
from alerts.digests.content import digest, subject_of
from alerts.digests.mail import bodies, context_of, words_of
from alerts.digests.periods import Period, due, newest
from alerts.mail.subjects import MOST, shortened
from alerts.models import Address, Alert, Delivery, Preference, Report, ReportKind, Rule
from costs.models import Phase
from dashboard.page_audit.compare import Figures, add_digests
from dashboard.page_audit.marks import marked
from tests.alerts.conftest import person
from tests.alerts.mail_parts import Tags, parsed, part
from tests.alerts.smtp_server import Mailbox, Smtp
from tests.costs.pdf_text import text_of
from tests.costs.usage_rows import usage
from tests.dashboard.logins import logged_in, with_role
from tests.factories import ApplicationFactory, ChargeFactory, PhaseFactory
from tests.pages import words
from traffic.models import Application, QueueEntry, RatingQueue, UsageDay

YESTERDAY = date(2026, 11, 24)
DAY = Period(YESTERDAY, date(2026, 11, 25))
MORNING = datetime(2026, 11, 25, 8, 5, tzinfo=UTC)


def here(role: str, **wishes: Any) -> Any:
    user = with_role(role)
    type(user).objects.filter(pk=user.pk).update(date_joined=datetime(2026, 1, 1, tzinfo=UTC))
    if wishes:
        Preference.objects.create(person=user, **wishes)
    return user


@pytest.fixture
def spent(db: Any) -> Application:
    """An application that costs $2 a day and cost $9 yesterday, and a plan of $400."""
    made = ApplicationFactory.create(slug="bot", name="Bot")
    for back in range(24):
        day = YESTERDAY - timedelta(days=back)
        usage(day=day, application_id=made.pk, requests=100, cost=Decimal(9 if not back else 2))
    PhaseFactory.create(slug="now", name="Now", budget_low=300, budget_high=400, starts_on=date(2026, 1, 1))
    return made


def test_the_newest_period_of_each_kind_is_over_and_whole() -> None:
    today = date(2026, 11, 25)  # a Wednesday
    assert newest("daily", today) == DAY
    assert newest("weekly", today) == Period(date(2026, 11, 16), date(2026, 11, 23))
    assert newest("monthly", today) == newest("statement", today) == Period(date(2026, 10, 1), date(2026, 11, 1))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Los_Angeles", "Pacific/Auckland", "Asia/Kolkata"])
@pytest.mark.parametrize("kind", ["daily", "weekly", "monthly"])
def test_each_period_is_due_once_on_a_local_morning_after_it_is_over(zone: str, kind: str) -> None:
    wishes = Preference(timezone=zone, digest_at=time(8))
    seen: dict[Period, datetime] = {}
    start = at = datetime(2026, 9, 25, tzinfo=UTC)
    while at < datetime(2026, 12, 4, tzinfo=UTC):
        period = due(kind, wishes, at)
        if period and period not in seen:
            seen[period] = at
            local = at.astimezone(ZoneInfo(zone))
            assert at == start or (local.hour, at.date() >= period.until) == (8, True), (zone, at)
        at += timedelta(minutes=30)
    starts = sorted(period.since for period in seen)
    step = {"daily": 1, "weekly": 7, "monthly": 31}[kind]
    assert len(starts) >= 66 // step
    gaps = {(after - before).days for before, after in pairwise(starts)}
    assert max(gaps) <= step, "none is left out, across both clock changes"


def test_what_was_missed_is_caught_up_at_most_once(spent: Application) -> None:
    here("ops")
    for at in (MORNING, MORNING + timedelta(hours=1)):
        reporting.write_due(at)
    assert Report.objects.count() == 1
    reporting.write_due(MORNING + timedelta(days=6))  # the worker was away for a week
    assert list(Report.objects.order_by("pk").values_list("starts_on", flat=True)) == [YESTERDAY, date(2026, 11, 30)]
    late = MORNING + timedelta(days=9, hours=13)
    assert reporting.write_due(late) == 0, "an evening is no morning: the next one comes"


def test_who_said_nothing_gets_what_the_role_asks_for_and_staff_get_nothing(spent: Application) -> None:
    for role in ("staff", "manager", "ops", "admin"):
        here(role)
    first = datetime(2026, 12, 3, 9, tzinfo=UTC)
    for at in (MORNING, datetime(2026, 11, 30, 8, 5, tzinfo=UTC), datetime(2026, 12, 1, 8, 5, tzinfo=UTC), first):
        reporting.write_due(at)
    found = {(one.person.get_username(), one.kind) for one in Report.objects.select_related("person")}
    assert found == {
        ("ops", "daily"), ("manager", "weekly"), ("manager", "monthly"), ("manager", "statement"),
        ("admin", "weekly"), ("admin", "statement"),
    }  # fmt: skip


def test_nobody_is_written_to_who_is_gone_refused_or_new_nor_before_there_is_anything(spent: Application) -> None:
    Address.objects.create(address="OPS@example.com", disabled_at=MORNING)
    here("ops")
    new = person("nora", "ops")
    type(new).objects.filter(pk=new.pk).update(date_joined=MORNING)
    assert reporting.write_due(MORNING) == 0


def test_an_installation_without_a_figure_says_nothing(db: Any) -> None:
    here("ops")
    assert reporting.write_due(MORNING) == 0


def test_a_digest_says_what_was_spent_how_the_plan_stands_and_what_moved(spent: Application) -> None:
    with time_machine.travel(MORNING, tick=False):  # a month of another year is shown with its year
        said = digest("daily", DAY)
    heading = "Yesterday, 24 November, you spent $9.00. November stays within its budget: about $"
    assert said["heading"].startswith(heading)
    assert said["subject"].startswith("Within budget: $9.00 yesterday, forecast $")
    assert (said["state"], said["tone"]) == ("met", "ok")
    assert [item[0] for item in said["items"]] == ["Bot cost $9.00, $7.00 more than before"]
    assert said["todo"] == "1 item to check."
    assert said["drivers"] == [["Bot", "$9.00", "100\N{NO-BREAK SPACE}%"]]
    assert Decimal(said["points"][-1][1]) == Decimal(55), "the month, day by day"


def test_figures_and_state_of_a_digest_are_marked_with_their_days_and_look_as_before(spent: Application) -> None:
    text, html = bodies(context_of("daily", digest("daily", DAY), MORNING, "chart"))
    marks = {mark.meaning: mark.value for mark in marked(html)}
    assert marks["verdict: plan", "2026-11", "before 2026-11-25"] == "met"
    assert marks["spend", "2026-11", "before 2026-11-25"] == "55.00"
    assert marks["budget", "2026-11", ""] == "400.00"
    assert ("forecast", "2026-11", "before 2026-11-25") in marks
    assert "$55.00</data>" in html and "<" not in text
    october = Period(date(2026, 10, 1), date(2026, 11, 1))
    whole = marked(bodies(context_of("monthly", digest("monthly", october), MORNING, "chart"))[1])
    assert {mark.meaning for mark in whole} >= {("verdict: plan", "2026-10", ""), ("spend", "2026-10", "")}
    statement = bodies(context_of("statement", words_of("statement", october, MORNING), MORNING, "chart"))[1]
    assert not [mark for mark in marked(statement) if mark.meaning[0].startswith("verdict")]


@pytest.mark.parametrize(
    ("kind", "period"),
    [
        ("daily", Period(date(2026, 11, 30), date(2026, 12, 1))),
        ("weekly", Period(date(2026, 11, 22), date(2026, 11, 29))),
    ],
)
@pytest.mark.parametrize(("high", "state", "words"), [(50, "not_met", "went over"), (400, "met", "stayed within")])
def test_digest_written_when_its_month_is_over_says_how_it_ended_and_has_no_forecast(
    spent: Application, kind: str, period: Period, high: int, state: str, words: str
) -> None:
    Phase.objects.update(budget_low=1, budget_high=high)
    usage(day=date(2026, 11, 30), application_id=spent.pk, requests=100, cost=Decimal("3.66"))
    at = datetime(2026, 12, 1, 8, 5, tzinfo=UTC)
    with time_machine.travel(at, tick=False):  # a month of another year is shown with its year
        written = words_of(kind, period, at)
        text, html = bodies(context_of(kind, written, MORNING, "chart"))
    assert f"November {words} its budget: $5" in written["heading"] and written["state"] == state
    assert "Forecast" not in text + html and "will go over" not in text + html
    assert written["subject"].endswith(f", November $58.66 of ${high}")
    marks = {mark.meaning: mark.value for mark in marked(html)}
    assert marks["spend", "2026-11", ""] == "58.66" and marks["verdict: plan", "2026-11", ""] == state
    assert not [meaning for meaning in marks if meaning[0] == "forecast"]


def test_digest_has_no_forecast_in_the_first_days_of_a_month_as_the_pages_have_none(spent: Application) -> None:
    usage(day=date(2026, 12, 1), application_id=spent.pk, requests=100, cost=Decimal(2))
    written = digest("daily", Period(date(2026, 12, 1), date(2026, 12, 2)))
    assert "It is too early to forecast" in written["heading"] and written["state"] == "not_enough_data"
    assert written["subject"] == "No forecast yet: $2.00 yesterday, December $2.00 of $400"
    assert "Forecast" not in [fact[0] for fact in written["facts"]]


def test_shares_of_a_digest_are_left_out_where_a_credit_lowers_the_total(spent: Application) -> None:
    start = datetime(2026, 11, 24, tzinfo=UTC)
    charge = {"day": YESTERDAY, "starts_at": start, "ends_at": start + timedelta(days=1), "category": "upkeep",
              "provider": "self", "provenance": "entered"}  # fmt: skip
    ChargeFactory.create(key="a", amount=6, original_amount=6, **charge)
    before = digest("daily", DAY)
    assert before["facts"][0][2].endswith("%") and before["drivers"][0][2].endswith("%")
    ChargeFactory.create(key="b", amount=-8, original_amount=-8, **charge)
    written = digest("daily", DAY)
    assert written["facts"][0][:2] == ["Spent", "$7.00"] and "%" not in written["facts"][0][2]
    assert "%" not in "".join(share for _name, _amount, share in written["drivers"])
    text, _html = bodies(context_of("daily", written, MORNING, "chart"))
    assert "()" not in text


@pytest.mark.parametrize(
    ("total", "median", "subject"),
    [
        ("9", "73", "Close to budget: $9.00 last week, forecast $73 of $50"),
        ("1103.86", "44100", "Close to budget: $1,103.86 last week, about $44,100 of $50"),
        ("11103.86", "1044100", "Close to budget: $11,103.86 last week"),
    ],
)
def test_subject_that_is_too_long_is_composed_shorter_and_not_cut(total: str, median: str, subject: str) -> None:
    plan: Any = SimpleNamespace(high=Decimal(50), spent=Decimal(40), month=date(2026, 11, 1), at_least=False)
    week: Any = SimpleNamespace(total=Decimal(total), at_least=False)
    text = subject_of("weekly", "Close to budget", week, plan, (Decimal(median),) * 3)
    assert text == subject == shortened(text, MOST)


def test_open_alerts_come_first_by_urgency_and_only_three_things_are_named(spent: Application) -> None:
    rule = Rule.objects.create(slug="r", kind="outage", name="R")
    for n, severity in enumerate(["info", "warning", "critical", "warning"]):
        Alert.objects.create(
            rule=rule, kind="outage", subject=f"deployment:{n}", title=f"Down: {n}", severity=severity, state="open",
            pending_since=MORNING, opened_at=MORNING, words={"todo": "Look."},
        )  # fmt: skip
    said = digest("daily", DAY)
    assert [item[0] for item in said["items"]] == ["Down: 2", "Bot cost $9.00, $7.00 more than before", "Down: 1"]
    assert (said["unnamed"], said["verdict"]) == ([["2 more alerts", "/alerts/"]], "Open alerts")
    Alert.objects.update(severity="critical")
    for slug in ("chat", "shop"):
        usage(day=YESTERDAY, application_id=ApplicationFactory.create(slug=slug).pk, cost=Decimal(9))
    written = digest("daily", DAY)
    left = [["1 more alert", "/alerts/"], ["3 more costs changed", "/spend/?month=2026-11"]]
    assert written["unnamed"] == left, "each count has the page that lists all of its kind"
    text, html = bodies(context_of("daily", written, MORNING, "chart"))
    for title, path in left:
        assert re.search(rf"\* {title}: https?://[^/]+{re.escape(path)}\n", text)
        assert re.search(rf'href="https?://[^/"]+{re.escape(path)}"[^>]*>{title}<', html)
    assert said["subject"].startswith("Within budget: "), "the subject is about the money, within its sixty characters"


def test_where_there_is_nothing_to_say_it_says_so(spent: Application) -> None:
    quiet = digest("daily", Period(YESTERDAY - timedelta(days=3), YESTERDAY - timedelta(days=2)))
    assert quiet["items"] == [] and quiet["todo"].startswith("All clear: no open alerts")
    silent = digest("daily", Period(date(2026, 11, 26), date(2026, 11, 27)))
    assert silent["heading"].startswith("Yesterday, 26 November, there was no spend and no request.")


def test_the_mail_is_sent_once_with_text_as_good_as_html_and_one_click_to_leave(
    spent: Application, smtp: Smtp, mailbox: Mailbox
) -> None:
    ops = here("ops", timezone="Europe/Berlin")
    assert reporting.write_due(MORNING - timedelta(hours=1)) == 1, "8 in Berlin is 7 in UTC"
    for _n in range(2):
        outbox.deliver(clock=lambda: MORNING)
    assert len(mailbox.accepted) == 1
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.message_id) == ("accepted", reporting.message_id("daily", DAY, ops.email))
    message = parsed(delivery)
    html, text = part(message, "html"), part(message, "plain")
    tags = Tags()
    tags.feed(html)
    assert tags.open == [] and len(str(message["Subject"])) <= 60
    for said in (
        "you spent $9.00",
        "Bot cost $9.00, $7.00 more than before",
        "Usual",
        "Forecast",
        "the month cost",
    ):
        assert said in text and said in html, said
    assert text.splitlines()[0] == "1 item to check."
    assert ("08:05 CET" not in text and "08:05 CET" in html) or "CET" in html
    url = message["List-Unsubscribe"].strip(" <>")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click" and url in text
    assert Client().get(url).status_code == 200 and Preference.objects.get().reports is None
    assert Client(enforce_csrf_checks=True).post(url, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert Preference.objects.get().reports == []
    assert reporting.write_due(MORNING + timedelta(days=1)) == 0


def test_a_digest_lists_the_queues_in_which_answers_wait_for_its_reader(spent: Application) -> None:
    ops = here("ops")
    spent.members.add(ops)
    Application.objects.update(capture_bodies=True)
    queue = RatingQueue.objects.create(name="First look", question="Is it right?")
    for place in range(2):
        QueueEntry.objects.create(
            queue=queue, position=place, day=YESTERDAY, request_id=uuid.uuid4(), application=spent
        )  # fmt: skip
    reporting.write_due(MORNING)
    words = Report.objects.get(kind="daily").words
    assert words["ratings"] == [["First look", "2 answers wait for your rating.", f"/quality/rate/?queue={queue.pk}"]]
    for body in bodies(context_of("daily", words, MORNING, cid="")):
        assert "2 answers wait for your rating." in body and f"/quality/rate/?queue={queue.pk}" in body
    assert reporting.rating_work(ReportKind.STATEMENT, ops) == [] == reporting.rating_work("daily", here("staff"))


def test_a_statement_goes_out_by_the_third_says_that_it_is_not_final_and_its_file_holds_the_ledgers_total(
    spent: Application,
) -> None:
    here("manager", reports=["statement"])
    sent = [reporting.write_due(datetime(2026, 12, day, 9, tzinfo=UTC)) for day in (1, 2, 3, 4)]
    assert sent == [0, 0, 1, 0]
    message = parsed(Delivery.objects.get())
    text = part(message, "plain")
    assert message["Subject"] == "Not final: November 2026 cost $55.00"
    assert "Vendors may revise it until" in text and "bot" in text.lower()
    file = next(one for one in message.walk() if one.get_filename())
    assert (file.get_filename(), file.get_content_type()) == ("statement-2026-11.pdf", "application/pdf")
    content = file.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert "$55.00 of the month’s $55.00 in the ledger." in text_of(content)


def test_a_statement_that_leaves_late_says_what_its_file_says(spent: Application) -> None:
    here("manager", reports=["statement"])
    assert reporting.write_due(datetime(2026, 12, 3, 9, tzinfo=UTC)) == 1
    usage(day=date(2026, 11, 26), application_id=spent.pk, requests=100, cost=Decimal(5))
    message = parsed(Delivery.objects.get())
    content = next(one for one in message.walk() if one.get_filename()).get_payload(decode=True)
    assert isinstance(content, bytes)
    assert "$60.00 of the month’s $60.00 in the ledger." in text_of(content)
    assert message["Subject"] == "Not final: November 2026 cost $60.00"
    assert "$60.00" in part(message, "plain") and "$55.00" not in part(message, "html")
    usage(day=date(2026, 11, 26), application_id=spent.pk, requests=1, unpriced=1, model="new", cost=0)
    delivery = Delivery.objects.get()
    [line] = [row for row in compose(delivery).message().as_bytes().splitlines() if row.startswith(b"Subject")]
    assert line == b"Subject: Not final: November 2026 cost at least $60.00"  # encoded, it would begin with a blank


def test_a_statement_that_is_final_goes_out_on_the_first(spent: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costs.statements.queries.final_on", lambda provider, until: until)
    here("manager", reports=["statement"])
    assert reporting.write_due(datetime(2026, 12, 1, 9, tzinfo=UTC)) == 1
    assert Report.objects.get().words["subject"] == "Final: November 2026 cost $55.00"


def test_everybody_chooses_on_their_page_and_sees_what_would_come(spent: Application) -> None:
    ops, staff = logged_in(here("ops")), logged_in(here("staff"))
    url = "/alerts/preferences/"
    page = ops.get(url).content.decode()
    assert re.findall(r'name="reports" value="(\w+)"[^>]* checked', page) == ["daily"]
    assert "/alerts/digests/daily/" in page
    good = {"least": "info", "digest": "", "digest_at": "08:00", "timezone": "UTC", "language": "en"}
    assert ops.post(url, good | {"reports": ["weekly", "statement"]}).status_code == 302
    assert Preference.objects.get().reports == ["weekly", "statement"]
    assert 'name="reports"' not in staff.get(url).content.decode()
    for kind in ReportKind.values:
        assert ops.get(f"/alerts/digests/{kind}/").status_code == 200
        assert staff.get(f"/alerts/digests/{kind}/").status_code == 403
        alone = ops.get(f"/alerts/digests/{kind}/html/")
        assert "sandbox" in alone["Content-Security-Policy"] and "cid:" not in alone.content.decode()
    assert ops.get("/alerts/digests/hourly/").status_code == 404
    assert not Report.objects.exists(), "looking sends nothing"


def test_a_digest_names_the_moment_of_its_figures_and_a_new_one_has_those_of_the_pages(spent: Application) -> None:
    november, at = Period(date(2026, 11, 1), date(2026, 12, 1)), datetime(2026, 12, 1, 8, 5, tzinfo=UTC)
    with time_machine.travel(at, tick=False):
        before = words_of(ReportKind.MONTHLY, november, at)
        usage(day=YESTERDAY, application_id=spent.pk, requests=1, cost=Decimal("-2.32"), model="corrected")
        _text, kept = bodies(context_of(ReportKind.MONTHLY, before, at, "a"))
        text, now = bodies(context_of(ReportKind.MONTHLY, words_of(ReportKind.MONTHLY, november, at), at, "a"))
        page = logged_in(with_role("manager")).get("/spend/statements/?month=2026-11").content.decode()
    assert "figures as of 1 Dec 2026, 08:05 UTC" in kept and "figures as of 1 Dec 2026, 08:05 UTC" in text
    meant = ("spend", "2026-11", "")
    figures = {name: {row.value for row in marked(html) if row.meaning == meant}
               for name, html in (("kept", kept), ("now", now), ("page", page))}  # fmt: skip
    assert figures == {"kept": {"55.00"}, "now": {"52.68"}, "page": {"52.68"}}


def stored_monthly(at: datetime, amount: str = "", role: str = "manager") -> Report:
    """The digest of November as it was written, or with another `amount` in the place of its $55.00."""
    november = Period(date(2026, 11, 1), date(2026, 12, 1))
    words = words_of(ReportKind.MONTHLY, november, at)
    if amount:
        words["facts"][0][1], words["facts"][0][4] = f"${amount}", amount
    days = {"starts_on": november.since, "ends_on": november.until}
    return Report.objects.create(person=here(role), kind="monthly", words=words, created_at=at, **days)


def november_compared(at: datetime, reader: Client) -> Figures:
    figures = Figures()
    page = reader.get("/spend/statements/?month=2026-11").content.decode()
    figures.add("/spend/statements/?month=2026-11", page)
    add_digests(figures, at)
    return figures


def test_a_stored_digest_is_compared_with_the_pages_while_the_ledger_of_its_days_is_the_same(
    spent: Application,
) -> None:
    at = datetime(2026, 12, 1, 8, 5, tzinfo=UTC)
    with time_machine.travel(at, tick=False):
        digest_ = stored_monthly(at)
        place = f"monthly digest {digest_.pk}"
        reader = logged_in(with_role("ops"))
        figures = november_compared(at, reader)
        assert [*figures.differences()] == []
        assert figures.values["spend", "2026-11", ""] == {"55.00": ["/spend/statements/?month=2026-11", place]}
        usage(day=YESTERDAY, application_id=spent.pk, requests=1, cost=Decimal("-2.32"), model="corrected")
        changed = november_compared(at, reader)
        assert [*changed.differences()] == [], "it was right at its moment"
        assert changed.values["spend", "2026-11", ""] == {"52.68": ["/spend/statements/?month=2026-11"]}
        assert changed.values["spend", "2026-11", "as of 2026-12-01 08:05:00"] == {"55.00": [place]}


def test_a_stored_digest_that_says_another_total_than_the_statement_is_a_difference(spent: Application) -> None:
    at = datetime(2026, 12, 1, 8, 5, tzinfo=UTC)
    with time_machine.travel(at, tick=False):
        wrong = stored_monthly(at, "54.00")
        [line] = november_compared(at, logged_in(with_role("ops"))).differences()
    assert line == (
        f"spend 2026-11: 54.00 on monthly digest {wrong.pk};"
        f" 55.00 on /spend/statements/?month=2026-11, monthly digest {wrong.pk}"
    )


def test_two_digests_of_one_moment_are_compared_with_each_other(spent: Application) -> None:
    at = datetime(2026, 12, 1, 8, 5, tzinfo=UTC)
    with time_machine.travel(at, tick=False):
        stored_monthly(at)
        stored_monthly(at, "54.00", "staff")
        usage(day=YESTERDAY, application_id=spent.pk, requests=1, cost=Decimal("-2.32"), model="corrected")
        [line] = november_compared(at, logged_in(with_role("ops"))).differences()
    assert line.startswith("spend 2026-11 as of 2026-12-01 08:05:00: 54.00 on monthly digest ")


def test_the_statements_mail_and_page_mark_the_same_total(spent: Application) -> None:
    november, at = Period(date(2026, 11, 1), date(2026, 12, 1)), datetime(2026, 12, 3, 8, 5, tzinfo=UTC)
    with time_machine.travel(at, tick=False):
        figures = november_compared(at, logged_in(with_role("ops")))
        words = words_of(ReportKind.STATEMENT, november, at)
        figures.add("mail", bodies(context_of(ReportKind.STATEMENT, words, at, ""))[1])
    assert figures.values["spend", "2026-11", ""] == {"55.00": ["/spend/statements/?month=2026-11", "mail"]}


def test_a_cost_of_the_month_that_a_person_enters_on_one_day_is_no_move_of_that_day(spent: Application) -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    ChargeFactory.create(
        key="upkeep", provider="runpod", day=YESTERDAY, starts_at=noon, ends_at=noon, category="upkeep",
        provenance="entered", amount=30, original_amount=30, application=spent,
    )  # fmt: skip
    UsageDay.objects.filter(day=YESTERDAY).update(cost=Decimal("2.20"))
    written = digest("daily", DAY)
    assert [item[0] for item in written["items"]] == [] and written["drivers"][0][:2] == ["Bot", "$32.20"]
    UsageDay.objects.filter(day=YESTERDAY).update(cost=Decimal(9))
    assert [item[0] for item in digest("daily", DAY)["items"]] == ["Bot cost $39.00, $37.00 more than before"]


def test_a_total_with_an_unknown_in_it_is_a_lower_bound_in_subject_sentence_and_figures(spent: Application) -> None:
    usage(day=YESTERDAY, application_id=spent.pk, requests=3, unpriced=3, cost=Decimal(0), model="unheard-of")
    written = digest("daily", DAY)
    assert written["subject"].startswith("Cost incomplete: at least $9.00 yesterday")
    assert "you spent at least $9.00." in written["heading"], "as the verdict in the same heading writes it"
    facts = {label: value for label, value, *_more in written["facts"]}
    assert (facts["Spent"], facts["Month to date"]) == ("≥\u202f$9.00", "≥\u202f$55.00")


def test_the_mail_of_a_month_with_an_unpriced_request_says_at_least_wherever_it_names_its_total(
    spent: Application,
) -> None:
    usage(day=YESTERDAY, application_id=spent.pk, requests=3, unpriced=3, cost=Decimal(0), model="unheard-of")
    here("manager", reports=["monthly"])
    assert reporting.write_due(datetime(2026, 12, 1, 8, 5, tzinfo=UTC)) == 1
    message = parsed(Delivery.objects.get())
    assert message["Subject"] == "Cost incomplete: at least $55.00 last month, plan $400"
    for kind in ("plain", "html"):
        shown = words(part(message, kind))
        assert shown.count("$55.00") == shown.count("≥ $55.00") + shown.count("at least $55.00") >= 6, shown
