"""Pairs are made once, chosen from once by each rater, shuffled for each rater, and reserved while somebody reads."""

from __future__ import annotations

import hashlib
import threading
import uuid
from datetime import timedelta
from functools import partial
from importlib import import_module

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from tests.factories import DeploymentFactory, PairFactory, TrialFactory
from tests.traffic.comparisons.rows import pairs_of
from tests.traffic.people import application
from traffic.comparisons import queue, services
from traffic.comparisons.rater import Rater, candidate_is_first, installation_salt, outcome_of, side_of
from traffic.comparisons.statistics import Decided, decide
from traffic.models import (
    Application,
    Installation,
    Pair,
    PairAssignment,
    PairChoice,
    PairOutcome,
    RequestBody,
    TrialCall,
    TrialStep,
)
from traffic.privacy.erasure import ratings_by
from traffic.request_ids import user_hash
from traffic.trials.services import make_pairs

ANN, BEN, CLEO = (Rater("installation", name) for name in ("ann", "ben", "cleo"))


def choose(pair: Pair, rater: Rater, outcome: str) -> PairChoice:
    """The choice by which this rater says OUTCOME, on whichever side they saw the candidate."""
    side = side_of(outcome, candidate_is_first(pair, rater, installation_salt()))
    return services.choose(pair=pair, rater=rater, side=side)


@pytest.fixture
def shop(transactional_db: None) -> Application:
    return application("shop")


@pytest.mark.django_db
def test_the_same_two_requests_are_one_pair() -> None:
    ours, theirs = DeploymentFactory.create(), DeploymentFactory.create()
    first, second = uuid.uuid4(), uuid.uuid4()
    add = partial(services.add_pair, candidate=ours, baseline=theirs, candidate_request=first)
    pair = add(baseline_request=second, task="code", trial_id=7)
    assert add(baseline_request=second) == pair
    assert (pair.task, pair.trial_id, pair.outcome, pair.votes) == ("code", 7, "", 0)
    with pytest.raises(ValueError, match="two deployments"):
        services.add_pair(candidate=ours, baseline=ours, candidate_request=first, baseline_request=second)
    with pytest.raises(ValueError, match="two requests"):
        add(baseline_request=first)


@pytest.mark.django_db
def test_a_second_choice_of_the_same_rater_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    pair = PairFactory.create()
    choose(pair, ANN, "candidate")
    assert f"pair_chosen pair_id={pair.pk} votes=1 disputed=false" in caplog.text and "ann" not in caplog.text
    with pytest.raises(services.AlreadyChosen):
        choose(pair, ANN, "tie")
    with pytest.raises(ValueError, match="not a choice"):
        services.choose(pair=pair, rater=BEN, side="left")
    # A person of ours and a program's user may have the same name, and are two raters.
    choose(pair, Rater("person", "ann"), "candidate")
    pair.refresh_from_db()
    assert (pair.outcome, pair.votes, pair.disputed) == ("candidate", 2, False)


@pytest.mark.django_db
def test_a_choice_means_the_same_whatever_side_it_was_on() -> None:
    pairs = PairFactory.create_batch(40)
    salt = installation_salt()
    first = [candidate_is_first(pair, ANN, salt) for pair in pairs]
    assert 8 < sum(first) < 32 and first == [candidate_is_first(pair, ANN, salt) for pair in pairs]
    assert first != [candidate_is_first(pair, BEN, salt) for pair in pairs]
    assert first != [candidate_is_first(pair, ANN, b"another key") for pair in pairs]
    for is_first in (True, False):
        for outcome in PairOutcome.values:
            assert outcome_of(side_of(outcome, is_first), is_first) == outcome


@pytest.mark.parametrize(
    ("outcomes", "adjudicated", "expected"),
    [
        ([], "", Decided("", False)),
        (["candidate"], "", Decided("candidate", False)),
        (["candidate", "candidate"], "", Decided("candidate", False)),
        (["candidate", "baseline"], "", Decided("tie", True)),
        (["candidate", "tie"], "", Decided("tie", True)),
        (["candidate", "baseline", "baseline"], "", Decided("baseline", False)),
        (["candidate", "baseline", "tie"], "", Decided("tie", True)),
        (["both_bad", "both_bad", "tie"], "", Decided("both_bad", False)),
        (["candidate", "baseline", "baseline"], "candidate", Decided("candidate", False)),
    ],
)
def test_more_than_half_of_the_raters_decide_a_pair(outcomes: list[str], adjudicated: str, expected: Decided) -> None:
    assert decide(outcomes, adjudicated) == expected


def test_two_raters_at_once_do_not_get_the_same_pair(conn: psycopg.Connection, shop: Application) -> None:
    pairs_of(conn, shop, 4)
    now = timezone.now()
    shown = {}
    for rater in (ANN, BEN):
        following = queue.next_pair(rater, None, now)
        assert following is not None
        services.reserve(pair=following.pair, rater=rater, now=now)
        shown[rater.by] = following.pair
    assert shown["ann"] != shown["ben"]
    again = queue.next_pair(ANN, None, now)
    assert again is not None and again.pair == shown["ann"]  # a reload shows the same pair
    # With nothing else left, a pair on another screen is offered rather than none.
    for pair in Pair.objects.exclude(pk=shown["ann"].pk):
        choose(pair, BEN, "tie")
    last = queue.next_pair(BEN, None, now)
    assert last is not None and last.pair == shown["ann"] and queue.left(BEN, None) == 1


def test_a_reservation_ends(conn: psycopg.Connection, shop: Application) -> None:
    [pair] = pairs_of(conn, shop, 1)
    older = PairFactory.create()  # without bodies, so that it is never offered
    now = timezone.now()
    services.reserve(pair=pair, rater=ANN, now=now)
    services.reserve(pair=older, rater=ANN, now=now - 2 * services.RESERVED)
    following = queue.next_pair(BEN, None, now + services.RESERVED + timedelta(seconds=1))
    assert following is not None and following.pair == pair


def test_pairs_that_raters_disagree_on_come_first_then_those_with_the_fewest_choices(
    conn: psycopg.Connection, shop: Application
) -> None:
    disputed, agreed, fresh = pairs_of(conn, shop, 3)
    choose(disputed, ANN, "candidate")
    choose(disputed, BEN, "baseline")
    choose(agreed, ANN, "tie")
    order = []
    while (following := queue.next_pair(CLEO, None, timezone.now())) is not None:
        order.append(following.pair)
        choose(following.pair, CLEO, "candidate")
    assert order == [disputed, fresh, agreed]
    disputed.refresh_from_db()
    assert (disputed.outcome, disputed.disputed, disputed.votes) == ("candidate", False, 3)


def test_a_rater_sees_the_pairs_of_their_applications_alone(conn: psycopg.Connection, shop: Application) -> None:
    [mine] = pairs_of(conn, shop, 1)
    other = application("other")
    pairs_of(conn, other, 1, begin=5)
    following = queue.next_pair(ANN, [shop.pk], timezone.now())
    assert following is not None and following.pair == mine and queue.left(ANN, [shop.pk]) == 1
    assert queue.next_pair(ANN, [], timezone.now()) is None and queue.left(ANN, None) == 2
    assert queue.pair_of(mine.pk, [other.pk]) is None


def test_skip_undo_and_withdraw(conn: psycopg.Connection, shop: Application) -> None:
    [pair] = pairs_of(conn, shop, 1)
    services.skip(pair=pair, rater=ANN, reason="I do not read Italian" + "x" * 300)
    assert queue.next_pair(ANN, None, timezone.now()) is None
    assert queue.next_pair(BEN, None, timezone.now()) is not None
    services.reserve(pair=pair, rater=ANN, now=timezone.now())
    assert queue.next_pair(ANN, None, timezone.now()) is not None
    made = choose(pair, ANN, "baseline")
    assert queue.next_pair(ANN, None, timezone.now()) is None and not PairAssignment.objects.exists()
    services.withdraw(made)
    pair.refresh_from_db()
    assert (pair.outcome, pair.votes) == ("", 0)
    following = queue.next_pair(ANN, None, timezone.now())
    assert following is not None and following.pair == pair


def test_a_pair_whose_answer_was_deleted_is_offered_to_nobody(conn: psycopg.Connection, shop: Application) -> None:
    purged, whole = pairs_of(conn, shop, 2)
    RequestBody.objects.filter(request_id=purged.candidate_request).delete()
    now = timezone.now()
    assert {pair.pair for pair in [queue.next_pair(ANN, None, now)] if pair} == {whole}
    Pair.objects.update(created_at=now - timedelta(hours=2))
    choose(whole, ANN, "tie")
    assert queue.next_pair(ANN, None, now) is None
    purged.refresh_from_db()
    assert purged.answers_deleted and queue.left(ANN, None) == 0


@pytest.mark.django_db
def test_choices_of_an_erased_user_go_and_the_pair_follows_the_others() -> None:
    pair = PairFactory.create()
    for rater, outcome in ((ANN, "candidate"), (BEN, "candidate"), (CLEO, "baseline")):
        choose(pair, rater, outcome)
    services.skip(pair=PairFactory.create(), rater=ANN)
    salt = installation_salt()
    digest = user_hash(salt, "ann")
    assert digest is not None and ratings_by(digest) == ["ann"]
    services.erase_choices(["ann"])
    pair.refresh_from_db()
    assert (pair.votes, pair.outcome, pair.disputed) == (2, "tie", True)
    assert not PairAssignment.objects.exists() and ratings_by(digest) == []


def test_choices_of_two_raters_at_once_are_both_counted(shop: Application) -> None:
    pair = PairFactory.create()
    barrier = threading.Barrier(4)
    refused: list[str] = []

    def work(rater: Rater) -> None:
        barrier.wait()
        try:
            choose(pair, rater, "candidate")
        except services.AlreadyChosen:
            refused.append(rater.by)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(rater,)) for rater in (ANN, ANN, BEN, CLEO)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pair.refresh_from_db()
    assert (pair.votes, pair.outcome, refused) == (3, "candidate", ["ann"])


@pytest.mark.django_db
def test_pairs_of_a_trial_keep_the_application_and_the_digest_of_their_prompts() -> None:
    source, api = application("support"), DeploymentFactory.create(provider="anthropic")
    trial = TrialFactory.create(baseline=api)
    steps = [
        TrialStep.objects.create(trial=trial, number=number, deployment=side, concurrency=1)
        for number, side in enumerate((trial.candidate, api))
    ]
    for number, owner in enumerate((source, None)):
        prompt = trial.prompts.create(number=number, task="rag", text="May I return it?", application=owner)
        for step in steps:
            TrialCall.objects.create(step=step, prompt=prompt, state="ok", charged=0, request_id=uuid.uuid4())
    assert make_pairs(trial) == 2
    pairs = Pair.objects.order_by("pk")
    assert [pair.prompt_application_id for pair in pairs] == [source.pk, None]
    plain = hashlib.sha256(b"May I return it?").hexdigest()
    assert {pair.prompt_digest for pair in pairs} == {services.digest_of("May I return it?")} != {plain}
    assert services.digest_of("") == ""
    # What the migrations make of pairs of before.
    pairs.update(prompt_application=None, prompt_digest="")
    with connection.cursor() as cursor:
        cursor.execute(import_module("traffic.migrations.0013_pair_prompt_and_reveal").FILL)
    assert [pair.prompt_application_id for pair in pairs.all()] == [source.pk, None]
    assert {pair.prompt_digest for pair in pairs.all()} == {plain}
    import_module("traffic.migrations.0038_keyed_digests").give_keys(None, connection.schema_editor())
    assert {pair.prompt_digest for pair in pairs.all()} == {services.digest_of("May I return it?")}
    Installation.objects.update_or_create(defaults={"salt": b"another"})
    assert services.digest_of("May I return it?") != pairs[0].prompt_digest
