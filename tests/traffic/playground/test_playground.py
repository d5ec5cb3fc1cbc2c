"""The playground through a gateway that runs: whole answers, streams, two sides, a pair kept, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.utils import timezone

from providers.audit.log import Actor, AuditEntry
from tests.factories import YEAR, PairFactory, TokenPriceFactory
from tests.traffic.gateway_stack import Stack, calm, stack, until
from tests.traffic.people import logged_in, person
from traffic.applications.forms import ApplicationForm
from traffic.authentication.keys import create_key
from traffic.caps.windows import window_of
from traffic.gateway.routes import Rule, Target
from traffic.judges import services as judges
from traffic.models import Application, Cap, CapUse, Key, Pair, UsageDay
from traffic.playground import sending, services
from traffic.playground.forms import MOST_PROMPT
from traffic.playground.queries import choices_of
from traffic.playground.views import LINES
from traffic.trials import services as trial_services

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db
URL = "/quality/playground/"
MADE_FOR = import_module("traffic.migrations.0032_made_for")
ANN = Actor("person", "ann")
ASKED = {"first": "own", "second": "", "prompt": "What is a break-even?", "answer_tokens": "50"}


@pytest.fixture(scope="module")
def owner(stack: Stack, django_db_blocker: Any) -> None:
    """The application and its key, where the gateway sees them."""
    with django_db_blocker.unblock():
        services.key(ANN)
        TokenPriceFactory.create(
            provider="anthropic", model="claude-test", starts_at=YEAR, seen_at=YEAR, uncached_input=3, cache_read=1,
            cache_write_5m=4, cache_write_1h=6, output=15,
        )  # fmt: skip


@pytest.fixture
def client(calm: Stack, owner: None, settings: Any) -> Iterator[Client]:
    settings.GATEWAY_URL = calm.url
    yield logged_in(person("ops", "traffic.use_playground", "traffic.view_request"))


def page(client: Client, **fields: str) -> str:
    response = client.post(URL, {**ASKED, **fields})
    assert response.status_code == 200, response.content.decode()[:2000]
    return " ".join(response.content.decode().split())


def lines(client: Client, **fields: str) -> list[dict[str, Any]]:
    response = client.post(URL, {**ASKED, **fields}, headers={"accept": "application/x-ndjson"})
    assert response["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in b"".join(response).splitlines()]


def test_without_a_script_the_page_shows_both_answers_with_their_figures(client: Client, calm: Stack) -> None:
    shown = page(client, second="claude")
    assert shown.count("Hello.") == 2
    for words in ("First token", "38 in, 12 out", "Cost", "Keep pair for rating"):
        assert words in shown
    for engine in (calm.own, calm.claude):
        (call,) = engine.seen
        assert json.loads(call["body"])["max_tokens"] == 50
    row = calm.newest(provider="anthropic")
    application = Application.objects.get(slug="playground")
    assert (row["application_id"], row["outcome"], row["streamed"]) == (application.pk, "ok", True)


def test_the_page_shows_what_is_used_of_its_cap_and_what_the_month_cost(client: Client, calm: Stack) -> None:
    page(client, first="claude")
    application = Application.objects.get(made_for="playground")
    days = UsageDay.objects.filter(application=application).update(cost=Decimal(3))
    cap = Cap.objects.get(application=application)
    CapUse.objects.update_or_create(
        cap=cap, starts_at=window_of(cap.period, timezone.now(), UTC).start, defaults={"amount": 4_200_000_000}
    )
    shown = " ".join(client.get(URL).content.decode().split())
    assert (
        "Cap of $5.00 a day: $4.20 used" in shown
        and "nearly reached" in shown
        and f"${3 * days}.00 this month" in shown
    )


def test_a_stream_comes_in_pieces_and_ends_with_tokens_cost_and_its_request(client: Client) -> None:
    *pieces, end = lines(client)
    assert "".join(piece.get("text", "") for piece in pieces) == "Hello."
    assert pieces[0]["ttft_ms"] > 0
    figures = dict(end["end"]["figures"])
    assert figures["Answered by"] == "own" and figures["Tokens"] != "not known yet"
    assert end["end"]["url"].startswith("/requests/") and end["end"]["problem"] == ""


def test_each_side_is_a_stream_of_its_own(client: Client, calm: Stack) -> None:
    assert dict(lines(client, second="claude", side="second")[-1]["end"]["figures"])["Answered by"] == "claude"
    assert not calm.own.seen


def test_a_reader_who_leaves_ends_the_call(client: Client, calm: Stack) -> None:
    calm.own.behaviour = "endless"
    answer = sending.Answer()
    stream = sending.pieces(sending.Ask("own", "Hi", 50, "own-model"), services.key(ANN), answer)
    assert next(stream).text
    stream.close()
    assert calm.own.hung_up.wait(20)
    assert until(lambda: calm.rows(str(answer.request))["outcome"] == "cancelled")


@pytest.mark.parametrize("behaviour", ["silent", "stalls"])
def test_a_reader_who_leaves_ends_the_call_though_no_piece_comes(client: Client, calm: Stack, behaviour: str) -> None:
    calm.own.behaviour = behaviour
    response = client.post(URL, ASKED, headers={"accept": LINES})

    def leave() -> None:
        until(lambda: calm.own.seen)
        response.stop()  # type: ignore[attr-defined]  # as the front does

    with ThreadPoolExecutor(1) as pool:
        pool.submit(leave)
        end = json.loads(b"".join(response).splitlines()[-1])["end"]
    assert end["problem"] == "The answer broke off."
    assert sending._places._value == sending.AT_ONCE


def test_two_answers_are_kept_as_a_pair_without_names(client: Client, calm: Stack) -> None:
    asked = "What is it?\nIn a sentence."
    tokens = [
        lines(client, second="claude", side=side, prompt=asked)[-1]["end"]["token"] for side in ("first", "second")
    ]
    answer = client.post(f"{URL}keep/", {"token": tokens, "prompt": asked.replace("\n", "\r\n")}, follow=True)
    assert "The pair is kept." in answer.content.decode()
    pair = Pair.objects.get()
    assert (pair.candidate.slug, pair.baseline.slug) == ("own", "claude")
    assert pair.application is not None and pair.application.slug == "playground"
    assert AuditEntry.objects.order_by("-pk")[0].message == "Pair of the playground kept for rating."
    for forged, words in (
        ({"token": tokens, "prompt": "Another prompt"}, "different prompts"),
        ({"token": [tokens[0], tokens[0]], "prompt": asked}, "A pair needs two."),
        ({"token": [tokens[0], "forged"], "prompt": asked}, "too old to be kept"),
        ({"prompt": asked}, "too old to be kept"),
    ):
        assert words in client.post(f"{URL}keep/", forged, follow=True).content.decode()
    assert Pair.objects.count() == 1


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [("400", "no"), ("500", "broken"), ("break", "broke off"), ("stream-error", "busy")],
)
def test_what_goes_wrong_is_a_sentence(client: Client, calm: Stack, behaviour: str, words: str) -> None:
    calm.own.behaviour = calm.claude.behaviour = behaviour
    end = lines(client)[-1]["end"]
    assert words in end["problem"] and end["token"] == ""


def test_without_a_gateway_the_page_says_so(client: Client, settings: Any) -> None:
    settings.GATEWAY_URL = "http://127.0.0.1:1"
    assert "The gateway does not answer. Check that it runs." in page(client)


def test_a_full_playground_says_so(client: Client, calm: Stack) -> None:
    places = [sending.place() for _ in range(sending.AT_ONCE)]
    for held in places:
        held.__enter__()
    try:
        assert "Too many answers are under way." in lines(client)[-1]["end"]["problem"]
    finally:
        for held in places:
            held.__exit__(None, None, None)
    assert not calm.own.seen


def test_bad_input_is_refused_beside_its_field(client: Client, calm: Stack) -> None:
    for fields in ({"prompt": ""}, {"prompt": "x" * (MOST_PROMPT + 1)}, {"first": "elsewhere"}, {"answer_tokens": "0"},
                   {"answer_tokens": "4001"}):  # fmt: skip
        assert client.post(URL, {**ASKED, **fields}).status_code == 422
    assert not calm.own.seen


def test_a_revoked_key_stops_the_playground(client: Client, calm: Stack) -> None:
    Key.objects.filter(application__slug="playground").update(revoked_at="2026-01-01T00:00Z")
    response = client.post(URL, ASKED)
    assert response.status_code == 422
    assert "The key of the playground is revoked." in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_two_sends_at_once_make_one_key() -> None:
    Application.objects.filter(made_for="playground").delete()

    def send(_number: int) -> str:
        try:
            return services.key(ANN)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(send, range(4)))) == 1
    assert Key.objects.filter(is_playground=True).count() == 1


def test_the_application_has_a_cap_and_stays_out_of_break_even() -> None:
    owner = services.application(ANN)
    assert (owner.test_only, owner.capture_bodies) == (True, True)
    cap = Cap.objects.get(application=owner)
    assert (cap.unit, cap.period, cap.amount) == ("usd", "day", services.DAILY_USD)
    cap.delete()
    services.application(ANN)
    assert not Cap.objects.filter(application=owner).exists()  # a person took it away


@pytest.fixture
def nothing_made(db: None) -> None:
    """As before the first send; the module's application is there for the gateway."""
    Application.objects.filter(made_for="playground").delete()


@pytest.mark.usefixtures("nothing_made")
def test_an_application_of_a_team_keeps_its_name_its_keys_and_its_texts(settings: Any) -> None:
    team = Application.objects.create(slug="playground", name="Playground", test_only=True)
    theirs = create_key(name="theirs", scopes=["gateway"], application=team)[0]
    services.key(ANN)
    owner = services.application(ANN)
    assert (owner.slug, owner.made_for) == ("playground-2", "playground")
    added = create_key(name="of a person", scopes=["gateway"], application=owner)[0]
    settings.SECRET_KEY = "another"  # the key follows from it
    services.key(ANN)
    assert Key.objects.live().filter(pk__in=[theirs.pk, added.pk]).count() == 2
    old, new = Key.objects.filter(is_playground=True).order_by("pk")
    assert old.revoked_at is not None and new.revoked_at is None
    assert services.own_slug() == "playground-2"


@pytest.mark.usefixtures("nothing_made")
def test_what_the_first_send_makes_is_in_the_audit_log() -> None:
    bob = Actor("person", "bob")
    services.key(bob)
    services.key(bob)
    entries = AuditEntry.objects.filter(actor="bob").order_by("pk").values_list("action", "object_type")
    kinds = ("application", "cap", "key")
    assert list(entries) == [("added", f"traffic.{kind}") for kind in kinds]


@pytest.mark.usefixtures("nothing_made")
@pytest.mark.parametrize(("name", "slug"), [("Playground", ""), ("Mine", "playground"), ("Judge", ""), ("x", "trials")])
def test_nobody_takes_a_short_name_of_the_products_own(name: str, slug: str) -> None:
    form = ApplicationForm({"name": name, "slug": slug})
    assert "This product has an application of this short name" in str(form.errors["slug"])


@pytest.mark.usefixtures("nothing_made")
def test_a_playground_from_before_its_mark_keeps_its_application() -> None:
    old = Application.objects.create(slug="playground", name="Playground", test_only=True)
    services.key(ANN)
    pair = PairFactory.create(application=services.application(ANN))
    Key.objects.filter(is_playground=True).update(application=old, is_playground=False)
    MADE_FOR.mark_old_playground(apps)
    assert services.own_slug() == "playground"
    assert services.application(ANN) == old
    pair.refresh_from_db()
    assert (pair.application, Application.objects.filter(name="Playground").count()) == (old, 1)
    assert Key.objects.get(is_playground=True).application == old


@pytest.mark.usefixtures("nothing_made")
def test_the_old_key_of_the_playground_leaves_the_application_of_a_team() -> None:
    services.key(ANN)
    services.application(ANN).delete()
    team = Application.objects.create(slug="playground", name="Team")
    services.key(ANN)
    Key.objects.filter(is_playground=True).update(application=team, is_playground=False)
    MADE_FOR.mark_old_playground(apps)
    assert not team.keys.exists()
    services.key(ANN)
    made = Key.objects.get(is_playground=True).application
    assert made is not None and made.slug == "playground-2"


def test_applications_of_trials_and_judges_are_marked_and_a_teams_are_not(db: None) -> None:
    trials = Application.objects.create(slug="trials", name="Trials", test_only=True)
    team = Application.objects.create(slug="judge", name="Judge", test_only=True)
    create_key(name="theirs", scopes=["gateway"], application=team)
    MADE_FOR.mark_named(apps)
    own = [judges.application(), trial_services.application()]
    assert [(owner.slug, owner.made_for) for owner in own] == [("judge-2", "judge"), ("trials", "trials")]
    assert own[1] == trials
    assert judges.application() == own[0]


def test_only_what_rules_open_for_the_playground_can_be_chosen() -> None:
    targets = tuple(
        Target(number, slug, "self", "vllm", "http://x", f"model-{slug}", down=slug == "b")
        for number, slug in enumerate("abc")
    )
    rules = (
        Rule("one", "First", deployment="a", fallbacks=("b",)),
        Rule("two", "Second", deployment="c", applications=("shop",)),
        Rule("three", "Third", deployment="a", private=True),
    )
    choices = choices_of(rules, targets, "playground")
    assert choices.groups == [("Deployments", [("a", "a"), ("b", "b (down)")]), ("Routes", [("one", "First")])]
    assert choices.models == {"a": "model-a", "b": "model-b"}


def test_it_needs_its_own_permission() -> None:
    stranger = logged_in(person("stranger", "traffic.view_request", "traffic.view_quality"))
    assert stranger.get(URL).status_code == 403
    assert stranger.post(f"{URL}keep/").status_code == 403
