"""What the pages of alerts, rules, channels and messages say in words, each branch, from plain objects."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from django.utils import timezone

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
        (inbox(late=True), "The rules last ran 2 h ago, so what needs someone now is unknown."),
        (inbox(late=True, evaluated_at=None), "No rule has run yet, so what needs someone now is unknown."),
        (inbox(open=[alert()]), "One alert needs someone: mistral is down."),
        (inbox(open=[alert(), alert()]), "2 alerts need someone; first of all mistral is down."),
        (inbox(assigned=[alert()]), "Nothing new needs anyone; someone has the one open alert."),
        (
            inbox(assigned=[alert()], acknowledged=[alert()]),
            "Nothing new needs anyone; someone has each of the 2 open alerts.",
        ),
        (inbox(snoozed=[alert()]), "Nothing needs anyone now; the one open alert is put off."),
        (inbox(snoozed=[alert(), alert()]), "Nothing needs anyone now; all 2 open alerts are put off."),
        (inbox(), "Nothing needs anyone now: no rule is broken."),
    ],
)
def test_the_inbox_says_what_needs_someone(page: InboxPage, sentence: str) -> None:
    assert words(page.answer()) == sentence


def test_headings_of_the_inbox_follow_its_lists() -> None:
    assert [inbox(open=[alert()] * n).open_headline() for n in (0, 1, 2)] == [
        "None is open without somebody on it",
        "One is open and nobody has it",
        "2 are open and nobody has them",
    ]
    assert inbox().pace_headline() == "No alert has ended in 30 days"
    assert inbox(pace=BUSY).pace_headline() == "An alert is over after 2 h, on average"
    assert [inbox(noisy=[Noise(Rule(), 20, 0)] * n).noise_headline() for n in (0, 1, 2)] == [
        "No rule cries wolf",
        "One rule cries wolf",
        "2 rules cry wolf",
    ]
    assert [inbox(silences=[Silence()] * n).silences_headline() for n in (0, 1, 2)] == [
        "No silence is in force",
        "One silence is in force",
        "2 silences are in force",
    ]


@pytest.mark.parametrize(
    ("row", "ending", "mark", "todo"),
    [
        (
            alert("resolved", resolved_at=NOON + timedelta(hours=3)),
            "over after 3 h",
            "resolved",
            "What was to do",
        ),
        (alert("resolved", opened_at=None), "over before it opened", "resolved", "What was to do"),
        (alert(), "nobody has taken it on yet", "open, critical", "What to do"),
        (alert(severity="warning"), "nobody has taken it on yet", "open, warning", "What to do"),
        (alert(severity="info"), "nobody has taken it on yet", "open, information", "What to do"),
        (alert("acknowledged"), "somebody has taken it on", "acknowledged", "What to do"),
        (alert("pending", opened_at=None), "it opens if this lasts", "pending", "What was to do"),
    ],
)
def test_an_alert_says_how_it_stands(row: Alert, ending: str, mark: str, todo: str) -> None:
    page = AlertPage(row)
    assert words(page.answer()) == f"mistral is down; {ending}."
    assert words(row.state_mark()) == mark
    assert page.todo_headline() == todo


def test_an_alert_says_how_many_mails_were_written() -> None:
    assert [AlertPage(alert(), [Delivery()] * n).told_headline() for n in (0, 1, 2)] == [
        "Nobody was told",
        "One mail was written",
        "2 mails were written",
    ]


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (HistoryPage(0, True, IDLE), "No past alert is like that."),
        (HistoryPage(1, True, BUSY), "One alert that is over is like that."),
        (HistoryPage(2, True, BUSY), "2 alerts that are over are like that."),
        (HistoryPage(0, False, IDLE), "No alert has come and gone here yet."),
        (HistoryPage(1, False, IDLE), "One alert has come and gone so far."),
        (
            HistoryPage(5, False, BUSY),
            "5 alerts have come and gone so far. In the last 30 days they lasted 2 h on average.",
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
        (silences(0, 0), "No silence is in force: mail goes out about everything that opens."),
        (
            silences(0, 2),
            "No silence is in force: mail goes out about everything that opens; 2 more are planned.",
        ),
        (silences(1, 0), "One silence is in force."),
        (silences(2, 1), "2 silences are in force; 1 more is planned."),
    ],
)
def test_the_silences_page_says_how_many_are_in_force(page: SilencesPage, sentence: str) -> None:
    assert words(page.answer()) == sentence
    assert page.headline() == ("In force now" if page.in_force else "None is in force")


def test_a_silence_says_when_it_ends_and_what_its_button_does() -> None:
    now, later = Silence(until=NOON), Silence(starts_at=NOW + timedelta(hours=1), until=NOON)
    weekly = Silence(starts_at=NOON, until=NOON + timedelta(hours=1), repeats="weekly", zone="UTC")
    assert words(now.ends()) == "until 18 Jun 2025, 12:00"
    assert words(later.ends()).startswith("from ") and words(later.ends()).endswith("until 18 Jun 2025, 12:00")
    assert words(weekly.ends()) == weekly.rhythm
    labels = ["End it now", "Take it back", "End it for good"]
    assert [silence.end_label() for silence in (now, later, weekly)] == labels


def test_links_of_mails_say_why_they_do_nothing_and_what_they_did() -> None:
    assert [bad_link_answer(why) for why in ("expired", "used", "forged")] == [
        "This link of a mail is older than seven days and no longer works.",
        "This link of a mail was used before and works only once.",
        "This link is not one that we sent.",
    ]
    ways = ((True, True), (False, True), (False, False))
    assert [subscription_answer("a@b.c", out=out, answered=answered) for out, answered in ways] == [
        "a@b.c gets no more mail of this kind.",
        "a@b.c gets mail of this kind again.",
        "Shall a@b.c get no more mail of this kind?",
    ]


def rule(**more: Any) -> Rule:
    made = Rule(**({"name": "Outage", "slug": "outage", "kind": "outage", "enabled": True} | more))
    made.shown = 0  # type: ignore[attr-defined]  # as `RuleQuerySet.listed` annotates it
    return made


def rules_page(on: int, broken: int = 0, untold: int = 0, *, made: int = 0, search: str = "") -> RulesPage:
    rows = [RuleRow(rule(enabled=False), "", []), RuleRow(rule(), "", ["a@b.c"])]
    page = RulesPage(RuleCounts(20, on, broken), rows, made, search)
    return page if not untold else RulesPage(page.counts, [*rows, *[Untold(rule(), "", [])] * untold], made, search)


class Untold(RuleRow):
    """A rule that neither mails anybody nor tells a channel."""

    tells_nobody = True


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (rules_page(1), "1 of 20 rules is on, and each reaches somebody."),
        (rules_page(19), "19 of 20 rules are on, and each reaches somebody."),
        (rules_page(19, broken=2), "19 of 20 rules are on; 2 cannot be evaluated."),
        (rules_page(19, untold=1), "19 of 20 rules are on; 1 reaches nobody."),
        (rules_page(19, untold=2), "19 of 20 rules are on; 2 reach nobody."),
    ],
)
def test_the_rules_page_says_how_many_watch(page: RulesPage, sentence: str) -> None:
    assert page.answer() == sentence


def test_headings_of_the_rules_page_follow_its_search() -> None:
    pages = (rules_page(1), rules_page(1, search="x"), rules_page(1, made=1), rules_page(1, made=2))
    assert [page.made_headline() for page in pages] == [
        "No rule of our own yet",
        "No rule of our own holds this word",
        "One rule of our own",
        "2 rules of our own",
    ]


def test_a_rule_is_marked_by_whether_it_watches_and_fires() -> None:
    firing = rule()
    firing.shown = 1  # type: ignore[attr-defined]  # as `RuleQuerySet.listed` annotates it
    rows = (rule(enabled=False), rule(last_error="No."), firing, rule())
    assert [words(RuleRow(row, "", []).state_mark()) for row in rows] == ["off", "broken", "fires", "quiet"]
    assert [words(row.state_mark()) for row in rows] == ["off", "broken", "on", "on"]


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
        "It tells one person",
        "It tells 2 people",
        "It tells channels alone",
        "It tells nobody",
        "It tells nobody",
    ]


def test_headings_of_a_rule_follow_who_may_change_it() -> None:
    pages = [RulePage(row, (), (), may) for row, may in ((None, True), (rule(kind="figure"), True), (rule(), True))]
    assert [page.form_headline() for page in [*pages, RulePage(rule(), (), (), False)]] == [
        "Say it in one sentence",
        "Say it in one sentence",
        "Its line, its patience, its people",
        "Only ops may change it",
    ]
    new = RulePage(None, (), (), True)
    assert (new.title(), new.question()) == ("New rule", "What should somebody be told about?")
    assert new.answer().startswith("A new rule is one sentence: when a figure is over or under a line")
    assert RulePage(rule(), (), (), True).question() == "What does the rule “Outage” watch?"


def test_a_preview_says_how_often_a_rule_would_have_fired() -> None:
    firings = [Firing(NOW - timedelta(hours=5), NOW - timedelta(hours=4)), Firing(TWO_HOURS_AGO, None)]
    watch = cast(Watch, None)
    past: Series = [(NOON, Decimal(1))]
    pages = [
        Preview(watch, "Spend", NOW, [], []),
        *(Preview(watch, "Spend", NOW, past, firings[:n]) for n in (0, 1, 2)),
    ]
    assert [page.headline() for page in pages] == [
        "There is no past to try it on",
        "The last 90 days would have fired it 0 times",
        "The last 90 days would have fired it once",
        "The last 90 days would have fired it 2 times",
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
        ([], "Alerts go by e-mail alone: no channel is set up."),
        ([FAILING], "The one channel does not answer as it should: ops room."),
        ([FAILING, channel()], "1 of 2 channels do not answer as they should; first ops room."),
        ([channel()], "1 of 1 channels is on, and nothing has failed there."),
        ([channel(), channel(), channel(enabled=False)], "2 of 3 channels are on, and nothing has failed there."),
    ],
)
def test_the_channels_page_says_which_answer(rows: list[Channel], sentence: str) -> None:
    assert words(ChannelsPage(rows).answer()) == sentence


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            Channel(kind="monitor"),
            "It hears from us each minute while the rules run, and speaks",
        ),
        (Channel(kind="webhook"), "To a program of yours, as signed JSON, each with an id of its own."),
        (Channel(kind="apprise"), "To a chat room or a pager, through apprise: Slack,"),
        (channel(enabled=False), "It is switched off and told nothing; what is meant for it waits."),
        (channel(enabled=False, disabled_reason="410 Gone."), "410 Gone."),
        (FAILING, "It has failed once, 2 h ago; it is tried again."),
        (
            channel(failing_since=TWO_HOURS_AGO, failures=3),
            "It has failed 3 times in a row, since 2 h ago; it is tried again.",
        ),
        (channel(), "It last answered 2 h ago: 200"),
        (channel(answered_at=None), "It has not been told anything yet; send it a test."),
    ],
)
def test_a_channel_says_whether_it_answers(row: Channel, sentence: str) -> None:
    assert words(ChannelPage(row, (), True).answer()).startswith(sentence)


def test_headings_of_a_channel_follow_its_kind() -> None:
    rows = (channel(), Channel(kind="webhook"), Channel(kind="monitor"), Channel(kind="apprise"))
    assert [ChannelPage(row, (), True).form_headline() for row in rows] == [
        "Where it is, and what signs",
        "A new webhook",
        "A new outside monitor",
        "A new chat or pager",
    ]
    assert ChannelPage(channel(), (), False).form_headline() == "Only ops may change it"
    assert ChannelPage(channel(), (), True).question() == "Does “ops room” hear from us?"
    assert ChannelPage(Channel(), (), True).title() == "Add a channel"
    assert ChannelPage(channel(), (), True).rules_headline() == "No rule tells it yet"
    assert ChannelPage(channel(), [rule()], True).rules_headline() == "Told by these rules"
    notes = [ChannelPage(Channel(kind=kind), (), True).test_note() for kind in ("monitor", "webhook")]
    assert [note.split(",")[0] for note in notes] == [
        "A test asks for the address once",
        "A test sends one message that says so",
    ]
    headlines = [Tried(good, "").headline() for good in (True, False)]
    assert headlines == ["It took the test", "It did not take the test"]
    assert [ChannelsPage([channel()] * n).headline() for n in (0, 1)] == [
        "Nothing besides people’s mailboxes yet",
        "Besides people’s mailboxes",
    ]


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({}, "Nothing has been sent yet."),
        ({"accepted": 1}, "1 of 1 message was accepted; 0 are tried again, 0 were given up."),
        (
            {"accepted": 2, "folded": 1, "failed": 1, "dead": 1},
            "3 of 5 messages were accepted; 1 is tried again, 1 was given up.",
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
        (Delivery(state="dead"), "given up", "given up"),
        (Delivery(state="folded", deferred_by="quiet"), "in another mail", "in another mail"),
        (Delivery(state="failed", due_at=TWO_HOURS_AGO), "tried again", "tried again2 h ago"),
        (
            Delivery(state="waiting", deferred_by="quiet", due_at=NOON),
            "on its way",
            "quiet hoursleaves 18 Jun 2025, 12:00",
        ),
        (Delivery(state="waiting"), "on its way", "on its way"),
    ],
)
def test_a_message_is_marked_by_whether_it_arrived(row: Delivery, mark: str, log_mark: str) -> None:
    assert words(row.state_mark()) == mark
    assert words(row.log_mark()) == log_mark


def test_a_message_says_how_often_it_was_tried() -> None:
    assert words(Delivery(attempts=1, state="accepted").attempts_note()) == "1 attempt"
    row = Delivery(attempts=2, answer="450 <later>", state="failed", due_at=TWO_HOURS_AGO)
    assert words(row.attempts_note()) == "2 attempts · 450 <later> · again 2 h ago"


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (
            PreferencesPage("", Preference(), 0),
            "You have no e-mail address, so nothing can be sent to you; an admin can add one.",
        ),
        (PreferencesPage("a@b.c", Preference(), 1), "At any hour, at a@b.c. 1 message waits for you."),
        (
            PreferencesPage("a@b.c", Preference(quiet_from=time(22), quiet_until=time(7, 30), timezone="UTC"), 2),
            "Between 22:00 and 07:30 (UTC) only what is critical reaches you at a@b.c. 2 messages wait for you.",
        ),
    ],
)
def test_a_person_is_told_when_they_are_reached(page: PreferencesPage, sentence: str) -> None:
    assert words(page.answer()) == sentence


def mail(subject: str) -> Mail:
    return Mail(name="1", at=NOON, sender="", to="", subject=subject, text="", html="", headers=[])


def test_the_demos_mailbox_says_what_has_arrived() -> None:
    assert [words(MailboxPage([mail("Up")] * n).answer()) for n in (0, 1, 2)] == [
        "No mail has arrived in the demo's mailbox yet.",
        "One mail has arrived in the demo's mailbox: Up.",
        "2 mails have arrived in the demo's mailbox; the newest: Up.",
    ]
    assert words(mail_answer(mail("Up"))) == "The demo’s mailbox holds this mail: Up"
    assert mail_answer(mail("")) == "A mail without a subject has arrived."
    assert MailboxPage([]).headline() == "Nothing has arrived"


def test_a_mail_that_lists_messages_says_what_is_open_and_why_it_waited() -> None:
    assert [todo_of(n) for n in (0, 1, 2)] == [
        "All of it is over; there is nothing to do.",
        "One of them is still open; look at it first",
        "2 of them are still open; look at those first",
    ]
    assert why_of("digest") == "You asked for a digest of what is not urgent."
    assert why_of("quiet") == "Your quiet hours held these back; what is critical comes at once."
