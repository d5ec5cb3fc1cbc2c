"""Deleting an application's or a user's data: a marker is put everywhere, and then looked for in every table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest
import redis
from django.core.management import call_command
from django.utils import timezone

from lib.partitions import existing_days
from providers.audit.log import AuditEntry
from tests.factories import DeploymentFactory, TrialFactory
from tests.traffic.people import application, logged_in, person, text
from traffic.authentication.keys import callers, create_key
from traffic.caps.services import set_cap
from traffic.comparisons import services as comparisons
from traffic.comparisons.rater import Rater
from traffic.gateway.answer_cache import keys_of
from traffic.ingest.context import clear_cache
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow, Tokens
from traffic.ingest.store import ingest
from traffic.models import (
    AnswerSet,
    Application,
    CapUse,
    Erasure,
    FeedbackLink,
    Import,
    Key,
    Pair,
    PairAssignment,
    PairChoice,
    QueueEntry,
    Rating,
    RatingQueue,
    Request,
    RequestBody,
    Route,
    SealedDay,
    SetAside,
    SetItem,
    TrialCall,
    TrialPrompt,
    TrialStep,
    UsageDay,
    WaitingText,
)
from traffic.privacy import erasure as erase
from traffic.privacy.retention import apply_retention, sealed_differences
from traffic.ratings import services as ratings
from traffic.request_ids import first_id, user_hash
from traffic.retention_settings import current_retention
from traffic.tasks import run_erasures
from traffic.trials import services as trials
from traffic.trials import sets
from traffic.usage.audit import rollup_differences

MARKER = "MARKER-of-ann"
OTHER = "OTHER-of-bob"


@pytest.fixture(autouse=True)
def fresh(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(erase, "SETTLE", timedelta(0))
    callers.clear()
    clear_cache()
    yield tmp_path
    clear_cache()


def call(number: int, application_id: int | None, mark: str, days_ago: int = 0, **more: Any) -> RequestRow:
    """A request that says a mark wherever it can."""
    return RequestRow(
        external_id=f"{mark}-{number}", started_at=timezone.now() - timedelta(days=days_ago), provider="openai",
        model="gpt-5", source="otlp", application_id=application_id, outcome="error", error_type=mark,
        latency_ms=10.0 + number, response_id=f"resp-{mark}-0123456789-{number}", tokens=Tokens(10, 0, 0, 0, number, 0),
        user=mark, raw={"told": {"deep": [mark]}}, prompt=f"from {mark}", answer=f"to {mark}",
        links=((f"child-{mark}-{number}", f"{mark}-{number}"),), **more,
    )  # fmt: skip


def seed(conn: psycopg.Connection, shop: Application, other: Application, folder: Path) -> None:
    """The marker in every place that takes data, beside somebody else's."""
    file = Import.objects.create(
        file_name="f.csv", size=1, sha256="1", format="generic", state="done", options={"application": shop.slug},
    )  # fmt: skip
    SetAside.objects.create(imported=file, line=3, words=f"No application is called {MARKER}")
    rows = [call(n, shop.pk, MARKER, n % 3, import_id=file.pk if n == 1 else None) for n in range(1, 6)]
    rows += [call(n, other.pk, OTHER, n % 3) for n in range(1, 4)]
    ids = ingest(conn, rows, PricingContext.load(conn)).ids
    for number, mark, of in ((0, MARKER, shop), (5, OTHER, other)):
        day = rows[number].started_at.date()
        Rating.objects.create(day=day, request_id=ids[number], by=mark, score=1, comment=mark, application=of)
        Rating.objects.create(response_id=f"waits-{mark}", by=mark, score=1, comment=mark, application=of)
    Key.objects.filter(application=shop).update(name=MARKER)
    (folder / "spool").mkdir()
    lines = []
    for mark, of in ((MARKER, shop), (OTHER, other)):
        row = call(9, of.pk, mark)
        row.user, row.user_hash = None, user_hash(PricingContext.load(conn).salt, mark)
        lines.append(msgspec.json.encode({"reason": "x", "line": msgspec.json.encode(row).decode()}) + b"\n")
    (folder / "spool" / "set-aside.jsonl").write_bytes(b"".join(lines))
    draft = Import.objects.create(
        file_name=f"{MARKER}.csv", size=1, sha256="2", format="generic", options={"application": shop.slug}
    )
    (folder / "imports").mkdir(exist_ok=True)
    (folder / "imports" / f"{draft.pk}.data").write_text(MARKER)


def places(conn: psycopg.Connection, mark: str) -> list[str]:
    """Every table that holds a text, partitions and all; from the catalogue, so that a new one is seen too.

    Temporary tables of this session are among them; those of another session cannot be read.
    """
    tables = conn.execute(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
        " AND NOT pg_is_other_temp_schema(n.oid)"
    ).fetchall()
    assert len(tables) > 40
    found = "SELECT count(*) FROM {} AS t WHERE t::text ILIKE %s"
    return [table for (table,) in tables if conn.execute(found.format(table), [f"%{mark}%"]).fetchone() != (0,)]


def in_files(folder: Path, mark: str) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and mark.encode() in path.read_bytes()]


def referring(conn: psycopg.Connection, application_id: int) -> list[str]:
    """Tables with a row of this application; the erasure itself remembers its number."""
    tables = conn.execute(
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'application_id'"
        " AND table_schema = 'public' AND table_name <> 'traffic_erasure'"
    ).fetchall()
    assert {"traffic_request", "traffic_usage_hour", "traffic_latency_day", "traffic_key"} <= {
        name for (name,) in tables
    }
    found = "SELECT count(*) FROM {} WHERE application_id = %s"
    return [name for (name,) in tables if conn.execute(found.format(name), [application_id]).fetchone() != (0,)]


def money(conn: psycopg.Connection) -> list[Any]:
    columns = "provider, model, sum(requests), sum(errors), sum(output), sum(cost), sum(latency_us)"
    return conn.execute(f"SELECT day, {columns} FROM traffic_usage_day GROUP BY 1, 2, 3 ORDER BY 1, 2, 3").fetchall()


@pytest.fixture
def shop(transactional_db: Any) -> Application:
    made = application("shop")
    create_key(name="k", scopes=["ingest"], application=made)
    return made


def test_of_an_application_nothing_is_left_anywhere_and_every_sum_is_right(
    shop: Application, conn: psycopg.Connection, fresh: Path
) -> None:
    other = application("lab")
    seed(conn, shop, other, fresh)
    WaitingText.objects.create(
        application=shop, call="c", at_ns=1, digest=uuid4(), whole=False, prompt=MARKER, arrived_at=timezone.now()
    )
    everywhere = {"traffic_request", "traffic_request_body", "traffic_rating", "traffic_import", "traffic_key",
                  "traffic_waitingtext"}  # fmt: skip
    assert everywhere <= set(places(conn, MARKER))
    assert set(in_files(fresh, MARKER)) >= {"set-aside.jsonl"}
    before, theirs = money(conn), sorted(places(conn, OTHER))
    hashed = str(user_hash(PricingContext.load(conn).salt, MARKER))
    assert places(conn, hashed)
    erasure = erase.ask(application=shop)
    assert not erase.work(erasure.pk, now=timezone.now())
    assert not erase.work(erasure.pk, now=timezone.now())  # again: nothing to do
    assert places(conn, MARKER) == [] and places(conn, hashed) == [] and in_files(fresh, MARKER) == []
    assert referring(conn, shop.pk) == []
    assert money(conn) == before
    assert list(rollup_differences()) == [] and list(sealed_differences()) == []
    assert sorted(places(conn, OTHER)) == theirs and RequestBody.objects.count() == 3
    assert Request.objects.filter(application__isnull=True).count() == 5
    erasure.refresh_from_db()
    assert (erasure.erased, erasure.expected, erasure.percent) == (5, 5, 100)
    assert not Application.objects.filter(slug="shop").exists()


def test_of_a_user_nothing_is_left_and_the_applications_sums_stay(
    shop: Application, conn: psycopg.Connection, fresh: Path
) -> None:
    ingest(conn, [call(1, shop.pk, MARKER), call(2, shop.pk, OTHER), call(3, None, MARKER)], PricingContext.load(conn))
    Rating.objects.create(response_id="x", by=MARKER, score=1, comment="fine")
    cap, _made = set_cap(shop, unit="requests", period="day", amount=Decimal(5), each_user=True)
    CapUse.objects.create(cap=cap, user_hash=erase.hash_of_user(MARKER), starts_at=timezone.now(), amount=1)
    sums = UsageDay.objects.order_by("application_id").values_list("application_id", "requests", "output")
    before = list(sums)
    out = StringIO()
    call_command("erase", user=MARKER, stdout=out)
    assert "2 requests, 1 ratings" in out.getvalue() and places(conn, MARKER)
    call_command("erase", user=MARKER, yes=True, stdout=out)
    assert "Done: 2 requests" in out.getvalue()
    assert places(conn, MARKER) == []
    assert places(conn, str(user_hash(PricingContext.load(conn).salt, MARKER))) == []
    assert (
        list(UsageDay.objects.order_by("application_id").values_list("application_id", "requests", "output")) == before
    )
    assert list(rollup_differences()) == []
    assert Request.objects.filter(user_hash__isnull=False).count() == 1 and RequestBody.objects.count() == 1


def test_copies_of_a_users_texts_in_trials_and_the_answers_to_them_go_too(
    shop: Application, conn: psycopg.Connection
) -> None:
    theirs, others = ingest(conn, [call(1, shop.pk, MARKER), call(2, shop.pk, OTHER)], PricingContext.load(conn)).ids
    trial = TrialFactory.create()
    step = TrialStep.objects.create(trial=trial, number=0, deployment=trial.candidate, concurrency=1)
    owner = trials.application().pk
    clear_cache()
    answers = [RequestRow(external_id=f"trial-{number}", started_at=timezone.now(), provider="self", model="m",
                          source="trial", application_id=owner, prompt=mark, answer=f"to {mark}")
               for number, mark in enumerate((MARKER, OTHER, MARKER))]  # fmt: skip
    calls = ingest(conn, answers, PricingContext.load(conn)).ids
    for number, (source, mark, made) in enumerate(
        zip((theirs, others, None), (MARKER, OTHER, MARKER), calls, strict=True)
    ):
        prompt = TrialPrompt.objects.create(trial=trial, number=number, task="qa", text=mark, application=shop,
                                            answered_request=source)  # fmt: skip
        TrialCall.objects.create(step=step, prompt=prompt, state="ok", charged=0, request_id=made)
    call_command("erase", user=MARKER, yes=True, stdout=StringIO())
    assert places(conn, MARKER) == []
    assert [prompt.text for prompt in TrialPrompt.objects.order_by("number")] == ["", OTHER, ""]
    assert RequestBody.objects.filter(request_id__in=calls).count() == 1


def test_a_set_loses_a_users_prompt_also_where_a_trials_answer_to_it_won(
    shop: Application, conn: psycopg.Connection
) -> None:
    [theirs] = ingest(conn, [call(1, shop.pk, MARKER)], PricingContext.load(conn)).ids
    own, api = DeploymentFactory.create(slug="own"), DeploymentFactory.create(slug="api", provider="anthropic")
    trial, owner = TrialFactory.create(), trials.application().pk
    clear_cache()
    again = RequestRow(external_id="trial-1", started_at=timezone.now(), provider="self", model="m", source="trial",
                       application_id=owner, prompt=f"from {MARKER}", answer=f"to {MARKER}")  # fmt: skip
    [copy] = ingest(conn, [again], PricingContext.load(conn)).ids
    prompt = TrialPrompt.objects.create(trial=trial, number=1, task="rag", text=f"from {MARKER}", application=shop,
                                        answered_request=theirs)  # fmt: skip
    step = TrialStep.objects.create(trial=trial, number=0, deployment=own, concurrency=1)
    TrialCall.objects.create(step=step, prompt=prompt, state="ok", charged=0, request_id=copy)
    Pair.objects.create(candidate=own, baseline=api, candidate_request=copy, baseline_request=theirs, task="rag",
                        application_id=owner, prompt_application=shop, trial_id=trial.pk, outcome="candidate",
                        votes=1)  # fmt: skip
    made = sets.keep(name="Won", draft=sets.better_answers("rag", timezone.now().date(), [shop.pk, owner]), by=None)
    item = made.items.get()
    assert (item.request_id, item.prompt_request) == (copy, theirs)
    # A trial of the set holds the answer that its candidate's is paired with, and whose prompt that was.
    plan = trials.Plan("Again", api, None, [1], 1, Decimal(1), prompts=sets.prompts_of(made, [shop.pk]))
    sent = trials.create(plan).prompts.get()
    assert (sent.answered_request, sent.prompt_request, sent.set_item) == (copy, theirs, item)
    call_command("erase", user=MARKER, yes=True, stdout=StringIO())
    assert places(conn, MARKER) == []
    sent.refresh_from_db()
    assert (sent.text, sent.set_item) == ("", None) and not made.items.exists()


def test_copies_in_sets_go_with_the_bodies_of_their_day_and_items_of_a_file_stay(
    shop: Application, conn: psycopg.Connection, settings: Any
) -> None:
    settings.BODY_RETENTION_DAYS, today = 30, timezone.now().date()
    old, new = (first_id(today - timedelta(days=days)) for days in (31, 30))
    made = AnswerSet.objects.create(name="Kept", version=1)
    for number, (request, source) in enumerate([(old, old), (new, old), (new, new), (None, None)]):
        SetItem.objects.create(answer_set=made, number=number, task="qa", prompt="?", application=shop,
                               request_id=request, prompt_request=source)  # fmt: skip
    SetItem.objects.create(answer_set=made, number=9, task="qa", prompt="Of a file")
    apply_retention(today)
    assert [item.number for item in made.items.all()] == [2, 3, 9]
    AnswerSet.objects.update(created_at=timezone.now() - timedelta(days=32))
    apply_retention(today)
    assert [item.number for item in made.items.all()] == [9]


def test_what_raters_wrote_about_pairs_of_a_users_prompt_goes_and_their_choices_stay(
    shop: Application, conn: psycopg.Connection
) -> None:
    theirs, others = ingest(conn, [call(1, shop.pk, MARKER), call(2, shop.pk, OTHER)], PricingContext.load(conn)).ids
    own, api = DeploymentFactory.create(slug="own"), DeploymentFactory.create(slug="api")
    prompt = TrialPrompt.objects.create(trial=TrialFactory.create(), number=1, task="qa", text=MARKER,
                                        application=shop, answered_request=theirs)  # fmt: skip
    step = TrialStep.objects.create(trial=prompt.trial, number=0, deployment=own, concurrency=1)
    copy = uuid4()
    TrialCall.objects.create(step=step, prompt=prompt, state="ok", charged=0, request_id=copy)
    for baseline, candidate, mark in ((theirs, uuid4(), MARKER), (uuid4(), copy, MARKER), (others, uuid4(), OTHER)):
        pair = Pair.objects.create(candidate=own, baseline=api, candidate_request=candidate, task="qa",
                                   baseline_request=baseline, application=shop, prompt_digest="d")  # fmt: skip
        rater = Rater("person", "ann")
        comparisons.choose(pair=pair, rater=rater, side="a", comment=f"quotes {mark}")
        PairAssignment.objects.create(pair=pair, rater_kind="person", by="bob", reason=f"quotes {mark}")
    call_command("erase", user=MARKER, yes=True, stdout=StringIO())
    assert places(conn, MARKER) == []
    assert sorted(PairChoice.objects.values_list("comment", flat=True)) == ["", "", f"quotes {OTHER}"]
    assert PairAssignment.objects.exclude(reason="").count() == 1
    assert sorted(Pair.objects.values_list("prompt_digest", flat=True)) == ["", "", "d"]


def quoted(request: Request) -> None:
    """A draft and a reason that quote an answer, a link to judge it and its place in a queue."""
    ratings.save_draft(
        day=request.day, request_id=request.id, rater=person("ada"), typed={"comment": f"quotes {MARKER}"}
    )
    ratings.abstain(request=request, rater=person("bob"), reason=f"quotes {MARKER}")
    beside = {"day": request.day, "request_id": request.id, "application_id": request.application_id}
    FeedbackLink.objects.create(**beside, expires_at=timezone.now())
    QueueEntry.objects.create(queue=RatingQueue.objects.create(name="q", question="?"), position=0, **beside)


def test_drafts_reasons_links_and_places_in_queues_go_with_their_request(
    shop: Application, conn: psycopg.Connection
) -> None:
    [mine] = ingest(conn, [call(1, shop.pk, MARKER)], PricingContext.load(conn)).ids
    quoted(Request.objects.get(id=mine))
    assert {"traffic_ratingdraft", "traffic_abstention"} <= set(places(conn, MARKER))
    call_command("erase", user=MARKER, yes=True, stdout=StringIO())
    assert places(conn, MARKER) == []
    assert not FeedbackLink.objects.exists() and not QueueEntry.objects.exists()


def test_drafts_and_reasons_go_with_the_bodies_of_their_day(shop: Application, conn: psycopg.Connection) -> None:
    [mine] = ingest(conn, [call(1, shop.pk, OTHER)], PricingContext.load(conn)).ids
    quoted(Request.objects.get(id=mine))
    apply_retention(timezone.now().date())
    assert {"traffic_ratingdraft", "traffic_abstention"} <= set(places(conn, MARKER))
    apply_retention(timezone.now().date() + timedelta(days=current_retention().bodies + 1))
    assert places(conn, MARKER) == []


def test_what_arrives_late_is_stripped_and_what_is_sent_again_is_a_duplicate(
    shop: Application, conn: psycopg.Connection
) -> None:
    first, late = call(1, shop.pk, MARKER), call(2, shop.pk, MARKER)
    ingest(conn, [first], PricingContext.load(conn))
    of_user = call(3, None, OTHER)
    for given in ({"application": shop}, {"user": erase.hash_of_user(OTHER)}):
        erasure = erase.ask(**given)
        assert not erase.work(erasure.pk, now=timezone.now())
    again = call(1, shop.pk, MARKER)
    again.started_at = first.started_at
    result = ingest(conn, [again, late, of_user], PricingContext.load(conn))
    assert (result.accepted, result.duplicates) == (2, 1)
    assert places(conn, MARKER) == [] and places(conn, OTHER) == []
    new = call(4, None, OTHER)
    new.started_at = timezone.now() + timedelta(minutes=1)
    ingest(conn, [new], PricingContext.load(conn))
    assert Request.objects.filter(user_hash=erase.hash_of_user(OTHER)).count() == 1  # what comes after is new
    assert list(rollup_differences()) == []


def test_sums_of_sealed_days_lose_the_application_too(
    shop: Application, conn: psycopg.Connection, settings: Any
) -> None:
    ingest(conn, [call(1, shop.pk, MARKER, 30), call(2, None, OTHER, 30)], PricingContext.load(conn))
    before = money(conn)
    settings.RETENTION_DAYS = settings.BODY_RETENTION_DAYS = 20
    apply_retention(timezone.now().date())
    assert SealedDay.objects.count() == 1 and not Request.objects.exists()
    erasure = erase.ask(application=shop)
    assert not erase.work(erasure.pk, now=timezone.now())
    assert referring(conn, shop.pk) == [] and money(conn) == before
    assert list(sealed_differences()) == [] and list(rollup_differences()) == []
    call_command("audit", stdout=StringIO())


def test_keys_stop_at_once_a_rule_for_it_alone_is_off_and_work_waits_until_all_have_heard(
    shop: Application, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "SETTLE", timedelta(seconds=6))
    _key, secret = create_key(name="k2", scopes=["ingest"], application=shop)
    assert callers.find(secret) is not None
    route = Route.objects.create(order=99, slug="mine", name="Mine", to_provider="self")
    route.applications.add(shop)
    erasure = erase.ask(application=shop)
    assert callers.find(secret) is None
    route.refresh_from_db()
    assert not route.enabled
    assert erase.work(erasure.pk, now=timezone.now())  # not yet
    assert Application.objects.filter(slug="shop").exists()
    assert not erase.work(erasure.pk, now=timezone.now() + timedelta(seconds=6))
    assert not Application.objects.filter(slug="shop").exists()
    assert json.dumps(list(Erasure.objects.values_list("name", flat=True))) == '["shop"]'


def test_a_count_reads_the_newest_days_first_and_stops_in_time(shop: Application, conn: psycopg.Connection) -> None:
    ingest(conn, [call(1, shop.pk, OTHER), call(2, shop.pk, OTHER, 5)], PricingContext.load(conn))
    user, ticks = erase.hash_of_user(OTHER), iter(range(1_000))
    full = erase.counts(user=user)
    assert (full["requests"], full["uncounted"]) == (2, 0)
    days = existing_days(conn, "traffic_request")
    newer = [day for day in days if day > timezone.now().date() - timedelta(days=5)]
    part = erase.counts(user=user, seconds=len(newer) + 1, clock=lambda: float(next(ticks)))
    assert (part["requests"], part["uncounted"]) == (1, len(days) - len(newer))


# The pages.


def test_the_pages_count_first_ask_and_show_how_far_it_is(shop: Application, conn: psycopg.Connection) -> None:
    ingest(conn, [call(1, shop.pk, MARKER), call(2, shop.pk, OTHER)], PricingContext.load(conn))
    admin = logged_in(person("root", is_superuser=True))
    url = "/settings/applications/shop/delete/"
    assert "<b>2 requests</b> of Shop lose their user and texts" in text(admin, url)
    assert admin.post(url, {"confirm": "other"}).status_code == 422
    assert not Erasure.objects.exists()
    counted = admin.post("/settings/deletions/", {"user": OTHER}).content.decode()
    assert "of this user. Nothing is deleted yet." in counted
    assert "<b>1 request</b> of this user" in counted and OTHER not in counted and not Erasure.objects.exists()
    # Whose data it is must not stand in the place of who looks at it.
    for shown in (counted, text(admin, "/settings/deletions/")):
        assert "<b>root</b>" in shown and 'popovertarget="me"' in shown
    assert admin.post("/settings/deletions/", {"user": " "}).status_code == 422
    hashed = str(erase.hash_of_user(OTHER))
    there = admin.post("/settings/deletions/", {"user": hashed, "confirm": hashed})["Location"]
    assert "is being deleted" in text(admin, there)
    run_erasures()
    assert "is deleted: <b>1 request</b> has no user" in text(admin, there)
    assert admin.post(url, {"confirm": "shop"}).status_code == 302
    run_erasures()
    assert not Application.objects.exists()
    assert "<b>2 deletions</b>. Totals" in text(admin, "/settings/deletions/")
    assert [entry.actor for entry in AuditEntry.objects.all()] == ["root", "root"]
    assert places(conn, MARKER) == [] and places(conn, OTHER) == []
    looker = logged_in(person("looker", "traffic.view_application", "traffic.change_application"))
    assert looker.post("/settings/deletions/", {"user": "x"}).status_code == 403


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("whose", ["application", "user"])
def test_a_deletion_is_not_finished_while_answers_may_be_in_a_cache_that_is_away(
    settings: Any, valkey_url: str, whose: str, caplog: pytest.LogCaptureFixture
) -> None:
    shop = application("shop")
    Application.objects.update(cache_minutes=60)
    erase.ask(application=shop) if whose == "application" else erase.ask(user=uuid4())
    with redis.Redis.from_url(valkey_url) as valkey:
        valkey.hset(keys_of(shop.pk)[0], "a", "x")
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        run_erasures()
        assert Erasure.objects.get().finished_at is None and "erasure_waits" in caplog.text
        Application.objects.update(cache_minutes=None)  # what is stored is there all the same
        settings.REDIS_URL = valkey_url
        run_erasures()
        assert Erasure.objects.get().finished_at is not None
        assert not valkey.exists(*keys_of(shop.pk))
