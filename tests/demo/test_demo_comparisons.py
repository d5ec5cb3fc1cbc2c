"""The demo's pairs: two tasks, three raters, choices that follow from the texts, and a few pairs that wait."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from demo import comparisons
from demo.company import HAIKU_4_5, MISTRAL_7B
from tests.factories import DeploymentFactory
from traffic.authentication.keys import callers, create_key
from traffic.comparisons import queries, queue
from traffic.comparisons.rater import Rater
from traffic.ingest.context import clear_cache
from traffic.ingest.native import ingest_native
from traffic.models import Application, Pair, Request


class Direct:
    """Ingest without a server."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def send_requests(self, rows: list[dict[str, Any]], key: str) -> None:
        caller = callers.find(self.secret, "127.0.0.1")
        assert caller is not None
        answer = ingest_native(body=json.dumps({"requests": rows}).encode(), caller=caller, now=timezone.now())
        assert answer["rejected"] == [] and answer["accepted"] == len(rows)


@pytest.fixture
def company(transactional_db: None) -> Application:
    for name in comparisons.RATERS:
        User.objects.create_user(name)
    DeploymentFactory.create(slug=MISTRAL_7B.deployment, name="Mistral")
    DeploymentFactory.create(slug=HAIKU_4_5.deployment, name="Haiku", provider="anthropic")
    clear_cache()
    return comparisons.add_application()


def test_the_pairs_are_made_once_and_can_be_read(conn: psycopg.Connection, company: Application) -> None:
    _key, secret = create_key(name="all", scopes=["ingest"])
    client: Any = Direct(secret)
    for _again in range(2):
        comparisons.compare(client, "", timezone.now())
    assert Pair.objects.count() == 120 and Request.objects.filter(application_id=company.pk).count() == 240
    digests = set(Pair.objects.values_list("prompt_digest", flat=True))
    assert "" not in digests and len(digests) == 120, "pairs of one prompt would count once"
    [result] = queries.results()
    assert (result.pairs, result.waiting) == (108, 12) and {row.task for row in result.tasks} == {"rag", "qa"}
    assert result.verdict == "not_yet" and 0 < result.disputed < 8
    raters = queries.raters()
    assert {row.name for row in raters} == set(comparisons.RATERS)
    made = queries.agreement()
    assert made.items == 108 and made.alpha is not None and 0.667 < made.alpha < 0.95
    person = Rater.of_user(User.objects.get(username="noor"))
    shown = queue.next_pair(person, [company.pk], timezone.now() + timedelta(seconds=1))
    assert shown is not None and shown.first != "" != shown.second
    assert company.test_only and company.members.count() == 3


def test_choices_follow_from_the_texts() -> None:
    outcomes = Counter(
        (pair.is_weak(own=True), pair.is_weak(own=False), str(pair.chosen_by("noor"))) for pair in comparisons.pairs()
    )
    assert outcomes[True, False, "baseline"] > outcomes[True, False, "candidate"]
    assert outcomes[False, True, "candidate"] > outcomes[False, True, "baseline"]
    assert outcomes[False, False, "tie"] > 50


def test_both_sides_never_give_the_same_text_unless_both_are_weak() -> None:
    for pair in comparisons.pairs():
        if pair.answer(own=True) == pair.answer(own=False):
            assert pair.is_weak(own=True) and pair.is_weak(own=False)
