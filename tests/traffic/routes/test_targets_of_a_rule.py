"""What a rule does with its targets: its form, its sentence on the page, and canaries that end by their bounds."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client

from providers.models import AuditEntry, Deployment
from tests.dashboard.logins import logged_in, with_role
from tests.factories import YEAR, ApplicationFactory, DeploymentFactory, TokenPriceFactory
from tests.traffic.request_rows import row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import Tokens
from traffic.ingest.store import ingest
from traffic.models import Fallback, Pair, Request, RequestBody, Route, RouteUse, ShadowCopy
from traffic.request_ids import day_of
from traffic.routes import queries, services
from traffic.routes.page import canary_sentence, handling, has_canary, routes_headline
from traffic.routes.queries import list_routes, read_routing
from traffic.routes.undo import bring_back, remembered

pytestmark = pytest.mark.django_db
URL = "/settings/routes/"
NOW = datetime.now(UTC)


@pytest.fixture
def ops() -> Client:
    with_role("ops")
    return logged_in(User.objects.get(username="ops"))


@pytest.fixture
def machines() -> list[Deployment]:
    return [DeploymentFactory.create(slug=f"m{n}", name=f"M{n}", engine="vllm", model="m") for n in range(3)]


def sent(**more: Any) -> dict[str, Any]:
    return {"name": "All", "slug": "all", "enabled": "on", "falls_back": "on", **more}


def full(machines: list[Deployment]) -> dict[str, Any]:
    first, second, third = (machine.pk for machine in machines)
    return sent(
        deployment=first, weight=3, fallback_1=second, weight_1=1, strategy="weighted", hedge_ms=800, canary=third,
        canary_percent=10, canary_errors=2, canary_ttft_ms=900, shadow=third, shadow_usd="5",
    )  # fmt: skip


def test_all_of_it_is_stored_read_by_the_gateway_and_said_in_sentences(ops: Client, machines: list[Deployment]) -> None:
    response = ops.post(URL + "add/", full(machines))
    assert response.status_code == 302, response.context["form"].errors
    rule = read_routing()[0][0]
    assert (rule.strategy, rule.weight, rule.fallbacks, rule.weights) == ("weighted", 3, ("m1",), (1,))
    assert (rule.hedge_ms, rule.canary, rule.canary_percent, rule.canary_ttft_ms) == (800, "m2", 10, 900)
    assert (rule.shadow, str(rule.shadow_usd)) == ("m2", "5.00")
    assert handling(list_routes()[0]) == (
        "Equal deployments by weight: M0 3, M1 1. A second one is asked after 800 ms."
        " M2 answers 10 % of conversations (canary). M2 gets copies for up to $5.00 a day (shadow)."
    )
    assert "M2 answers 10 % of conversations (canary)." in ops.get(URL).content.decode()
    changes = AuditEntry.objects.get(object_type="traffic.route").changes
    assert changes["Canary"] == [None, "m2"] and changes["Its weight"] == [None, "1"]


def test_saving_what_is_shown_changes_nothing_and_a_deleted_rule_comes_back_with_all_of_it(
    ops: Client, machines: list[Deployment]
) -> None:
    ops.post(URL + "add/", full(machines))
    form = ops.get(URL + "all/").context["form"]
    values = {name: form[name].value() for name in form.fields}
    shown = {n: v.pk if isinstance(v, Deployment) else v for n, v in values.items() if v not in (None, "", False)}
    before = read_routing()[0]
    assert ops.post(URL + "all/", shown).status_code == 302
    assert read_routing()[0] == before
    ops.post(URL + "all/delete/")
    ops.post(URL + "undo/")
    assert read_routing()[0] == before


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"weight_1": "", "hedge_ms": ""}, "strategy"),
        ({"weight_1": "", "strategy": ""}, "hedge_ms"),
        ({"fallback_1": ""}, "weight_1"),
        ({"deployment": "", "to_provider": "self"}, "weight_1"),
        ({"weight": "1001"}, "weight"),
        ({"hedge_ms": "1"}, "hedge_ms"),
        ({"canary_percent": ""}, "canary_percent"),
        ({"canary_percent": "100"}, "canary_percent"),
        ({"canary": ""}, "canary"),
        ({"shadow_usd": ""}, "shadow_usd"),
        ({"shadow_usd": "0"}, "shadow_usd"),
        ({"shadow": ""}, "shadow"),
        ({"private": "True"}, "shadow"),
        ({"fallback_2": "m2"}, "shadow"),
    ],
)
def test_what_contradicts_itself_is_said_at_its_field(
    ops: Client, machines: list[Deployment], wrong: dict[str, str], field: str
) -> None:
    pks = {machine.slug: str(machine.pk) for machine in machines}
    response = ops.post(URL + "add/", full(machines) | {name: pks.get(value, value) for name, value in wrong.items()})
    assert response.status_code == 422
    assert field in response.context["form"].errors
    assert not Route.objects.filter(slug="all").exists()


def canary(machines: list[Deployment], **use: int) -> Route:
    route = Route.objects.create(
        order=1, slug="all", name="All", deployment=machines[0], canary=machines[1], canary_percent=10,
        canary_ttft_ms=500,
    )  # fmt: skip
    RouteUse.objects.create(route=route, **use)
    return route


@pytest.mark.parametrize(
    ("use", "ended"),
    [
        ({"calls": 9, "failures": 9}, False),  # too few to say
        ({"calls": 20, "failures": 2}, False),  # 10 %, but it may be below 5 %
        ({"calls": 20, "failures": 5}, True),
        ({"calls": 1000, "failures": 50}, False),  # the bound itself
        ({"calls": 1000, "failures": 80}, True),
        ({"calls": 30, "streams": 30, "slow": 1}, False),
        ({"calls": 30, "streams": 30, "slow": 8}, True),
        ({"calls": 30, "streams": 3, "slow": 3}, False),
    ],
)
def test_a_canary_ends_where_its_bounds_are_passed_for_certain(
    machines: list[Deployment], use: dict[str, int], ended: bool
) -> None:
    canary(machines, **use)
    assert services.return_canaries(NOW) == ended
    assert read_routing()[0][0].canary == ("" if ended else "m1")
    assert services.return_canaries(NOW) == 0


def test_its_end_is_audited_said_on_the_page_and_taken_back(ops: Client, machines: list[Deployment]) -> None:
    canary(machines, calls=40, failures=12)
    assert has_canary(list_routes()[0])
    services.return_canaries(NOW)
    sentence = "The canary was ended: 12 of 40 calls failed, and 5 % is the limit."
    entry = AuditEntry.objects.get(object_type="traffic.route")
    assert (entry.actor_kind, entry.message) == ("system", sentence)
    page = ops.get(URL).content.decode()
    assert sentence in page and "Start the canary again" in page
    assert "was ended because it passed its limit" in routes_headline(list_routes())
    assert ops.post(URL + "all/switch/", {"canary": "1"}).status_code == 302
    assert read_routing()[0][0].canary == "m1"
    assert canary_sentence(list_routes()[0]) == "Canary: 0 calls, 0 failed."


def test_a_changed_canary_begins_anew(ops: Client, machines: list[Deployment]) -> None:
    canary(machines, calls=40, failures=12)
    services.return_canaries(NOW)
    changed = sent(deployment=machines[0].pk, canary=machines[2].pk, canary_percent=5)
    assert ops.post(URL + "all/", changed).status_code == 302
    assert (read_routing()[0][0].canary, RouteUse.objects.get().calls) == ("m2", 0)


def test_a_deleted_rule_comes_back_with_what_its_canary_and_shadow_have_done(
    ops: Client, machines: list[Deployment]
) -> None:
    canary(machines, calls=40, failures=12, streams=9, slow=1)
    services.return_canaries(NOW)
    RouteUse.objects.update(day=NOW.date(), usd=Decimal("1.25"))
    before = RouteUse.objects.values(
        "calls", "failures", "streams", "slow", "reason", "returned_at", "day", "usd"
    ).get()
    ops.post(URL + "all/delete/")
    ops.post(URL + "undo/")
    assert RouteUse.objects.values(*before).get() == before
    assert read_routing()[0][0].canary == ""  # ended, as it was


def test_a_rule_that_an_earlier_version_deleted_comes_back(machines: list[Deployment]) -> None:
    route = Route.objects.create(order=1, slug="all", name="All", deployment=machines[0])
    Fallback.objects.create(route=route, deployment=machines[1], order=1)
    deleted = remembered(route)
    route.delete()
    for name in ("canary", "shadow", "shadow_usd", "use"):
        del deleted[name]
    for name in ("strategy", "weight", "hedge_ms", "canary_percent", "canary_errors", "canary_ttft_ms"):
        del deleted["fields"][name]
    deleted["fallbacks"] = [pk for pk, _weight in deleted["fallbacks"]]
    assert bring_back(deleted) is not None
    rule = read_routing()[0][0]
    assert (rule.strategy, rule.fallbacks, rule.weights, rule.canary) == ("first", ("m1",), (None,), "")


def identifier(day: datetime, number: int) -> uuid.UUID:
    """A request id, whose leading bits are its day."""
    days = (day.date() - datetime(1970, 1, 1, tzinfo=UTC).date()).days
    return uuid.UUID(int=(days << 112) | (8 << 76) | (2 << 62) | number)


def test_a_copy_becomes_a_pair_once_both_answers_are_stored(machines: list[Deployment]) -> None:
    application = ApplicationFactory.create()
    first, second = identifier(NOW, 1), identifier(NOW, 2)
    copy = ShadowCopy.objects.create(
        candidate=machines[1], baseline=machines[0], candidate_request=second, baseline_request=first,
        application=application, task="rag", at=NOW,
    )  # fmt: skip
    assert services.pair_shadows(NOW) == 0 and ShadowCopy.objects.exists()
    for request in (first, second):
        RequestBody.objects.create(day=day_of(request), request_id=request, prompt="[1]", answer="x")
    assert services.pair_shadows(NOW) == 1
    pair = Pair.objects.get()
    assert (pair.candidate_id, pair.baseline_id, pair.task) == (machines[1].pk, machines[0].pk, "rag")
    assert pair.prompt_application_id == application.pk and pair.prompt_digest
    copy.pk = None
    copy.candidate_request = identifier(NOW, 3)
    copy.save()
    assert services.pair_shadows(NOW + timedelta(minutes=11)) == 0
    assert not ShadowCopy.objects.exists()  # its body never came


def test_a_copy_at_the_deployment_that_answered_is_dropped_and_stops_no_other(machines: list[Deployment]) -> None:
    same = {"baseline": machines[0], "application": ApplicationFactory.create(), "task": "rag", "at": NOW}
    for number, candidate in ((1, machines[0]), (3, machines[1])):
        first, second = identifier(NOW, number), identifier(NOW, number + 1)
        ids = {"candidate_request": second, "baseline_request": first}
        ShadowCopy.objects.create(candidate=candidate, **ids, **same)
        for request in (first, second):
            RequestBody.objects.create(day=day_of(request), request_id=request, prompt="[1]", answer="x")
    assert services.pair_shadows(NOW) == 1
    assert Pair.objects.get().candidate_id == machines[1].pk and not ShadowCopy.objects.exists()


def test_a_stored_call_fills_the_form_that_tries_the_rules(ops: Client, machines: list[Deployment], conn: Any) -> None:
    canary(machines)
    application = ApplicationFactory.create(slug="shop", name="Shop")
    call = row(
        started_at=NOW, source="gateway", application_id=application.pk, model="m", provider="self",
        tokens=Tokens(900, 0, 0, 0, 5), raw={"asked_model": "gpt-x"},
    )  # fmt: skip
    ingest(conn, [call], PricingContext.load(conn))
    stored = Request.objects.in_days(NOW.date(), NOW.date() + timedelta(days=1)).get()
    response = ops.get(f"{URL}try/?request={stored.id}", follow=True)
    form = response.context["form"]
    assert (form["model"].value(), form["task"].value(), form["tokens"].value()) == ("gpt-x", "rag", "900")
    assert form["application"].value() == str(application.pk)
    assert "sends this call to" in response.content.decode()
    assert ops.get(f"{URL}try/?request=no-id").status_code == 200
    page = ops.get(f"/requests/{stored.id}/").content.decode()
    assert f"/settings/routes/try/?request={stored.id}" in page


def test_the_page_shows_what_a_shadow_cost_of_its_amount_today_and_this_month(
    ops: Client, machines: list[Deployment], conn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies alone count, of the deployment that is the shadow now, and those of last month no more."""
    TokenPriceFactory.create(
        provider="anthropic", model="claude-test", starts_at=YEAR, seen_at=YEAR, uncached_input=1, cache_read=1,
        cache_write_5m=1, cache_write_1h=1, output=10,
    )  # fmt: skip
    shadow = DeploymentFactory.create(slug="s", name="S", provider="anthropic", engine="anthropic", model="claude-test")
    route = Route.objects.create(
        order=1, slug="all", name="All", deployment=machines[0], shadow=shadow, shadow_usd=Decimal(5)
    )
    tokens, month = Tokens(0, 0, 0, 0, 100_000), NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    rows = [
        row(n, started_at=at, deployment_id=pk, route="all", raw=raw, tokens=tokens)
        for n, (at, pk, raw) in enumerate(
            [
                (month, shadow.pk, {"shadow_of": "x"}),
                (month, shadow.pk, {"shadow_of": "y"}),
                (month, shadow.pk, {}),
                (month, machines[1].pk, {"shadow_of": "z"}),
                (month - timedelta(seconds=1), shadow.pk, {"shadow_of": "w"}),
            ]
        )
    ]
    ingest(conn, rows, PricingContext.load(conn))
    RouteUse.objects.create(route=route, day=NOW.date(), usd=Decimal("0.4212"))
    assert "Cost of the shadow: $0.4212 of $5.00 today (UTC). This month: $2.00." in ops.get(URL).content.decode()
    RouteUse.objects.update(day=NOW.date() - timedelta(days=1))
    assert "Cost of the shadow: $0.00 of $5.00 today" in ops.get(URL).content.decode()

    def late(ms: int) -> Any:
        raise OperationalError

    monkeypatch.setattr(queries, "at_most", late)
    assert "This month: not known." in ops.get(URL).content.decode()
    Route.objects.update(shadow=None)
    assert "Cost of the shadow" not in ops.get(URL).content.decode()
