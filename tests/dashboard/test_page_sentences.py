"""What the pages of people, storage and the audit log say in each case, on plain values."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from dashboard.audit.page import ACTS, ALL, COUNTED, REFUSED, AuditFilter, empty_words, headline, log_heading
from dashboard.people.page import lost_headline, people_headline, person_headline
from dashboard.storage.queries import Kind, Storage
from lib.disk import Disk
from providers.models import Action, AuditEntry

pytestmark = pytest.mark.usefixtures("stopped_clock")

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)


def plain(html: str) -> str:
    """As it is read, without tags and with plain spaces."""
    return re.sub(r"<[^>]+>", "", html).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("by_role", "sentence"),
    [
        ({"admin": 1}, "One person can sign in: 1 admin."),
        ({"staff": 2, "admin": 1, "": 1}, "4 people can sign in: 2 staff, 1 admin, 1 without a role."),
        ({"": 1}, "One person can sign in, 1 without a role."),
    ],
)
def test_people_are_counted_by_role(by_role: dict[str, int], sentence: str) -> None:
    assert plain(people_headline(by_role)) == sentence


def test_a_person_may_sign_in_or_is_locked_out() -> None:
    assert plain(person_headline(User(username="olga"))) == "olga is active and has never signed in."
    seen = User(username="olga", last_login=NOW - timedelta(minutes=3))
    assert plain(person_headline(seen)) == "olga is active and last signed in 3 min ago."
    assert plain(person_headline(User(username="olga", is_active=False))) == "olga is deactivated and cannot sign in."


def test_what_a_role_would_lose_is_counted() -> None:
    ops = Group(name="ops")
    single = plain(lost_headline(ops, 1, 1, nothing_left=False))
    assert single == "ops would lose 1 right. 1 person has this role."
    assert plain(lost_headline(ops, 2, 3, nothing_left=False)) == "ops would lose 3 rights. 2 people have this role."
    assert plain(lost_headline(ops, 2, 3, nothing_left=True)).startswith("ops would lose every right")


MB = 1024 * 1024


def test_the_size_of_the_database_says_how_long_the_disk_will_do() -> None:
    bare = Storage(NOW, [Kind("requests", 3 * MB), Kind("other", MB)], [], 0, None, None)
    assert plain(bare.headline()) == "The database holds 4.0 MB."
    assert plain(bare.short_sentence()) == "The database holds 4.0 MB (Requests 3.0 MB, Everything else 1.0 MB)."
    grows = replace(bare, growth=MB, disk=Disk(100 * MB, 0, 30 * MB, 20 * MB))
    assert plain(grows.headline()) == (
        "The database holds 4.0 MB and grows by 1.0 MB a day, 30.0 MB of the disk are free, "
        "enough for 10 days if nothing were dropped."
    )
    assert plain(grows.short_sentence()).endswith(", 1.0 MB more each day, and 30.0 MB of the disk are free.")
    last_day = replace(grows, disk=Disk(100 * MB, 0, 21 * MB, 20 * MB))
    assert plain(last_day.headline()).endswith("enough for 1 day if nothing were dropped.")
    low = replace(grows, disk=Disk(100 * MB, 0, 10 * MB, 20 * MB))
    assert plain(low.headline()).endswith(", 10.0 MB of the disk are free: too little, so nothing is taken in.")


def entry(**more: Any) -> AuditEntry:
    return AuditEntry(action=Action.ADDED, at=NOW - timedelta(minutes=3), **{"actor": "olga"} | more)


ACTS_ONLY, REFUSED_ONLY = AuditFilter(show=ACTS), AuditFilter(show=REFUSED)


@pytest.mark.parametrize(
    ("chosen", "newest", "total", "sentence"),
    [
        (ACTS_ONLY, entry(), 1, "Last action: olga added, 3 min ago. 1 entry."),
        (
            REFUSED_ONLY,
            entry(actor=""),
            30,
            "Last refusal: An unknown caller added, 3 min ago. 30 entries.",
        ),
        (
            ACTS_ONLY,
            entry(),
            COUNTED + 1,
            "Last action: olga added, 3 min ago. More than 1,000 entries.",
        ),
        (ACTS_ONLY, None, 1, "1 entry here."),
        (ACTS_ONLY, None, 30, "30 entries here."),
        (ACTS_ONLY, None, COUNTED + 1, "More than 1,000 entries."),
        (AuditFilter(by="olga"), None, 0, "No entries match these filters."),
        (REFUSED_ONLY, None, 0, "There are no refusals yet."),
        (ACTS_ONLY, None, 0, "There are no entries yet."),
    ],
)
def test_the_audit_log_begins_with_its_newest_entry(
    chosen: AuditFilter, newest: AuditEntry | None, total: int, sentence: str
) -> None:
    assert plain(headline(chosen, newest, total)) == sentence


def test_the_audit_log_names_what_it_shows_and_what_would_stand_there() -> None:
    headings = [log_heading(AuditFilter(show=show)) for show in (ACTS, REFUSED, ALL)]
    assert headings == [
        "Actions, newest first",
        "Refusals, newest first",
        "All entries, newest first",
    ]
    assert empty_words(AuditFilter(by="olga"))[0] == "No entries match"
    assert empty_words(REFUSED_ONLY)[1].startswith("This log lists refused") and empty_words(ACTS_ONLY)[1].startswith(
        "This log lists sign-ins"
    )
