"""Judged answers are kept as versions, read back, sent again, and held against the new answers item by item."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from hashlib import md5
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from providers.models import AuditEntry, Deployment
from tests.factories import DeploymentFactory, TrialFactory
from tests.traffic.people import ANSWER, PROMPT, application, arrive, logged_in, person
from traffic.authentication.keys import callers, create_key
from traffic.models import (
    AnswerSet,
    Application,
    Pair,
    Rating,
    Request,
    SetItem,
    Trial,
    TrialCall,
    TrialPrompt,
    TrialStep,
)
from traffic.ratings import services as ratings
from traffic.ratings.judgement import Judgement
from traffic.trials import sets
from traffic.trials.prompts import MOST_TEXT
from traffic.trials.sets import Outcome

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/quality/sets/"


def line(**value: Any) -> bytes:
    return json.dumps({"prompt": "Who?", **value}).encode() + b"\n"


@pytest.fixture
def shop() -> Application:
    return application("shop")


@pytest.fixture
def rater(shop: Application) -> User:
    """Somebody who may run trials and read the shop's texts."""
    made = person("rater", "traffic.add_trial", "traffic.view_trial")
    shop.members.add(made)
    return made


@pytest.fixture
def api() -> Deployment:
    return DeploymentFactory.create(slug="api", name="API", provider="anthropic")


@pytest.fixture
def answered(conn: psycopg.Connection, shop: Application, api: Deployment) -> Callable[..., Request]:
    """A stored answer of the API with ratings of this many stars."""
    numbers = iter(range(100))

    def make(*stars: int, **given: Any) -> Request:
        number = next(numbers)
        values = {"application_id": shop.pk, "deployment_id": api.pk, "task": "rag", "answer": ANSWER,
                  "prompt": f"{PROMPT[:-3]} {number}?\"}}]", "external_id": f"s{number}", "provider": "anthropic",
                  "started_at": timezone.now()}  # fmt: skip
        request = arrive(conn, values | given)[0]
        for n, number_of_stars in enumerate(stars):
            ratings.rate(request=request, judgement=Judgement(f"r{n}", stars=number_of_stars))
        return request

    return make


def test_a_file_is_read_but_for_the_lines_that_are_no_item() -> None:
    file = b"".join(
        [line(answer="Me.", acceptable=True), b"nonsense\n", line(prompt=""), line(acceptable="yes"),
         line(answer="x" * (MOST_TEXT + 1)), b"\n", line(task="qa", acceptable=None)]
    )  # fmt: skip
    draft = sets.read_file(io.BytesIO(file))
    assert [(item.task, item.answer, item.acceptable) for item in draft.items] == [
        ("other", "Me.", True), ("qa", "", None)
    ]  # fmt: skip
    assert [number for number, _words in draft.file.rejected_lines] == [2, 3, 4, 5]
    assert draft.file.rejected == 4


def test_what_is_written_is_read_back_the_same(rater: User, api: Deployment) -> None:
    told = [line(answer="Me.\nAnd you.", acceptable=False, task="qa", deployment=api.slug),
            line(deployment="gone"), line(deployment=["a", "list"])]  # fmt: skip
    draft = sets.read_file(io.BytesIO(b"".join(told)))
    made = sets.keep(name="Kept", draft=draft, by=rater)
    again = sets.read_file(io.BytesIO(b"".join(sets.lines(made.items.all()))))
    fields = [(item.prompt, item.task, item.answer, item.acceptable, item.deployment) for item in again.items]
    assert fields[0] == ("Who?", "qa", "Me.\nAnd you.", False, api)
    assert [deployment for *_most, deployment in fields[1:]] == [None, None]


def test_rated_answers_are_kept_with_what_most_of_their_raters_found(
    answered: Callable[..., Request], rater: User, shop: Application, api: Deployment
) -> None:
    good, bad = answered(5, 4, 1), answered(1, 2, 5)
    answered()  # nobody rated it
    answered(5, task="qa")
    answered(5, raw={"private": True})
    client = logged_in(rater)
    response = client.post(URL, {"name": "Support", "source": "rated", "task": "rag"})
    made = AnswerSet.objects.get()
    assert response["Location"] == f"/quality/sets/{made.pk}/"
    items = {item.request_id: item for item in made.items.all()}
    assert {key: item.acceptable for key, item in items.items()} == {good.id: True, bad.id: False}
    assert items[good.id].application == shop and items[good.id].deployment == api
    assert AuditEntry.objects.filter(action="added", object_type="traffic.answerset").exists()
    # The same name again is a new version, and the old one stays.
    client.post(URL, {"name": "Support", "source": "rated", "task": "rag"})
    assert list(AnswerSet.objects.order_by("pk").values_list("version", flat=True)) == [1, 2]
    assert made.items.count() == 2


def test_answers_that_won_their_pairs_are_kept(
    answered: Callable[..., Request], rater: User, shop: Application
) -> None:
    own = DeploymentFactory.create(slug="own")
    winner, loser = answered(), answered(deployment_id=own.pk)
    Pair.objects.create(
        candidate=own, baseline=Deployment.objects.get(slug="api"), candidate_request=loser.id,
        baseline_request=winner.id, application=shop, task="rag", outcome="baseline", votes=1,
    )  # fmt: skip
    logged_in(rater).post(URL, {"name": "Won", "source": "pairs", "task": "rag"})
    item = SetItem.objects.get()
    assert (item.request_id, item.acceptable, item.own_machines) == (winner.id, True, False)


@pytest.mark.parametrize("private", ["winner", "loser"])
def test_a_pair_with_a_private_side_is_left_out(
    answered: Callable[..., Request], shop: Application, private: str
) -> None:
    own, api = DeploymentFactory.create(slug="own"), Deployment.objects.get(slug="api")
    winner, loser = (answered(raw={"private": private == side}) for side in ("winner", "loser"))
    Pair.objects.create(candidate=own, baseline=api, candidate_request=loser.id, baseline_request=winner.id,
                        application=shop, task="rag", outcome="baseline", votes=1)  # fmt: skip
    assert sets.better_answers("rag", timezone.now().date(), [shop.pk]).items == []


def test_a_set_is_a_random_sample_within_its_bounds_and_the_form_counts_the_rest(
    answered: Callable[..., Request], rater: User, shop: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [answered(5, started_at=timezone.now() - timedelta(days=day)) for day in range(8)]
    today, within = timezone.now().date(), [shop.pk]
    twice = [answered(5, prompt="Twice?"), answered(1, prompt="Twice?")]
    assert len(sets.rated_answers("rag", today, within).items) == 9  # one of each prompt
    monkeypatch.setattr(sets, "MOST_PROMPTS", 2)
    draft = sets.rated_answers("rag", today, within)
    every = sorted([*requests, *twice], key=lambda it: md5(str(it.id).encode(), usedforsecurity=False).hexdigest())
    sample = [it.id for it in every if it is not max(twice, key=every.index)]
    assert draft.left_out == 7 and [item.request_id for item in draft.items] == sample[:2]
    response = logged_in(rater).post(URL, {"name": "Kept", "source": "rated", "task": "rag"}, follow=True)
    assert "7 more prompts are left out" in response.content.decode()
    total = sum(len(item.prompt) + len(item.answer) for item in draft.items[:1])
    monkeypatch.setattr(sets, "MOST_TOTAL", total)  # the texts beyond it are not read at all
    assert len(sets.rated_answers("rag", today, within).items) == 1


def test_who_may_not_read_the_texts_neither_sees_nor_takes_nor_sends_them(
    answered: Callable[..., Request], rater: User
) -> None:
    answered(5)
    logged_in(rater).post(URL, {"name": "Support", "source": "rated", "task": "rag"})
    made = AnswerSet.objects.get()
    other = logged_in(person("other", "traffic.add_trial"))
    page = other.get(f"{URL}{made.pk}/").content.decode()
    assert "May I return it?" not in page and "1 item is of an application whose texts you may not read" in page
    assert b"".join(other.get(f"{URL}{made.pk}/set.jsonl")) == b""
    assert sets.prompts_of(made, []) == []
    assert b"May I return it?" in b"".join(logged_in(rater).get(f"{URL}{made.pk}/set.jsonl"))
    assert AuditEntry.objects.filter(action="export", object_type="traffic.answerset").count() == 2


def test_a_file_beyond_the_bound_and_one_without_an_item_have_a_sentence(
    rater: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = logged_in(rater)
    empty = client.post(URL, {"name": "A", "source": "file", "file": SimpleUploadedFile("a.jsonl", b"no\n")})
    assert empty.status_code == 422 and "The line is not JSON" in empty.content.decode()
    monkeypatch.setattr(sets, "MOST_FILE", 10)
    large = client.post(URL, {"name": "A", "source": "file", "file": SimpleUploadedFile("a.jsonl", line())})
    assert large.status_code == 422 and "larger than 64 MB" in large.content.decode()
    assert not AnswerSet.objects.exists()


def test_a_trial_takes_the_prompts_of_a_set_and_its_page_shows_each_change(
    answered: Callable[..., Request], rater: User, api: Deployment, shop: Application
) -> None:
    kept = [answered(5), answered(5), answered(1), answered(5)]
    client = logged_in(rater)
    client.post(URL, {"name": "Support", "source": "rated", "task": "rag"})
    made, own = AnswerSet.objects.get(), DeploymentFactory.create(slug="own", name="Own")
    form = {"name": "Again", "candidate": own.pk, "source": "set", "answer_set": made.pk, "concurrency": "1",
            "seconds_per_step": 1, "answer_tokens": 50, "cap_usd": "1"}  # fmt: skip
    assert client.get(f"/quality/trials/add/?set={made.pk}").status_code == 200
    assert client.post("/quality/trials/add/", form).status_code == 302
    trial = Trial.objects.get()
    assert "Own: no new answer is rated yet." in client.get(f"{URL}{made.pk}/").content.decode()
    assert (trial.prompt_source, trial.source_name) == ("set", "Support v1")
    step = TrialStep.objects.create(trial=trial, number=0, deployment=own, concurrency=1)
    new = {}
    for prompt in TrialPrompt.objects.all():
        assert prompt.answered_by == api and prompt.application == shop
        request = answered(deployment_id=own.pk)
        TrialCall.objects.create(step=step, prompt=prompt, state="ok", charged=0, request_id=request.id)
        new[prompt.answered_request] = request
    ratings.rate(request=new[kept[0].id], judgement=Judgement("a", stars=1))
    ratings.rate(request=new[kept[2].id], judgement=Judgement("a", stars=5))
    Pair.objects.create(candidate=own, baseline=api, candidate_request=new[kept[1].id].id, task="rag",
                        baseline_request=kept[1].id, trial_id=trial.pk, outcome="baseline", votes=1)  # fmt: skip
    outcomes = {row.item.request_id: row.verdict for row in sets.outcomes(trial, list(made.items.all()))}
    assert outcomes == {kept[0].id: "worse", kept[1].id: "worse", kept[2].id: "better", kept[3].id: "open"}
    page = client.get(f"{URL}{made.pk}/").content.decode()
    assert "4 items in this set. Own: 2 worse and 1 better." in page and f"/requests/{kept[0].id}/" in page
    # The file and the API have the same, item by item.
    callers.clear()
    key = {"authorization": f"Bearer {create_key(name='ci', scopes=['trials', 'rate'])[1]}"}
    assert f'set.jsonl?trial={trial.pk}"' in page
    reads = [client.get(f"{URL}{made.pk}/set.jsonl?trial={trial.pk}"),
             Client().get(f"/api/v1/sets/{made.pk}/items?trial={trial.pk}", headers=key)]  # fmt: skip
    bodies = [b"".join(read) for read in reads]
    for body in bodies:
        rows = {row.pop("request_id"): row for row in map(json.loads, body.splitlines())}
        changes = [rows[str(new[it.id].id)]["change"] for it in kept]
        assert changes == ["worse", "worse", "better", "open"]
        first = rows[str(new[kept[0].id].id)]
        assert (first["trial"], first["ratings"], first["acceptable_ratings"]) == (trial.pk, 1, 0)
    assert len(sets.read_file(io.BytesIO(bodies[0])).items) == 4
    assert Client().get(f"/api/v1/sets/{made.pk}/items?trial=999", headers=key).status_code == 404


@pytest.mark.parametrize(
    ("acceptable", "good", "n", "chosen", "verdict"),
    [
        (True, 0, 1, "", "worse"), (False, 1, 2, "", "better"), (True, 2, 2, "", "same"), (None, 1, 1, "", "open"),
        (True, 0, 0, "", "open"), (True, 2, 2, "baseline", "worse"), (True, 0, 2, "tie", "same"),
        (None, 0, 0, "candidate", "better"),
    ],
)  # fmt: skip
def test_a_choice_decides_before_ratings(acceptable: bool | None, good: int, n: int, chosen: str, verdict: str) -> None:
    assert Outcome(SetItem(acceptable=acceptable), None, n, good, chosen).verdict == verdict


def test_a_private_prompt_of_a_set_goes_to_no_vendor(rater: User, api: Deployment, shop: Application) -> None:
    made = AnswerSet.objects.create(name="Own", version=1)
    SetItem.objects.create(answer_set=made, number=1, task="qa", prompt="Who?", own_machines=True, application=shop)
    form = {"name": "Again", "candidate": api.pk, "source": "set", "answer_set": made.pk, "concurrency": "1",
            "seconds_per_step": 1, "answer_tokens": 50, "cap_usd": "1"}  # fmt: skip
    assert "must not go to a vendor" in logged_in(rater).post("/quality/trials/add/", form).content.decode()
    assert not Trial.objects.exists()


def test_a_set_is_deleted_and_its_trials_stay(rater: User) -> None:
    made = sets.keep(name="Kept", draft=sets.read_file(io.BytesIO(line())), by=rater)
    trial = TrialFactory.create()
    TrialPrompt.objects.create(trial=trial, number=1, task="qa", text="Who?", set_item=made.items.get())
    assert logged_in(rater).post(f"{URL}{made.pk}/delete/").status_code == 302
    assert not SetItem.objects.exists() and trial.prompts.get().set_item is None
    assert AuditEntry.objects.filter(action="deleted", object_type="traffic.answerset").exists()


def test_deleting_an_applications_data_reaches_its_items(rater: User, shop: Application) -> None:
    made = sets.keep(name="Kept", draft=sets.read_file(io.BytesIO(line() + line(prompt="What?"))), by=rater)
    SetItem.objects.filter(number=1).update(application=shop)
    sets.erase_items(application=shop.pk)
    assert [item.prompt for item in made.items.all()] == ["What?"]
    assert Rating.objects.count() == 0
