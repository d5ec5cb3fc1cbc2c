"""Deleting what is kept of an application or of a user, everywhere, and leaving the money right.

A request is not removed: it loses whose it was and all that people or programs wrote, and keeps its day, model, tokens,
times and cost, so that every sum and the audit stay as they are. Its id stays too, a keyed hash, so that the same call
sent again is still a duplicate; ingest strips it by the same rule (`Installation.strip`).
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.shortcuts import get_object_or_404
from django.utils import timezone

from lib.events import log_event
from lib.partitions import existing_days
from traffic.answer_cache.queries import any_caching
from traffic.answer_cache.services import CacheAway, purge
from traffic.authentication.keys import callers
from traffic.comparisons.services import erase_choices, erase_words
from traffic.gateway import aside
from traffic.imports.files import drop_file
from traffic.ingest.context import clear_cache, raw_connection
from traffic.ingest.rows import RequestRow
from traffic.ingest.sql import removals
from traffic.judges.services import erase_scores
from traffic.models import (
    AdmittedName,
    Application,
    CapUse,
    Erasure,
    FeedbackLink,
    Import,
    Installation,
    Key,
    Pair,
    PairChoice,
    Rating,
    RatingDay,
    Route,
    SetAside,
    UsageDay,
)
from traffic.models.erasures import ErasureKind
from traffic.models.imports import ImportState
from traffic.request_ids import erased_mark, user_hash
from traffic.trials.services import erase_texts_of
from traffic.trials.sets import erase_items
from traffic.usage.rebuild import Rollup, bounds, repeated

logger = logging.getLogger(__name__)

SHOWN = 100  # deletions, the newest
BATCH = 2_000
SLICE_S = 20.0
COUNT_S = 2.0  # a page waits for it
# Until every process has heard of it (keys are cached for five seconds, what rows are judged by for two), and batches
# judged before are written or given up: each waits for its turn, and then for each of its statements.
SETTLE = timedelta(seconds=60)
LOCK = 7_203_012  # advisory: one at a time
UNFINISHED = (ImportState.DRAFT, ImportState.FAILED, ImportState.CANCELLED)


def hash_of_user(name: str) -> uuid.UUID:
    """What is stored of a user's name; a hash is taken as it is."""
    try:
        return uuid.UUID(name)
    except ValueError:
        salt = Installation.objects.values_list("salt", flat=True).first() or b""
        digest = user_hash(bytes(salt), name)
        assert digest is not None, "an empty name is refused before"
        return digest


def latest_erasures() -> list[Erasure]:
    return list(Erasure.objects.select_related("by")[:SHOWN])


def get_erasure(pk: int) -> Erasure:
    """Raises Http404."""
    return get_object_or_404(Erasure.objects.select_related("by"), pk=pk)


def counts(
    *,
    application: Application | None = None,
    user: uuid.UUID | None = None,
    seconds: float = COUNT_S,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, int]:
    """What there is to delete. `uncounted`: days of a user that were not read within `seconds`, the oldest.

    No index names users, which ingest would pay for with every request: a count reads whole days, the newest first.
    """
    if application is not None:
        used = UsageDay.objects.filter(application_id=application.pk).aggregate(n=Sum("requests"))["n"]
        ratings = Rating.objects.filter(application_id=application.pk).count()
        return {"requests": used or 0, "ratings": ratings, "keys": application.keys.count(), "uncounted": 0}
    assert user is not None, "an application or a user"
    requests, ends = 0, clock() + seconds
    with raw_connection() as conn:
        days = sorted(existing_days(conn, "traffic_request"))
        while days and clock() < ends:
            requests += count_of_day(conn, days.pop(), user)
    return {"requests": requests, "ratings": len(ratings_by(user)), "uncounted": len(days)}


def count_of_day(conn: psycopg.Connection, day: date, user: uuid.UUID) -> int:
    statement = "SELECT count(*) FROM traffic_request WHERE day = %s AND user_hash = %s"
    (count,) = conn.execute(statement, [day, user]).fetchone() or (0,)
    return int(count)


def ratings_by(user: uuid.UUID) -> list[str]:
    """What applications called this user when they sent its ratings and its choices of pairs."""
    salt = bytes(Installation.objects.values_list("salt", flat=True).first() or b"")
    rated = Rating.objects.filter(rater=None).values_list("by", flat=True)
    chose = PairChoice.objects.filter(rater=None).values_list("by", flat=True)
    return [name for name in rated.union(chose) if user_hash(salt, name) == user]


@transaction.atomic
def ask(*, application: Application | None = None, user: uuid.UUID | None = None, by: Any = None) -> Erasure:
    """Begin: from now on nothing new is kept of it. An application's keys stop, and rules for it alone are off."""
    salt = bytes(Installation.objects.values_list("salt", flat=True).first() or b"")
    counted = counts(application=application, user=user)
    made = Erasure.objects.create(
        kind=ErasureKind.APPLICATION if application else ErasureKind.USER,
        name=application.slug if application else "",
        application_id=None if application is None else application.pk,
        user_hash=user,
        mark=None if user is None else erased_mark(salt, user),
        expected=counted["requests"],
        by=by,
        created_at=timezone.now(),
    )
    if application is not None:
        Key.objects.live().filter(application=application).update(revoked_at=made.created_at)
        routes = Route.objects.filter(applications=application)
        alone = [route.pk for route in routes if route.applications.count() == 1]
        Route.objects.filter(pk__in=alone).update(enabled=False)  # without its application it would hold for all
    log_event(logger, logging.INFO, "erasure_started", erasure_id=made.pk, kind=made.kind, requests=made.expected)
    transaction.on_commit(clear_cache)
    transaction.on_commit(callers.clear)
    return made


def work(pk: int, *, now: datetime, seconds: float = SLICE_S, clock: Callable[[], float] = time.monotonic) -> bool:
    """A slice of one that was asked for; whether there is more to do."""
    with raw_connection() as conn:
        (mine,) = conn.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() or (False,)
        if not mine:
            return True
        try:
            erasure = Erasure.objects.filter(pk=pk, finished_at=None).first()
            if erasure is None:
                return False
            if now < erasure.created_at + SETTLE:
                return True
            ends = clock() + seconds
            for day in sorted(existing_days(conn, "traffic_request")):
                while repeated(lambda day=day: erase_batch(conn, erasure, day)) == BATCH:  # type: ignore[misc]
                    if clock() >= ends:
                        return True
            if not cache_purged(erasure):
                return True
            finish(conn, erasure)
            return False
        finally:
            conn.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def cache_purged(erasure: Erasure) -> bool:
    """Purge the answer cache of its application, or of all for a user; False where there may be answers still.

    Also of applications whose cache is off: it may be that Valkey was away when it was turned off.
    """
    applications = Application.objects.values_list("pk", flat=True)
    try:
        purge([erasure.application_id] if erasure.application_id else applications)
    except CacheAway:
        if any_caching():
            log_event(logger, logging.WARNING, "erasure_waits", erasure_id=erasure.pk, kind=erasure.kind)
            return False
    return True


def erase_batch(conn: psycopg.Connection, erasure: Erasure, day: date) -> int:
    """Some requests of a day and what lies beside them; returns how many."""
    of = "application_id" if erasure.kind == ErasureKind.APPLICATION else "user_hash"
    whose = erasure.application_id if erasure.kind == ErasureKind.APPLICATION else erasure.user_hash
    with conn.transaction():
        rows = conn.execute(removals.to_erase(of), {"day": day, "whose": whose, "limit": BATCH}).fetchall()
        if not rows:
            return 0
        ids = [identifier for identifier, _file in rows]
        arguments = {"day": day, "ids": ids}
        conn.execute("SET LOCAL enable_seqscan = off")
        conn.execute(removals.erase(of == "application_id"), arguments)
        for rollup in Rollup.of("error"):  # a word that others wrote is a key there
            conn.execute(rollup.sweep, bounds(rollup.period, day))
        erase_texts_of(answered_request__in=ids)
        erase_texts_of(prompt_request__in=ids)
        erase_items(requests=ids)
        erase_scores(ids)
        erase_words(ids)
        files = {file for _identifier, file in rows if file is not None}
        conn.execute("DELETE FROM traffic_setaside WHERE imported_id = ANY(%s)", [list(files)])
        conn.execute("UPDATE traffic_erasure SET erased = erased + %s WHERE id = %s", [len(rows), erasure.pk])
    return len(rows)


def finish(conn: psycopg.Connection, erasure: Erasure) -> None:
    """What is not found by its day: sums of sealed days, ratings that wait, files, the application itself."""
    if erasure.kind == ErasureKind.APPLICATION:
        assert erasure.application_id is not None, "an application's has one"
        for rollup in Rollup.all():
            repeated(lambda rollup=rollup: move_sums(conn, rollup, erasure.application_id))  # type: ignore[misc]
        Rating.objects.filter(application_id=erasure.application_id).delete()
        RatingDay.objects.filter(application_id=erasure.application_id).delete()  # sums of 0 by now
        Pair.objects.filter(application_id=erasure.application_id).delete()
        FeedbackLink.objects.filter(application_id=erasure.application_id).delete()
        drop_files(erasure.name)
        erase_texts_of(application=erasure.application_id)
        erase_items(application=erasure.application_id)
        AdmittedName.objects.filter(application_id=erasure.application_id).delete()
        Application.objects.filter(pk=erasure.application_id).delete()
    elif erasure.user_hash is not None:
        names = ratings_by(erasure.user_hash)
        Rating.objects.filter(rater=None, by__in=names).delete()
        erase_choices(names)
        # Trials of before a copy's request was kept: these copies may be of anybody's texts.
        erase_texts_of(answered_request=None, application__isnull=False)
        CapUse.objects.filter(user_hash=erasure.user_hash).delete()
    # Lines of the gateway that could not be stored: those of this application or user go.
    aside.remove(Path(settings.DATA_DIR) / "spool" / aside.SET_ASIDE, lambda line: is_of(line, erasure))
    Erasure.objects.filter(pk=erasure.pk).update(finished_at=timezone.now(), user_hash=None)
    erasure.refresh_from_db(fields=["erased"])
    log_event(logger, logging.INFO, "erasure_finished", erasure_id=erasure.pk, kind=erasure.kind,
              requests=erasure.erased)  # fmt: skip
    clear_cache()


def move_sums(conn: psycopg.Connection, rollup: Rollup, application_id: int) -> int:
    """An application's sums become those of no application; what its rows made of them is 0 by now."""
    return conn.execute(removals.to_nobody(rollup.table, rollup.key, rollup.sums), {"whose": application_id}).rowcount


def drop_files(slug: str) -> None:
    """Files that were to be read for this application and still lie there, and what was said of their lines."""
    files = Import.objects.filter(options__application=slug)
    for pk in files.filter(state__in=UNFINISHED).values_list("pk", flat=True):
        drop_file(pk)
    files.filter(state__in=UNFINISHED).exclude(accepted__gt=0).delete()
    SetAside.objects.filter(imported__in=files).delete()


def is_of(line: bytes, erasure: Erasure) -> bool:
    """Whether a line that was set aside belongs to the erasure; an unreadable line is taken to."""
    try:
        row = msgspec.json.decode(msgspec.json.decode(line)["line"], type=RequestRow)
    except (msgspec.DecodeError, KeyError, TypeError):
        return True
    if erasure.kind == ErasureKind.APPLICATION:
        return row.application_id == erasure.application_id
    return row.user_hash == erasure.user_hash
