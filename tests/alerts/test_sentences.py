"""What the pages of alerts, rules, channels and messages say in words, each branch, from plain objects."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from django.utils import timezone

from alerts.channels.forms import WEBHOOKS
from alerts.channels.page import ChannelPage, ChannelsPage, Tried
from alerts.delivery.grouping import todo_of, why_of
from alerts.delivery.mailbox import Mail
from alerts.delivery.page import DeliveriesPage, MailboxPage, PreferencesPage, mail_answer
from alerts.inbox.page import (
    AlertPage,
    HistoryPage,
    InboxPage,
    SilencesPage,
    bad_link_answer,
    subscription_answer,
)
from alerts.inbox.response_times import Pace
from alerts.metrics.metric import Series
from alerts.metrics.watch import Watch
from alerts.models import Address, Alert, Channel, Delivery, Preference, Rule, Silence
from alerts.rules.noise import Noise
from alerts.rules.page import RulePage, RuleRow, RulesPage
from alerts.rules.preview import Firing, Preview
from alerts.rules.queries import RuleCounts
from lib.time_spans import Span
from tests.pages import words

pytestmark = pytest.mark.usefixtures("stopped_clock")

NOW = timezone.now()
TWO_HOURS_AGO = NOW - timedelta(hours=2, minutes=1)
NOON = datetime(2025, 6, 18, 12, tzinfo=UTC)
IDLE = Pace(0, 0, None, None)
BUSY = Pace(3, 1, timedelta(minutes=4), timedelta(hours=2))


def alert(state: str = "open", **more: Any) -> Alert:
    fields: dict[str, Any] = {"title": "mistral is down", "severity": "critical", "opened_at": NOON}
    return Alert(state=state, **(fields | more))


def inbox(**more: Any) -> InboxPage:
    parts: dict[str, Any] = {"late": False, "evaluated_at": TWO_HOURS_AGO, "pace": IDLE, "days": 30}
    return InboxPage(**(parts | more))


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (inbox(late=True), "Unknown: the rules last ran 2 h ago."),
        (inbox(late=True, evaluated_at=None), "Unknown: no rule has run yet."),
        (inbox(open=[alert()]), "1 open, unassigned: mistral is down."),
        (inbox(open=[alert(), alert()]), "2 open, unassigned. First: mistral is down."),
        (inbox(assigned=[alert()]), "No unassigned alerts. The only open alert has an owner."),
        (
            inbox(assigned=[alert()], acknowledged=[alert()]),
            "No unassigned alerts. All 2 open alerts have an owner.",
        ),
        (inbox(snoozed=[alert()]), "No unassigned alerts. The only open alert is snoozed."),
        (inbox(snoozed=[alert(), alert()]), "No unassigned alerts. All 2 open alerts are snoozed."),
        (inbox(), "All clear: no open alerts"),
    ],
)
def test_the_inbox_says_what_needs_someone(page: InboxPage, sentence: str) -> None:
    assert words(page.answer()) == sentence


def test_headings_of_the_inbox_follow_its_lists() -> None:
    assert [inbox(open=[alert()] * n).open_headline() for n in (0, 1, 2)] == [
        "No unassigned alerts",
        "1 open, unassigned",
        "2 open, unassigned",
    ]
    assert inbox().pace_headline() == "Response times: no alert ended in 30 days"
    assert inbox(pace=BUSY).pace_headline() == "Mean time to resolve: 2 h"
    assert [inbox(noisy=[Noise(Rule(), 20, 0)] * n).noise_headline() for n in (0, 1, 2)] == [
        "No noisy rules",
        "1 noisy rule",
        "2 noisy rules",
    ]
    assert [inbox(silences=[Silence()] * n).silences_headline() for n in (0, 1, 2)] == [
        "No active silences",
        "1 active silence",
        "2 active silences",
    ]


@pytest.mark.parametrize(
    ("row", "ending", "mark", "todo"),
    [
        (
            alert("resolved", resolved_at=NOON + timedelta(hours=3)),
            "Resolved after 3 h",
            "resolved",
            "What to do then",
        ),
        (alert("resolved", opened_at=None), "Ended before it opened", "resolved", "What to do then"),
        (alert(opened_at=TWO_HOURS_AGO), "Unassigned, opened 2 h ago", "open, critical", "What to do"),
        (
            alert(severity="warning", opened_at=TWO_HOURS_AGO),
            "Unassigned, opened 2 h ago",
            "open, warning",
            "What to do",
        ),
        (
            alert(severity="info", opened_at=TWO_HOURS_AGO),
            "Unassigned, opened 2 h ago",
            "open, information",
            "What to do",
        ),
        (alert("acknowledged", opened_at=TWO_HOURS_AGO), "Acknowledged, opened 2 h ago", "acknowledged", "What to do"),
        (
            alert("pending", opened_at=None),
            "Pending: it opens if the limit stays exceeded",
            "pending",
            "What to do then",
        ),
    ],
)
def test_an_alert_says_how_it_stands(row: Alert, ending: str, mark: str, todo: str) -> None:
    page = AlertPage(row)
    assert words(page.answer()) == f"{ending}."
    assert words(row.state_mark()) == mark
    assert page.todo_headline() == todo


def test_an_alert_says_how_many_mails_were_written() -> None:
    assert [AlertPage(alert(), [Delivery()] * n).told_headline() for n in (0, 1, 2)] == [
        "No notifications",
        "Notifications (1)",
        "Notifications (2)",
    ]


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (HistoryPage(0, True, IDLE), "No past alert matches."),
        (HistoryPage(1, True, BUSY), "1 past alert matches."),
        (HistoryPage(2, True, BUSY), "2 past alerts match."),
        (HistoryPage(0, False, IDLE), "No past alerts yet."),
        (HistoryPage(1, False, IDLE), "1 past alert."),
        (
            HistoryPage(5, False, BUSY),
            "5 past alerts. Mean time to resolve in the last 30 days: 2 h.",
        ),
    ],
)
def test_the_history_says_how_many_alerts_are_over(page: HistoryPage, sentence: str) -> None:
    assert words(page.answer()) == sentence


def silences(in_force: int, planned: int) -> SilencesPage:
    return SilencesPage([(Silence(), 1)] * in_force, [(Silence(), Span(NOON, NOON))] * planned)


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (silences(0, 0), "No active silences. All new alerts are notified."),
        (
            silences(0, 2),
            "No active silences, 2 planned. All new alerts are notified.",
        ),
        (silences(1, 0), "1 active silence. 1 open alert is muted."),
        (silences(2, 1), "2 active silences, 1 planned. 2 open alerts are muted."),
    ],
)
def test_the_silences_page_says_how_many_are_in_force(page: SilencesPage, sentence: str) -> None:
    assert words(page.answer()) == sentence
    assert page.headline() == ("Active silences" if page.in_force else "No active silences")


def test_a_silence_says_when_it_ends_and_what_its_button_does() -> None:
    now, later = Silence(until=NOON), Silence(starts_at=NOW + timedelta(hours=1), until=NOON)
    weekly = Silence(starts_at=NOON, until=NOON + timedelta(hours=1), repeats="weekly", zone="UTC")
    assert words(now.ends()) == "until 18 Jun 2025, 12:00"
    assert words(later.ends()).startswith("from ") and words(later.ends()).endswith("until 18 Jun 2025, 12:00")
    assert words(weekly.ends()) == weekly.rhythm
    labels = ["End now", "Delete", "Delete"]
    assert [silence.end_label() for silence in (now, later, weekly)] == labels


def test_links_of_mails_say_why_they_do_nothing_and_what_they_did() -> None:
    assert [bad_link_answer(why) for why in ("expired", "used", "forged")] == [
        "This link is older than seven days and has expired.",
        "This link was already used. It works only once.",
        "This link is not valid.",
    ]
    ways = ((True, True), (False, True), (False, False))
    assert [subscription_answer("a@b.c", out=out, answered=answered) for out, answered in ways] == [
        "a@b.c no longer receives these mails.",
        "a@b.c receives these mails again.",
        "Stop sending these mails to a@b.c?",
    ]


def rule(**more: Any) -> Rule:
    made = Rule(**({"name": "Outage", "slug": "outage", "kind": "outage", "enabled": True} | more))
    made.shown = 0  # type: ignore[attr-defined]  # as `RuleQuerySet.listed` annotates it
    return made


def rules_page(on: int, broken: int = 0, untold: int = 0, *, made: int = 0, search: str = "") -> RulesPage:
    rows = [*[RuleRow(rule(enabled=False), "", [])] * (3 if search else 19), RuleRow(rule(), "", ["a@b.c"])]
    page = RulesPage(RuleCounts(20, on, broken), rows, made, search)
    return page if not untold else RulesPage(page.counts, [*rows, *[Untold(rule(), "", [])] * untold], made, search)


class Untold(RuleRow):
    """A rule that neither mails anybody nor tells a channel."""

    tells_nobody = True


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (rules_page(1), "1 of 20 rules is on, all with working recipients."),
        (rules_page(19), "19 of 20 rules are on, all with working recipients."),
        (rules_page(19, search="x"), "19 of 20 rules are on, those listed here with working recipients."),
        (rules_page(19, broken=2), "19 of 20 rules are on, 2 cannot be evaluated."),
        (rules_page(19, untold=1), "19 of 20 rules are on, 1 has no working recipient."),
        (rules_page(19, untold=2), "19 of 20 rules are on, 2 have no working recipient."),
    ],
)
def test_the_rules_page_says_how_many_watch(page: RulesPage, sentence: str) -> None:
    assert page.answer() == sentence


def test_headings_of_the_rules_page_follow_its_search() -> None:
    pages = (rules_page(1), rules_page(1, search="x"), rules_page(1, made=1), rules_page(1, made=2))
    assert [page.made_headline() for page in pages] == [
        "No custom rules yet",
        "No custom rule matches",
        "Custom rules (1)",
        "Custom rules (2)",
    ]


def test_a_rule_is_marked_by_whether_it_watches_and_fires() -> None:
    firing = rule()
    firing.shown = 1  # type: ignore[attr-defined]  # as `RuleQuerySet.listed` annotates it
    rows = (rule(enabled=False), rule(last_error="No."), firing, rule())
    assert [words(RuleRow(row, "", []).state_mark()) for row in rows] == ["off", "cannot be evaluated", "Firing", "OK"]
    assert [words(row.state_mark()) for row in rows] == ["off", "cannot be evaluated", "on", "on"]


def test_a_rule_says_whom_it_tells() -> None:
    shipped, made = rule(), rule(kind="figure")
    pages = (
        RulePage(shipped, ["a"], (), True),
        RulePage(shipped, ["a", "b"], (), True),
        RulePage(shipped, (), [Channel()], True),
        RulePage(made, (), [Channel()], True),
        RulePage(shipped, (), (), True),
    )
    assert [page.told_headline() for page in pages] == [
        "Recipients (1)",
        "Recipients (2)",
        "Channels only",
        "No recipients",
        "No recipients",
    ]


def test_headings_of_a_rule_follow_who_may_change_it() -> None:
    pages = [RulePage(row, (), (), may) for row, may in ((None, True), (rule(kind="figure"), True), (rule(), True))]
    assert [page.form_headline() for page in [*pages, RulePage(rule(), (), (), False)]] == [
        "Condition, delay, recipients",
        "Condition, delay, recipients",
        "Condition, delay, recipients",
        "Read-only for your role",
    ]
    new = RulePage(None, (), (), True)
    assert new.title() == "New rule"
    assert new.answer().startswith("A rule notifies people when a figure stays over or under")


def test_a_preview_says_how_often_a_rule_would_have_fired() -> None:
    firings = [Firing(NOW - timedelta(hours=5), NOW - timedelta(hours=4)), Firing(TWO_HOURS_AGO, None)]
    watch = cast(Watch, None)
    past: Series = [(NOON, Decimal(1))]
    pages = [
        Preview(watch, "Spend", NOW, [], []),
        *(Preview(watch, "Spend", NOW, past, firings[:n]) for n in (0, 1, 2)),
    ]
    assert [page.headline() for page in pages] == [
        "No history to test it on",
        "0 alerts in the last 90 days",
        "1 alert in the last 90 days",
        "2 alerts in the last 90 days",
    ]
    assert [lasted for _firing, lasted in pages[3].latest] == ["for 2 h 1 min, and it would be open now", "for 1 h"]


# Channels.


def channel(**more: Any) -> Channel:
    fields: dict[str, Any] = {"pk": 1, "name": "ops room", "slug": "ops", "kind": "webhook", "enabled": True}
    return Channel(**(fields | {"answered_at": TWO_HOURS_AGO, "answer": "200"} | more))


FAILING = channel(failing_since=TWO_HOURS_AGO, failures=1)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "Alerts are sent by e-mail only. No channel is set up."),
        ([FAILING], "The only channel fails: ops room."),
        ([FAILING, channel()], "1 of 2 channels fail, ops room first."),
        ([channel()], "1 of 1 channels is on, without failures."),
        ([channel(), channel(), channel(enabled=False)], "2 of 3 channels are on, without failures."),
    ],
)
def test_the_channels_page_says_which_answer(rows: list[Channel], sentence: str) -> None:
    assert words(ChannelsPage(rows).answer()) == sentence


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            Channel(kind="monitor"),
            "The monitor receives a ping each minute while the rules run.",
        ),
        (Channel(kind="webhook"), "Sends signed JSON to your own program. Each call has its own id."),
        (Channel(kind="apprise"), "Slack, Teams,"),
        (channel(enabled=False), "The channel is off. Its notifications wait."),
        (channel(enabled=False, disabled_reason="410 Gone."), "410 Gone."),
        (FAILING, "1 failure, 2 h ago. Breakeven will retry."),
        (
            channel(failing_since=TWO_HOURS_AGO, failures=3),
            "3 failures in a row, since 2 h ago. Breakeven will retry.",
        ),
        (channel(), "Last response 2 h ago: 200"),
        (channel(answered_at=None), "Not used yet. Send a test."),
    ],
)
def test_a_channel_says_whether_it_answers(row: Channel, sentence: str) -> None:
    assert words(ChannelPage(row, (), True).answer()).startswith(sentence)


def test_headings_of_a_channel_follow_its_kind() -> None:
    rows = (channel(), Channel(kind="webhook"), Channel(kind="monitor"), Channel(kind="apprise"))
    assert [ChannelPage(row, (), True).form_headline() for row in rows] == [
        "Settings",
        "New webhook",
        "New outside monitor",
        "New chat or pager",
    ]
    added = [ChannelPage(Channel(kind="apprise"), (), True, service) for service in WEBHOOKS]
    assert [page.form_headline() for page in added] == ["New Slack channel", "New Teams channel"]
    assert [page.answer().partition(" channel")[0] for page in added] == [
        "Sends alerts to one Slack",
        "Sends alerts to one Teams",
    ]
    assert ChannelPage(channel(), (), False).form_headline() == "Read-only for your role"
    assert ChannelPage(Channel(), (), True).title() == "Add a channel"
    assert ChannelPage(channel(), (), True).rules_headline() == "Used by no rule"
    assert ChannelPage(channel(), [rule()], True).rules_headline() == "Used by these rules"
    notes = [ChannelPage(Channel(kind=kind), (), True).test_note() for kind in ("monitor", "webhook")]
    assert [note.split(",")[0] for note in notes] == [
        "A test sends one ping",
        "A test sends one message that is marked as a test. It saves nothing and shows the response here.",
    ]
    headlines = [Tried(good, "").headline() for good in (True, False)]
    assert headlines == ["Test succeeded", "Test failed"]
    assert [ChannelsPage([channel()] * n).headline() for n in (0, 1)] == [
        "No channels yet",
        "All channels",
    ]


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({}, "Nothing has been sent yet."),
        ({"accepted": 1}, "1 of 1 notification was accepted, 0 will be retried, 0 failed."),
        (
            {"accepted": 2, "folded": 1, "failed": 1, "dead": 1},
            "3 of 5 notifications were accepted, 1 will be retried, 1 failed.",
        ),
    ],
)
def test_the_delivery_log_says_what_arrived(counts: dict[str, int], sentence: str) -> None:
    assert words(DeliveriesPage(counts, (), "", "").answer()) == sentence


def test_refused_addresses_stand_over_the_whole_log_alone() -> None:
    pages = [DeliveriesPage({}, [Address()], state, to) for state, to in (("", ""), ("dead", ""), ("", "a@b.c"))]
    assert [page.shows_refused for page in pages] == [True, False, False]
    assert [page.headline() for page in pages] == ["Newest first", "Newest first", "To a@b.c, newest first"]


@pytest.mark.parametrize(
    ("row", "mark", "log_mark"),
    [
        (Delivery(state="accepted"), "accepted", "accepted"),
        (Delivery(state="dead"), "failed", "failed"),
        (
            Delivery(state="folded", deferred_by="quiet"),
            "included in another mail",
            "included in another mail",
        ),
        (Delivery(state="failed", due_at=TWO_HOURS_AGO), "will be retried", "will be retried2 h ago"),
        (
            Delivery(state="waiting", deferred_by="quiet", due_at=NOON),
            "being sent",
            "quiet hourssends 18 Jun 2025, 12:00",
        ),
        (Delivery(state="waiting"), "being sent", "being sent"),
    ],
)
def test_a_message_is_marked_by_whether_it_arrived(row: Delivery, mark: str, log_mark: str) -> None:
    assert words(row.state_mark()) == mark
    assert words(row.log_mark()) == log_mark


def test_a_message_says_how_often_it_was_tried() -> None:
    assert words(Delivery(attempts=1, state="accepted").attempts_note()) == "1 attempt"
    row = Delivery(attempts=2, answer="450 <later>", state="failed", due_at=TWO_HOURS_AGO)
    assert words(row.attempts_note()) == "2 attempts · 450 <later> · retry 2 h ago"


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (
            PreferencesPage("", Preference(), 0),
            "You have no e-mail address, so you receive no notifications. An admin can add one.",
        ),
        (
            PreferencesPage("a@b.c", Preference(), 1),
            "Notifications go to a@b.c at any hour. 1 notification is waiting.",
        ),
        (
            PreferencesPage("a@b.c", Preference(quiet_from=time(22), quiet_until=time(7, 30), timezone="UTC"), 2),
            "Between 22:00 and 07:30 (UTC) a@b.c receives only critical alerts. 2 notifications are waiting.",
        ),
    ],
)
def test_a_person_is_told_when_they_are_reached(page: PreferencesPage, sentence: str) -> None:
    assert words(page.answer()) == sentence


def mail(subject: str) -> Mail:
    return Mail(name="1", at=NOON, sender="", to="", subject=subject, text="", html="", headers=[])


def test_the_demos_mailbox_says_what_has_arrived() -> None:
    assert [words(MailboxPage([mail("Up")] * n).answer()) for n in (0, 1, 2)] == [
        "The demo mailbox is empty.",
        "1 mail: Up.",
        "2 mails, the newest: Up.",
    ]
    assert words(mail_answer(mail("Up"))) == "Subject: Up"
    assert mail_answer(mail("")) == "This mail has no subject."
    assert MailboxPage([]).headline() == "No mails"


def test_a_mail_that_lists_messages_says_what_is_open_and_why_it_waited() -> None:
    assert [todo_of(n) for n in (0, 1, 2)] == [
        "All of them are resolved. No action is needed.",
        "1 of them is still open. Start with it",
        "2 of them are still open. Start with those",
    ]
    assert why_of("digest") == "You chose a digest for alerts that are not urgent."
    assert why_of("quiet") == "Your quiet hours delayed these. Critical alerts are sent at once."
