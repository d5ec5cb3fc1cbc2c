"""Caps in gateways as they run in earnest: three processes, one Valkey, and calls that come at once."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import redis

from tests.factories import YEAR, TokenPriceFactory
from tests.traffic.gateway_peers import Door
from tests.traffic.gateway_stack import NEW_KEY, GatewayProcess, Stack, calm, stack, until

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

LONG = "May I return it? " * 40  # the engine reports 377 tokens in all, whatever is asked
EACH = 465_000  # thousand millionths of a USD


@dataclass
class Gateways:
    """Three of them, and what they share."""

    stack: Stack
    processes: list[GatewayProcess]
    valkey: redis.Redis
    door: Door  # between them and Valkey

    def key(self, *caps: tuple[str, str, str]) -> str:
        """A new key of the shop with caps of (unit, period, amount), once all gateways know it."""
        secret = secrets.token_urlsafe()
        with self.read_by_all():
            (key,) = self.stack.conn.execute(NEW_KEY, [sha256(secret.encode()).digest()]).fetchone() or (0,)
            for cap in caps:
                self.cap("key", key, *cap)
        return secret

    def read_by_all(self) -> AbstractContextManager[None]:
        return self.stack.read_by(*(process.url for process in self.processes))

    def cap(
        self, owner: str, owner_id: int, unit: str, period: str, amount: str, *, each_user: bool = False, task: str = ""
    ) -> None:
        query = f"""INSERT INTO traffic_cap ({owner}_id, unit, period, amount, each_user, task, created_at)
            VALUES (%s, %s, %s, %s, %s, %s, now())"""
        self.stack.conn.execute(query, [owner_id, unit, period, amount, each_user, task])

    def call(
        self, key: str, number: int = 0, *, private: bool = True, path: str = "messages", route: str = "",
        task: str = "", **more: Any,
    ) -> httpx.Response:  # fmt: skip
        """A call by one of the gateways, to our own engine where it is private."""
        asked = {"model": "own-model", "max_tokens": 50, "messages": [{"role": "user", "content": LONG}], **more}
        url = self.processes[number % len(self.processes)].url
        headers = {"x-api-key": key, **({"x-breakeven-private": "1"} if private else {})}
        headers |= {"x-breakeven-route": route} if route else {}
        headers |= {"x-breakeven-task": task} if task else {}
        return httpx.post(f"{url}/v1/{path}", json=asked, headers=headers, timeout=60)

    def at_once(self, key: str, calls: int, **more: Any) -> Counter[int]:
        with ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(lambda number: self.call(key, number, **more), range(calls)))
        assert all(a.headers["x-breakeven-error"] == "cap" for a in answers if a.status_code == 429)
        return Counter(answer.status_code for answer in answers)

    def written(self) -> str:
        """The log lines of all three."""
        return "".join(Path(process.log.name).read_text() for process in self.processes)

    def used(self, unit: str) -> int:
        """What Postgres has counted of the caps of a unit."""
        query = """SELECT coalesce(sum(u.amount), 0) FROM traffic_capuse u JOIN traffic_cap c ON c.id = cap_id
            WHERE unit = %s"""
        row = self.stack.conn.execute(query, [unit]).fetchone()
        return int(row[0]) if row else 0


@pytest.fixture(scope="module")
def three(
    stack: Stack, valkey_url: str, tmp_path_factory: Any, django_db_blocker: Any
) -> Iterator[tuple[list[GatewayProcess], Door]]:
    address = urlsplit(valkey_url)
    door = Door(stack.own.loop, "127.0.0.1", address.port or 6379)
    through = address._replace(netloc=address.netloc.replace(str(address.port), str(door.port))).geturl()
    environment = {**stack.gateway.environment, "REDIS_URL": through}
    url = stack.gateway.database_url
    processes = [GatewayProcess(url, tmp_path_factory.mktemp(f"gateway-{n}"), environment) for n in range(3)]
    with django_db_blocker.unblock():
        TokenPriceFactory.create(
            provider="anthropic", model="claude-test", starts_at=YEAR, seen_at=YEAR, uncached_input=3,
            cache_read=Decimal("0.3"), cache_write_5m=Decimal("3.75"), cache_write_1h=6, output=15,
        )  # fmt: skip
    for process in processes:
        process.spawn()
    for process in processes:
        until(process.answers)
    yield processes, door
    for process in processes:
        process.stop()
    door.close()


@pytest.fixture
def gateways(calm: Stack, three: tuple[list[GatewayProcess], Door], valkey_url: str) -> Iterator[Gateways]:
    with redis.Redis.from_url(valkey_url) as valkey:
        yield Gateways(calm, three[0], valkey, three[1])
    three[1].reopen()
    # A gateway may write what was used of a cap in between.
    with calm.conn.transaction():
        for change in ("LOCK TABLE traffic_cap, traffic_capuse", "DELETE FROM traffic_capuse",
                       "DELETE FROM traffic_cap", "DELETE FROM traffic_route",
                       "UPDATE traffic_installation SET caps_refuse = false"):  # fmt: skip
            calm.conn.execute(change)


def test_two_hundred_calls_at_once_do_not_pass_a_cap_of_calls(gateways: Gateways) -> None:
    key = gateways.key(("requests", "day", "40"))
    assert gateways.at_once(key, 200) == {200: 40, 429: 160}
    until(lambda: gateways.used("requests") == 40)


def test_two_hundred_calls_at_once_do_not_pass_a_cap_of_tokens(gateways: Gateways) -> None:
    key = gateways.key(("tokens", "day", "20000"))  # the engine reports 377 for each
    answered = gateways.at_once(key, 200)[200]
    assert 0 < answered * 377 <= 20_000
    until(lambda: gateways.used("tokens") == answered * 377)
    more = sum(gateways.call(key, n).status_code == 200 for n in range(60))
    assert 19_000 < (answered + more) * 377 <= 20_000


def test_two_hundred_calls_at_once_do_not_pass_a_cap_of_usd(gateways: Gateways) -> None:
    """20 tokens at 3, 300 read from cache at 0.3, 50 written, 7 answered at 15 USD a million: 0.000465 USD each."""
    key = gateways.key(("usd", "day", "0.05"))
    calls = [gateways.call(key, model="claude-test", private=False, max_tokens=100).status_code for _ in range(3)]
    assert calls == [200] * 3
    answered = 3 + gateways.at_once(key, 200, model="claude-test", private=False, max_tokens=100)[200]
    until(lambda: gateways.used("usd") == answered * EACH)
    assert answered * EACH <= 50_000_000


def test_the_answer_names_what_is_used_and_when_the_next_day_begins_and_a_row_is_kept(gateways: Gateways) -> None:
    key = gateways.key(("requests", "day", "1"))
    assert gateways.call(key).status_code == 200
    for path, inner in (("messages", {"type": "rate_limit_error"}), ("chat/completions", {"code": "cap"})):
        answer = gateways.call(key, path=path)
        assert (answer.status_code, answer.headers["x-breakeven-error"]) == (429, "cap")
        assert 0 < int(answer.headers["retry-after"]) <= 86_400
        error = answer.json()["error"]
        assert error.items() >= inner.items()
        assert error["message"].startswith("The cap of 1 requests a day of this key is reached: 1 request are used")
        assert "The next day begins at " in error["message"]
        row = gateways.stack.rows(answer.headers["x-breakeven-request-id"])
        assert (row["outcome"], row["error_type"], row["http_status"], row["output"]) == ("refused", "cap", 429, 0)
    until(lambda: gateways.used("requests") == 1)


def test_an_absurd_max_tokens_is_refused_by_a_sentence_and_reserves_nothing(gateways: Gateways) -> None:
    key = gateways.key(("tokens", "day", "20000"))
    for absurd in (10**9, 10**17, 10**30):
        answer = gateways.call(key, max_tokens=absurd)
        assert answer.status_code == 429
        assert "which is more than all of it: send a smaller max_tokens" in answer.json()["error"]["message"]
    assert gateways.call(key).status_code == 200


def test_calls_without_caps_ask_valkey_nothing(gateways: Gateways) -> None:
    capped, free = gateways.key(("requests", "day", "100")), gateways.key()
    gateways.call(capped)
    time.sleep(1)

    def commands() -> int:
        return int(gateways.valkey.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0))

    total = int(gateways.valkey.info("stats")["total_commands_processed"])
    before = commands()
    assert all(gateways.call(free, n).status_code == 200 for n in range(30))
    assert commands() == before
    assert int(gateways.valkey.info("stats")["total_commands_processed"]) - total <= 3  # this test's own
    gateways.call(capped)
    assert commands() == before + 1


def test_counters_that_valkey_lost_are_read_from_postgres(gateways: Gateways) -> None:
    key = gateways.key(("requests", "month", "30"), ("tokens", "week", "1000000"))
    assert gateways.at_once(key, 20) == {200: 20}
    until(lambda: gateways.used("requests") == 20)
    time.sleep(1.5)
    gateways.valkey.flushall()
    assert gateways.at_once(key, 30) == {200: 10, 429: 20}
    assert "cap_counters_lost" in gateways.written()
    until(lambda: gateways.used("requests") == 30)
    assert gateways.used("tokens") == 30 * 377


def test_a_call_whose_target_fails_reserves_nothing_any_more(gateways: Gateways) -> None:
    key = gateways.key(("tokens", "day", "2000"))  # a call may use 500 or so
    gateways.stack.own.behaviour = "500"
    assert [gateways.call(key, n).status_code for n in range(12)] == [500] * 12
    gateways.stack.own.behaviour = "ok"
    assert gateways.call(key).status_code == 200


def test_where_usage_is_not_known_what_was_reserved_counts(gateways: Gateways) -> None:
    key = gateways.key(("tokens", "day", "20000"))
    gateways.stack.own.behaviour = "silent"
    with pytest.raises(httpx.ReadTimeout):
        headers = {"x-api-key": key, "x-breakeven-private": "1"}
        asked = {"model": "own-model", "max_tokens": 5_000, "messages": [{"role": "user", "content": LONG}]}
        httpx.post(f"{gateways.processes[0].url}/v1/messages", json=asked, headers=headers, timeout=0.5)
    until(lambda: gateways.used("tokens") > 5_300)
    gateways.stack.own.behaviour = "ok"
    answer = gateways.call(key, max_tokens=16_000)
    assert "The cap of 20,000 tokens a day of this key is reached: 5,4" in answer.json()["error"]["message"]


def test_each_user_of_an_application_has_a_cap_of_their_own(gateways: Gateways) -> None:
    key = gateways.key()
    shop = gateways.stack.conn.execute("SELECT id FROM traffic_application WHERE slug = 'shop'").fetchone()
    assert shop
    with gateways.read_by_all():
        gateways.cap("application", shop[0], "requests", "day", "2", each_user=True)

    def statuses(**more: Any) -> list[int]:
        return [gateways.call(key, n, **more).status_code for n in range(3)]

    for user in ("ann", "ben"):
        assert statuses(metadata={"user_id": user}) == [200, 200, 429]
    assert statuses() == [200, 200, 429]  # calls that name nobody share one


def test_a_cap_of_one_task_is_not_passed_and_holds_no_other_call(gateways: Gateways) -> None:
    key = gateways.key()
    shop = gateways.stack.conn.execute("SELECT id FROM traffic_application WHERE slug = 'shop'").fetchone()
    assert shop
    with gateways.read_by_all():
        gateways.cap("application", shop[0], "requests", "day", "10", task="code")
        gateways.cap("application", shop[0], "requests", "day", "2", task="qa", each_user=True)
    assert gateways.at_once(key, 60, task="code") == {200: 10, 429: 50}
    words = gateways.call(key, task="code").json()["error"]["message"]
    assert words.startswith("The cap of 10 requests a day for the task code of this application is reached")
    for user in ("ann", "ben"):
        of_user: Any = {"task": "qa", "metadata": {"user_id": user}}
        assert [gateways.call(key, n, **of_user).status_code for n in range(3)] == [200, 200, 429]
    assert gateways.at_once(key, 12, task="chat") == {200: 12}
    until(lambda: gateways.used("requests") == 14)


def test_where_the_route_says_so_the_next_rule_answers(gateways: Gateways) -> None:
    for order, (slug, provider, next_at_cap) in enumerate((("claude", "anthropic", True), ("own", "self", False))):
        gateways.stack.conn.execute(
            """INSERT INTO traffic_route ("order", slug, name, enabled, tasks, requested_models, over_context,
                self_only_model, budget_states, to_provider, falls_back, next_at_cap)
            VALUES (%s, %s, %s, true, '{}', '{}', false, false, '{}', %s, true, %s)""",
            [order, slug, slug, provider, next_at_cap],
        )
    key = gateways.key(("usd", "day", "0.005"))
    answers = [gateways.call(key, model="claude-test", private=False, max_tokens=100) for _ in range(9)]
    assert [answer.status_code for answer in answers] == [200] * 9
    rules = [answer.headers["x-breakeven-rule"] for answer in answers]
    assert rules[0] == "claude" and rules[-1] == "own" and rules == sorted(rules)
    row = gateways.stack.rows(answers[-1].headers["x-breakeven-request-id"])
    assert row["raw"]["tries"] == [{"rule": "claude", "error": "cap"}]


def test_a_cap_of_usd_refuses_a_model_without_a_price(gateways: Gateways) -> None:
    key = gateways.key(("usd", "day", "5"))
    change = "UPDATE providers_deployment SET model = '{}' WHERE slug = 'claude'"
    with gateways.stack.changed(change.format("new"), change.format("claude-test"), gateways.processes[0].url):
        answer = gateways.call(key, private=False, route="claude")
    assert (answer.status_code, answer.headers["x-breakeven-error"]) == (403, "cap-without-price")
    assert gateways.call(key).status_code == 200  # our own GPUs: their hours are paid


def test_without_valkey_calls_go_on_and_are_counted_when_it_is_back(gateways: Gateways) -> None:
    key = gateways.key(("requests", "day", "10"))
    assert gateways.at_once(key, 4) == {200: 4}
    gateways.door.shut()
    assert gateways.at_once(key, 5) == {200: 5}
    until(lambda: gap(gateways) == 5)
    assert "cap_counters_away" in gateways.written()
    gateways.door.reopen()
    until(lambda: gateways.used("requests") == 9)
    time.sleep(3)  # in which each gateway adds what it let through
    assert gateways.at_once(key, 6) == {200: 1, 429: 5}


def test_without_valkey_calls_are_refused_where_the_installation_says_so(gateways: Gateways) -> None:
    key, free = gateways.key(("requests", "day", "10")), gateways.key()
    with gateways.read_by_all():
        gateways.stack.conn.execute("UPDATE traffic_installation SET caps_refuse = true")
    gateways.door.shut()
    answer = gateways.call(key)
    assert (answer.status_code, answer.headers["x-breakeven-error"]) == (503, "caps-away")
    assert answer.headers["retry-after"] == "2"
    assert gateways.call(free).status_code == 200
    gateways.door.reopen()
    until(lambda: gateways.call(key).status_code == 200)


def gap(gateways: Gateways) -> int:
    """Calls that the alert is told of, since the tests of it began."""
    row = gateways.stack.conn.execute("SELECT cap_gap_calls FROM traffic_installation").fetchone()
    return int(row[0]) if row else 0
