"""A target that refuses calls: asked once more where no other can answer, and last after a row of failures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.traffic.gateway_stack import KEY, GatewayProcess, Stack, calm, stack, until
from traffic.gateway.resilience import Cooling, again_in
from traffic.gateway.routes import Decision, Target
from traffic.gateway.vendor_limits import read_limits

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db
OWN, CLAUDE = (Target(number, slug, "self", "vllm", "http://h", "m") for number, slug in ((1, "own"), (2, "claude")))
BOTH = Decision("rule", (OWN, CLAUDE))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("status", "headers", "least", "most"),
    [
        (503, {}, 0.2, 0.6),
        (529, {}, 0.2, 0.6),
        (429, {"retry-after": "1"}, 1, 1.2),
        (429, {"retry-after": "0"}, 0, 0.2),
    ],
)
def test_a_busy_target_is_asked_again_in_a_moment(
    status: int, headers: dict[str, str], least: float, most: float
) -> None:
    for _ in range(50):
        wait = again_in(status, headers)
        assert wait is not None and least <= wait <= most


@pytest.mark.parametrize(("status", "headers"), [(500, {}), (400, {}), (200, {}), (429, {"retry-after": "7"})])
def test_others_are_not(status: int, headers: dict[str, str]) -> None:
    assert again_in(status, headers) is None


def test_after_five_failures_in_a_row_a_target_is_asked_last_for_ten_seconds() -> None:
    clock = Clock()
    cooling = Cooling(clock=clock)
    for _ in range(4):
        cooling.failed(OWN)
    assert cooling.reorder(BOTH) is BOTH
    cooling.failed(OWN)
    assert cooling.reorder(BOTH) == Decision("rule", (CLAUDE, OWN), instead_of="own")
    assert cooling.reorder(Decision("rule", (OWN,))).targets == (OWN,)  # it is all there is
    clock.now = 10
    assert cooling.reorder(BOTH) is BOTH
    cooling.failed(OWN)  # the first call after it fails too
    assert cooling.reorder(BOTH).targets == (CLAUDE, OWN)
    cooling.answered(OWN)
    assert cooling.reorder(BOTH) is BOTH


def test_a_target_cools_down_as_long_as_it_asks_for_but_a_minute_at_most() -> None:
    clock = Clock()
    cooling = Cooling(clock=clock)
    for _ in range(5):
        cooling.failed(OWN, wait=30)
    clock.now = 29
    assert cooling.reorder(BOTH).targets == (CLAUDE, OWN)
    clock.now = 31
    cooling.failed(OWN, wait=86_400)
    clock.now = 92
    assert cooling.reorder(BOTH).targets == (OWN, CLAUDE)


def test_where_all_cool_down_the_order_is_the_routes() -> None:
    cooling = Cooling()
    for target in (OWN, CLAUDE) * 5:
        cooling.failed(target)
    assert cooling.reorder(BOTH) is BOTH


@pytest.fixture
def cooling_gateway(calm: Stack, tmp_path: Any) -> Iterator[GatewayProcess]:
    environment = {**calm.gateway.environment, "BREAKEVEN_GATEWAY_COOLDOWN": "30"}
    gateway = GatewayProcess(calm.gateway.database_url, tmp_path, environment).start()
    yield gateway
    gateway.stop()
    calm.conn.execute("UPDATE providers_deployment SET cooling_until = NULL")  # which all gateways share


def ask(url: str, **headers: str) -> httpx.Response:
    body = {"model": "own-model", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
    sent = {"x-api-key": KEY, "x-breakeven-task": "rag", **headers}
    return httpx.post(f"{url}/v1/messages", json=body, headers=sent, timeout=60)


def test_a_failing_engine_is_left_alone_while_another_answers(calm: Stack, cooling_gateway: GatewayProcess) -> None:
    calm.own.behaviour = "503"
    answers = [ask(cooling_gateway.url) for _ in range(9)]
    assert [answer.headers["x-breakeven-deployment"] for answer in answers] == ["claude"] * 9
    assert len(calm.own.seen) == 5
    row = calm.rows(answers[-1].headers["x-breakeven-request-id"])
    assert row["raw"]["instead_of"] == "own" and "tries" not in row["raw"]


def test_what_a_callers_own_body_breaks_leaves_the_engine_where_it_is(
    calm: Stack, cooling_gateway: GatewayProcess
) -> None:
    calm.own.behaviour = "500"
    assert {ask(cooling_gateway.url).headers["x-breakeven-deployment"] for _ in range(6)} == {"claude"}
    calm.own.behaviour = "ok"
    assert ask(cooling_gateway.url).headers["x-breakeven-deployment"] == "own"


def test_an_engine_that_is_busy_for_a_moment_costs_no_call(calm: Stack) -> None:
    calm.own.behaviour = "503-once"
    answer = ask(calm.url, **{"x-breakeven-private": "1"})
    assert answer.status_code == 200
    assert len(calm.own.seen) == 2
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert row["raw"]["tries"] == [{"deployment": "own", "status": 503}]


def test_the_rate_limits_of_a_vendor_are_kept_by_deployment(calm: Stack) -> None:
    assert ask(calm.url, **{"x-breakeven-route": "claude"}).status_code == 200
    query = "SELECT slug, vendor_limits FROM providers_deployment WHERE vendor_limits_at IS NOT NULL"
    rows = until(lambda: calm.conn.execute(query).fetchall())
    assert rows == [("claude", {"tokens": {"limit": 40_000, "remaining": 36_000}})]  # our own has none


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        ({"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59"}, {"requests": (60, 59)}),
        (
            {
                "anthropic-ratelimit-input-tokens-limit": "50",
                "anthropic-ratelimit-input-tokens-remaining": "70",
                "anthropic-ratelimit-requests-limit": "5",
            },
            {"input_tokens": (50, 50)},
        ),
        ({"x-ratelimit-limit-tokens": "0", "x-ratelimit-remaining-tokens": "0"}, {}),
        ({"x-ratelimit-limit-tokens": "9" * 40, "x-ratelimit-remaining-tokens": "1"}, {}),
        ({"x-ratelimit-limit-tokens": "-5", "x-ratelimit-remaining-tokens": "١"}, {}),
    ],
)
def test_what_makes_no_sense_is_no_limit(headers: dict[str, str], limits: dict[str, tuple[int, int]]) -> None:
    assert {name: (row["limit"], row["remaining"]) for name, row in read_limits(headers).items()} == limits
