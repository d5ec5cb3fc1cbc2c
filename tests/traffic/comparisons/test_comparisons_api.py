"""The API of comparisons to the contract: blind before the choice, once a rater, and the verdict that follows."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from django.test import Client

from providers.models import Deployment
from tests.factories import DeploymentFactory, PairFactory
from tests.traffic.comparisons.rows import pairs_of, two_sides
from tests.traffic.people import application
from traffic.authentication.keys import callers, create_key
from traffic.comparisons.services import Revealed, withdraw
from traffic.models import Application, Pair, PairChoice, Trial

NEXT, RESULTS = "/api/v1/comparisons/next", "/api/v1/comparisons"


@pytest.fixture
def shop(transactional_db: None) -> Application:
    return application("shop")


def key_of(*scopes: str, application: Application | None = None) -> dict[str, str]:
    _key, secret = create_key(name="rater", scopes=list(scopes), application=application)
    callers.clear()
    return {"authorization": f"Bearer {secret}"}


def next_pair(by: str, key: dict[str, str]) -> Any:
    answer = Client().get(NEXT, {"by": by}, headers=key)
    assert answer.status_code == 200, answer.content
    return answer.json()


def choose(identifier: Any, choice: str, by: str, key: dict[str, str], **more: Any) -> Any:
    body = json.dumps({"choice": choice, "by": by, **more})
    return Client().post(f"{RESULTS}/{identifier}", body, content_type="application/json", headers=key)


def result(key: dict[str, str], **query: str) -> Any:
    answer = Client().get(RESULTS, {"candidate": "own", "baseline": "api", **query}, headers=key)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_two_raters_choose_from_every_pair(conn: psycopg.Connection, shop: Application) -> None:
    pairs_of(conn, shop, 6)
    key = key_of("rate", "read")
    for by in ("ann", "ben"):
        left: list[int] = []
        while (shown := next_pair(by, key))["id"] is not None:
            left.append(shown["left"])
            assert shown["task"] == "rag" and shown["prompt"] == "May I return it?"
            assert set(shown) == {"id", "task", "prompt", "a", "b", "left"}
            assert not any(name in json.dumps(shown) for name in ("own", "api", "Own", "deployment-"))
            ours = "a" if shown["a"].startswith("Ours") else "b"
            answer = choose(shown["id"], ours, by, key)
            assert answer.status_code == 200
            named = answer.json()
            assert named[ours] == "own" and {named["a"], named["b"]} == {"own", "api"}
            assert choose(shown["id"], "tie", by, key).status_code == 409
        assert left == [6, 5, 4, 3, 2, 1] and shown["left"] == 0
    assert PairChoice.objects.count() == 12
    whole = result(key)
    assert (whole["pairs"], whole["wins"], whole["ties"], whole["losses"], whole["both_bad"]) == (6, 6, 0, 0, 0)
    assert whole["verdict"] == "better" and whole["enough"] is True and whole["more_needed"] == 0
    low, middle, high = whole["difference"]
    assert 0 < low < middle == high == 1
    assert whole["agreement"] == {"alpha": None, "metric": "nominal", "raters": 2, "items": 6}
    turned = result(key, candidate="api", baseline="own")
    assert (turned["wins"], turned["losses"], turned["verdict"]) == (0, 6, "worse")
    assert turned["difference"] == [-1, -1, -low]


def test_nothing_compared_is_not_yet_and_has_no_difference(shop: Application) -> None:
    two_sides()
    whole = result(key_of("read"))
    assert (whole["pairs"], whole["difference"], whole["more_needed"]) == (0, None, None)
    assert whole["verdict"] == "not_yet" and whole["enough"] is False
    ours = Client().get(RESULTS, headers=key_of("read")).json()
    assert (ours["pairs"], ours["difference"], ours["verdict"]) == (0, None, "not_yet")


def test_without_names_all_self_hosted_ones_stand_against_all_of_vendors(shop: Application) -> None:
    own, api = two_sides()
    other = DeploymentFactory.create(slug="other-own")
    PairFactory.create_batch(3, candidate=own, baseline=api, outcome="candidate", votes=1)
    PairFactory.create_batch(2, candidate=api, baseline=other, outcome="candidate", votes=1)
    PairFactory.create_batch(4, candidate=own, baseline=other, outcome="candidate", votes=1)
    ours = Client().get(RESULTS, headers=key_of("read")).json()
    assert (ours["pairs"], ours["wins"], ours["losses"]) == (5, 3, 2)
    apart = Trial.objects.create(
        name="Small", candidate=own, baseline=api, concurrency=[1], seconds_per_step=1, answer_tokens=1, cap_usd=1,
        prompt_source="builtin", used_in_break_even=False,
    )  # fmt: skip
    PairFactory.create(candidate=own, baseline=api, outcome="baseline", votes=1, trial_id=apart.pk)
    assert Client().get(RESULTS, headers=key_of("read")).json()["pairs"] == 5


def test_results_are_of_a_task_where_one_is_asked_for(shop: Application) -> None:
    own, api = two_sides()
    for task, outcome, count in (
        ("rag", "candidate", 3),
        ("code", "baseline", 2),
        ("code", "both_bad", 1),
        ("qa", "", 4),
    ):
        PairFactory.create_batch(count, candidate=own, baseline=api, task=task, outcome=outcome, votes=bool(outcome))
    PairFactory.create(candidate=api, baseline=own, task="rag", outcome="candidate", votes=1)
    key = key_of("read")
    assert result(key, task="rag")["wins"] == 3 and result(key, task="rag")["losses"] == 1
    code = result(key, task="code")
    assert (code["pairs"], code["losses"], code["both_bad"]) == (3, 2, 1)
    whole = result(key)
    assert (whole["pairs"], whole["waiting"]) == (7, 4)
    assert whole["more_needed"] > 0 and whole["verdict"] == "not_yet"


def test_a_key_of_an_application_reaches_its_own_pairs_alone(conn: psycopg.Connection, shop: Application) -> None:
    other = application("other")
    [mine] = pairs_of(conn, shop, 1)
    [theirs] = pairs_of(conn, other, 1, begin=3)
    key = key_of("rate", "read", application=shop)
    shown = next_pair("ann", key)
    assert shown["id"] == str(mine.pk) and shown["left"] == 1
    assert choose(theirs.pk, "a", "ann", key).status_code == 404
    assert choose(mine.pk, "tie", "ann", key).status_code == 200
    choose(theirs.pk, "tie", "ann", key_of("rate"))
    assert result(key)["pairs"] == 1 and result(key_of("read"))["pairs"] == 2
    assert next_pair("ann", key)["id"] is None


def test_the_reply_reveals_so_the_choice_stands_and_replayed_prompts_need_their_own_application(
    conn: psycopg.Connection, shop: Application
) -> None:
    [pair, replayed] = pairs_of(conn, shop, 2)
    Pair.objects.filter(pk=replayed.pk).update(prompt_application=application("other"))
    key = key_of("rate", application=shop)
    assert next_pair("ann", key)["left"] == 1
    assert choose(replayed.pk, "a", "ann", key).status_code == 404
    assert choose(pair.pk, "a", "ann", key).status_code == 200
    with pytest.raises(Revealed):
        withdraw(PairChoice.objects.get())
    assert PairChoice.objects.count() == 1 and next_pair("ann", key_of("rate"))["id"] == str(replayed.pk)


def test_what_is_not_as_the_schema_says_is_refused(shop: Application) -> None:
    own, api = two_sides()
    pair = PairFactory.create(candidate=own, baseline=api)
    key = key_of("rate", "read")
    refused: list[dict[str, Any]] = [
        {"choice": "left"}, {"by": ""}, {"by": "x" * 201}, {"by": "a\0b"}, {"extra": 1}, {"comment": "x" * 5001}
    ]  # fmt: skip
    for body in refused:
        sent: dict[str, Any] = {"choice": "a", "by": "ann", "key": key, **body}
        assert choose(pair.pk, **sent).status_code == 422, body
    for identifier in (0, 2**63, 10**30, "x"):
        assert choose(identifier, "a", "ann", key).status_code == 422
    assert choose(2**62, "a", "ann", key).status_code == 404
    assert Client().get(NEXT, headers=key).status_code == 422
    assert Client().get(NEXT, {"by": "ann"}, headers=key_of("read")).status_code == 403
    for query in ({"candidate": "own"}, {"candidate": "own", "baseline": "own"}, {"candidate": "x", "baseline": "api"}):
        assert Client().get(RESULTS, query, headers=key).status_code == 422
    assert Pair.objects.get().votes == 0 and Deployment.objects.count() == 2
