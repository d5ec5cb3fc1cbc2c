"""Batch jobs that ping: what a ping means, what silence means, and the pages to set it up."""

from __future__ import annotations

import io
import subprocess
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from lib.forms import LengthField, length
from providers.audit.log import AuditEntry
from providers.heartbeats import services as heartbeats
from providers.heartbeats.ping_views import MOST_BYTES
from providers.heartbeats.ping_views import ping as ping_view
from providers.heartbeats.report import beat_now, uptime_of
from providers.heartbeats.services import MESSAGE_KEPT, BadCron, due_after, next_run, pause, ping, resume
from providers.models import Heartbeat, HeartbeatPing, HeartbeatSpan, Signal
from providers.uptime import retention
from tests.providers.people import in_role, text

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def job(**more: Any) -> Heartbeat:
    given: dict[str, Any] = {"slug": "nightly", "name": "Nightly import", "period_s": 3600, "grace_s": 600}
    return Heartbeat.objects.create(**given | more)


def sent(beat: Heartbeat, signal: Signal, at: datetime, message: str = "") -> Heartbeat:
    assert ping(ping_id=beat.ping_id, signal=signal, now=at, message=message)
    beat.refresh_from_db()
    return beat


# When the next ping is due. Pure.


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        ("30 2 * * *", "UTC", NOON, datetime(2026, 11, 11, 2, 30, tzinfo=UTC)),
        ("*/15 * * * *", "UTC", NOON + MINUTE, NOON + 15 * MINUTE),
        ("0 6 * * 7", "UTC", NOON, datetime(2026, 11, 15, 6, tzinfo=UTC)),
        ("0 6 * * 0", "UTC", NOON, datetime(2026, 11, 15, 6, tzinfo=UTC)),
        # Half past seven in Rome is an hour earlier in UTC in summer.
        ("30 7 * * *", "Europe/Rome", datetime(2026, 6, 1, 12, tzinfo=UTC), datetime(2026, 6, 2, 5, 30, tzinfo=UTC)),
        ("30 7 * * *", "Europe/Rome", NOON, datetime(2026, 11, 11, 6, 30, tzinfo=UTC)),
    ],
)
def test_a_cron_schedule_tells_its_next_run_in_its_own_zone(
    cron: str, zone: str, after: datetime, expected: datetime
) -> None:
    assert next_run(cron, zone, after) == expected
    assert ZoneInfo(zone)


@pytest.mark.parametrize("cron", ["", "x * * * *", "61 * * * *", "0 0 30 2 *", "@daily", "0 0 */0 * *", "1 2 3"])
def test_a_schedule_that_cannot_be_read_or_never_comes_is_a_sentence(cron: str) -> None:
    with pytest.raises(BadCron, match=r"\w"):
        next_run(cron, "UTC", NOON)


def test_lengths_are_read_as_they_are_written() -> None:
    assert [LengthField().clean(text) for text in ("45 s", "30min", "1 d 6 h", "2 W")] == [45, 1800, 108_000, 1_209_600]
    assert all(LengthField().clean(length(n)) == n for n in (1, 61, 3600, 90_061))


# What pings and silence mean.


@pytest.mark.django_db
def test_a_silence_past_its_grace_is_an_outage_until_the_next_good_ping() -> None:
    beat = sent(job(), Signal.SUCCESS, NOON)
    due = NOON + HOUR + 10 * MINUTE
    assert (beat.state, beat.due_at) == ("up", due)
    assert heartbeats.judge(now=due - MINUTE) == 0
    assert heartbeats.judge(now=due + MINUTE) == 1
    assert heartbeats.judge(now=due + 2 * MINUTE) == 0
    beat = sent(beat, Signal.SUCCESS, due + HOUR)
    assert beat.state == "up"
    [span] = beat.spans.all()
    assert (span.kind, span.started_at, span.ended_at) == ("down", due, due + HOUR)


@pytest.mark.django_db
def test_a_new_heartbeat_is_not_waited_for_until_its_first_ping() -> None:
    beat = job()
    assert heartbeats.judge(now=NOON + 400 * DAY) == 0
    assert beat_now(beat, NOON).state == "unknown"


@pytest.mark.django_db
def test_a_job_that_says_that_it_failed_is_down_at_once_and_once() -> None:
    beat = sent(job(), Signal.FAIL, NOON, "disk full")
    beat = sent(beat, Signal.FAIL, NOON + MINUTE)
    assert beat.state == "down"
    assert beat.spans.count() == 1
    assert beat.pings.last().message == "disk full"  # type: ignore[union-attr]  # two pings were sent


@pytest.mark.django_db
def test_a_run_that_started_must_end_within_its_grace_and_its_length_is_kept() -> None:
    beat = sent(job(), Signal.SUCCESS, NOON)
    beat = sent(beat, Signal.START, NOON + 30 * MINUTE)
    assert beat.due_at == NOON + 40 * MINUTE
    assert beat_now(beat, NOON + 31 * MINUTE).word == "running"
    heartbeats.judge(now=NOON + 41 * MINUTE)
    assert "sent no finish ping within its grace period" in HeartbeatSpan.objects.get().cause
    beat = sent(beat, Signal.SUCCESS, NOON + 50 * MINUTE)
    assert (beat.state, beat.last_run_s, beat.running_since) == ("up", 1200.0, None)


@pytest.mark.django_db
def test_paused_it_logs_pings_and_nobody_waits_resumed_it_is_expected_from_then() -> None:
    beat = sent(job(), Signal.SUCCESS, NOON)
    pause(heartbeat=beat, now=NOON + MINUTE)
    assert heartbeats.judge(now=NOON + DAY) == 0
    beat = sent(beat, Signal.FAIL, NOON + 2 * HOUR)
    assert (beat.state, beat.paused, beat.pings.count()) == ("new", True, 2)
    resume(heartbeat=beat, now=NOON + DAY)
    beat.refresh_from_db()
    assert beat.due_at == NOON + DAY + HOUR + 10 * MINUTE
    assert heartbeats.judge(now=NOON + 2 * DAY) == 1
    beat.refresh_from_db()
    days = [(NOON + n * DAY).date() for n in range(3)]
    told = uptime_of(beat, list(beat.spans.all()), days, NOON + 2 * DAY)
    # A minute before the pause and all after it were watched; the silence since the resumption is counted.
    assert sum(day.observed_s for day in told.days) == (MINUTE + DAY).total_seconds()
    assert sum(day.down_s for day in told.days) == (DAY - HOUR - 10 * MINUTE).total_seconds()


@pytest.mark.django_db
def test_a_wider_schedule_forgives_a_silence_but_no_failure() -> None:
    beat = sent(job(), Signal.SUCCESS, NOON)
    heartbeats.judge(now=NOON + 2 * HOUR)
    beat.refresh_from_db()
    beat.period_s = 86_400
    heartbeats.save_heartbeat(heartbeat=beat, now=NOON + 3 * HOUR)
    assert (beat.state, beat.due_at) == ("up", due_after(beat, NOON))
    beat = sent(beat, Signal.FAIL, NOON + 4 * HOUR)
    beat.period_s = 172_800
    heartbeats.save_heartbeat(heartbeat=beat, now=NOON + 5 * HOUR)
    assert beat.state == "down"


@pytest.mark.django_db
def test_only_the_newest_pings_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "PINGS_KEPT", 3)
    beat = job()
    for n in range(5):
        sent(beat, Signal.SUCCESS, NOON + n * MINUTE)
    assert [one.at for one in beat.pings.all()] == [NOON + n * MINUTE for n in (4, 3, 2)]


# The address.


@pytest.mark.django_db
def test_the_address_takes_every_method_every_signal_and_no_login() -> None:
    beat = job()
    url = f"/ping/{beat.ping_id}"
    stranger = Client(enforce_csrf_checks=True)
    answers = [
        stranger.head(url),
        stranger.get(f"{url}/start"),
        stranger.post(f"{url}/fail", b"x\0\xff" + b"y" * 100_000, content_type="text/plain"),
        stranger.get(f"{url}/0"),
        stranger.get(f"{url}/137"),
    ]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert "no-store" in answers[0]["Cache-Control"]
    log = [(one.signal, one.method) for one in HeartbeatPing.objects.order_by("pk")]
    assert log == [("success", "HEAD"), ("start", "GET"), ("fail", "POST"), ("success", "GET"), ("fail", "GET")]
    assert len(HeartbeatPing.objects.get(method="POST").message) == 1000


@pytest.mark.django_db
def test_a_body_of_any_length_is_read_as_far_as_it_is_kept() -> None:
    beat, read = job(), list[int]()

    class Body(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            part = super().read(size)
            read.append(len(part))
            return part

    ask = RequestFactory().post(f"/ping/{beat.ping_id}")
    ask._stream = Body(b"y" * (33 * 1024 * 1024))  # as a server hands it over
    assert ping_view(ask, beat.ping_id).status_code == 200
    assert len(beat.pings.get().message) == MESSAGE_KEPT
    assert sum(read) == MOST_BYTES


@pytest.mark.django_db
@pytest.mark.parametrize("end", [f"{uuid.UUID(int=1)}", "nonsense", "{id}/maybe", "{id}/9999"])
def test_an_address_that_nobody_has_or_a_signal_that_does_not_exist_is_not_found(end: str) -> None:
    beat = job()
    assert Client().get(f"/ping/{end.format(id=beat.ping_id)}").status_code == 404
    assert not HeartbeatPing.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_line_of_curl_on_the_page_runs_as_written(live_server: Any, settings: Any) -> None:
    settings.BASE_URL = live_server.url
    beat = job()
    page = text(in_role("admin"), reverse("providers:heartbeat", args=[beat.slug]))
    line = page.split('<code id="curl">')[1].split("</code>")[0]
    assert line.startswith("curl ")
    subprocess.run(line, shell=True, check=True, timeout=120)  # noqa: S602  # the line is ours, and is what people paste
    beat.refresh_from_db()
    assert (beat.state, beat.pings.get().method) == ("up", "GET")


# The pages.


@pytest.mark.django_db
def test_a_batch_job_is_added_edited_deleted_and_brought_back_with_its_address() -> None:
    admin = in_role("admin")
    form = {"name": "Nightly import", "schedule": "period", "period_s": "1 d", "grace_s": "30 min", "time_zone": ""}
    admin.post(reverse("providers:heartbeat-add"), form)
    beat = Heartbeat.objects.get()
    assert (beat.slug, beat.period_s, beat.grace_s, beat.time_zone) == ("nightly-import", 86_400, 1800, "UTC")
    url = reverse("providers:heartbeat", args=[beat.slug])
    assert "value=&quot;1 d&quot;" not in text(admin, url)
    assert 'value="1 d"' in text(admin, url)
    admin.post(url, form | {"schedule": "cron", "cron": "30 2 * * 1-5", "time_zone": "Europe/Rome"})
    beat.refresh_from_db()
    assert (beat.schedule, beat.cron) == ("cron", "30 2 * * 1-5")
    admin.post(reverse("providers:heartbeat-delete", args=[beat.slug]))
    assert Client().get(f"/ping/{beat.ping_id}").status_code == 404
    assert "nightly-import" not in text(admin, reverse("providers:heartbeats")).split("<main")[1].split("toast")[0]
    admin.post(reverse("providers:heartbeat-undo", args=[beat.pk]))
    assert Client().get(f"/ping/{beat.ping_id}").status_code == 200
    said = list(AuditEntry.objects.order_by("pk").values_list("message", flat=True))
    assert said[-2:] == ["Deleted.", "Restored."]
    assert len(said) == 4


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"schedule": "cron", "cron": "61 * * * *"}, "is invalid or never runs"),
        ({"period_s": "soon"}, "Write a duration"),
        ({"period_s": "1 s"}, "From 30 s to"),
        ({"grace_s": ""}, "required"),
        ({"time_zone": "Rome"}, "no time zone"),
        ({"slug": "nightly"}, "taken"),
    ],
)
def test_a_form_that_is_wrong_says_why_and_saves_nothing(wrong: dict[str, str], told: str) -> None:
    job()
    form = {"name": "Weekly", "schedule": "period", "period_s": "7 d", "grace_s": "1 h"}
    answer = in_role("admin").post(reverse("providers:heartbeat-add"), form | wrong)
    assert answer.status_code == 422
    assert told in answer.content.decode()
    assert Heartbeat.objects.count() == 1


@pytest.mark.django_db
def test_who_may_only_look_does_not_see_the_address_to_ping() -> None:
    beat = sent(job(), Signal.SUCCESS, timezone.now())
    page = text(in_role("manager"), reverse("providers:heartbeat", args=[beat.slug]))
    assert str(beat.ping_id) not in page
    assert "Last ping" in page


@pytest.mark.django_db
def test_what_was_deleted_is_forgotten_after_a_day() -> None:
    beat = job(deleted_at=NOON)
    assert retention.purge_deleted(NOON + DAY - MINUTE) == 0
    assert retention.purge_deleted(NOON + DAY + MINUTE) == 1
    assert not Heartbeat.objects.filter(pk=beat.pk).exists()
