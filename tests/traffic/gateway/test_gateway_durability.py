"""What a gateway outlives: a database that goes away, its own crash, a second gateway beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from dashboard.embedded.servers import free_port
from tests.traffic.gateway_stack import KEY, GatewayProcess, Stack, calm, stack, until
from traffic.gateway import snapshot
from traffic.gateway.environment import SettingMissing, read_settings

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

ASKED = {"model": "claude-test", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}


def ask(url: str, **headers: str) -> httpx.Response:
    return httpx.post(f"{url}/v1/messages", json=ASKED, headers={"x-api-key": KEY, **headers}, timeout=60)


def id_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return answer.headers["x-breakeven-request-id"]


def test_a_call_is_stored_without_another_after_it(calm: Stack) -> None:
    answer = ask(calm.url)
    row = calm.rows(id_of(answer))
    assert row["started_at"] <= datetime.now(UTC)
    hours = calm.conn.execute("SELECT sum(requests) FROM traffic_usage_hour").fetchone()
    assert hours is not None
    assert hours[0] == calm.count()


def test_calls_go_on_while_postgres_is_away_and_are_stored_after_its_return(calm: Stack) -> None:
    calm.rows(id_of(ask(calm.url)))
    calm.door.shut()
    try:
        ids = []
        for _ in range(5):
            ids.append(id_of(ask(calm.url)))
            time.sleep(0.3)
    finally:
        calm.door.reopen()
    for request_id in ids:
        calm.rows(request_id)


def test_calls_go_on_while_postgres_is_frozen(calm: Stack) -> None:
    calm.rows(id_of(ask(calm.url)))
    calm.door.freeze()
    try:
        ids = []
        for _ in range(4):
            ids.append(id_of(ask(calm.url)))  # before the thaw, which nothing but the last of them brings
            time.sleep(0.3)
    finally:
        calm.door.thaw()
    for request_id in ids:
        calm.rows(request_id)


def test_a_crash_loses_no_finished_call(calm: Stack) -> None:
    calm.door.shut()
    try:
        second = GatewayProcess(calm.gateway.database_url, calm.gateway.data_dir, calm.gateway.environment)
        calm.door.reopen()
        second.start()
        calm.door.shut()
        ids = [id_of(ask(second.url)) for _ in range(3)]
        second.kill()
    finally:
        calm.door.reopen()
    for request_id in ids:
        calm.rows(request_id)  # the gateway that lives adopts what the dead one left
    assert not list(calm.gateway.data_dir.glob("spool/*.new"))


def test_two_gateways_in_one_data_directory_store_all_calls_once(calm: Stack) -> None:
    second = GatewayProcess(calm.gateway.database_url, calm.gateway.data_dir, calm.gateway.environment).start()
    try:
        before = calm.count()
        ids = [id_of(ask(url)) for _ in range(10) for url in (calm.url, second.url)]
        for request_id in ids:
            calm.rows(request_id)
        assert len(set(ids)) == 20
        assert calm.count() == before + 20
    finally:
        second.stop()


def test_a_revoked_key_stops_and_its_use_is_noted(calm: Stack) -> None:
    assert ask(calm.url).status_code == 200
    used = "SELECT 1 FROM traffic_key WHERE name = %s AND last_used_at IS NOT NULL"
    until(lambda: calm.conn.execute(used, [KEY]).fetchone())
    with calm.changed(
        "UPDATE traffic_key SET revoked_at = now() WHERE name = 'be_key_of_the_shop'",
        "UPDATE traffic_key SET revoked_at = NULL WHERE name = 'be_key_of_the_shop'",
    ):
        assert ask(calm.url).status_code == 401
    assert ask(calm.url).status_code == 200


def test_a_key_made_a_moment_ago_works_at_once(calm: Stack) -> None:
    calm.conn.execute(
        "INSERT INTO traffic_key (application_id, name, hint, hash, scopes, created_at, quota_unit, quota_period)"
        " SELECT id, 'new', 'new', sha256('be_new'), '{gateway}', now(), 'requests', 'month'"
        " FROM traffic_application WHERE slug = 'shop'"
    )
    headers = {"x-api-key": "be_new"}
    assert httpx.post(f"{calm.url}/v1/messages", json=ASKED, headers=headers).status_code == 200


def test_an_open_outage_sends_calls_to_the_fallback_at_once(calm: Stack) -> None:
    with calm.changed(
        "INSERT INTO providers_outage (deployment_id, started_at, confirmed_at, cause)"
        " SELECT id, now(), now(), 'test' FROM providers_deployment WHERE slug = 'own'",
        "DELETE FROM providers_outage",
    ):
        answer = ask(calm.url, **{"x-breakeven-task": "rag"})
        assert answer.headers["x-breakeven-deployment"] == "claude"
        assert not calm.own.seen
        models = httpx.get(f"{calm.url}/v1/models", headers={"x-api-key": KEY}).json()["data"]
        assert [model["id"] for model in models] == ["claude-test"]


def test_routes_of_the_database_replace_the_shipped_ones(calm: Stack) -> None:
    with calm.changed(
        """
        WITH made AS (
            INSERT INTO traffic_route ("order", slug, name, enabled, tasks, requested_models, over_context,
                self_only_model, budget_states, to_provider, falls_back, deployment_id)
            SELECT 1, 'all-own', 'All to own', true, '{}', '{}', false, false, '{}', '', true, id
            FROM providers_deployment WHERE slug = 'own' RETURNING id
        ), fallback AS (
            INSERT INTO traffic_fallback (route_id, deployment_id, "order")
            SELECT made.id, d.id, 1 FROM made, providers_deployment d WHERE d.slug = 'claude'
        )
        INSERT INTO traffic_route_applications (route_id, application_id)
        SELECT made.id, a.id FROM made, traffic_application a WHERE a.slug = 'shop'
        """,
        "DELETE FROM traffic_fallback; DELETE FROM traffic_route_applications; DELETE FROM traffic_route",
    ):
        answer = ask(calm.url)
        assert (answer.headers["x-breakeven-rule"], answer.headers["x-breakeven-deployment"]) == ("all-own", "own")
        calm.own.behaviour = "503"
        assert ask(calm.url).headers["x-breakeven-deployment"] == "claude"


def test_no_database_at_the_start_means_wait_not_crash(calm: Stack) -> None:
    calm.door.shut()
    second = GatewayProcess(calm.gateway.database_url, calm.gateway.data_dir, calm.gateway.environment)
    try:
        second.spawn()
        until(lambda: _status(second.url))
        answer = ask(second.url)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["x-breakeven-error"] == "not-ready"
        calm.door.reopen()
        until(lambda: ask(second.url).status_code == 200)
    finally:
        calm.door.reopen()
        second.stop()


def test_the_first_snapshot_is_waited_for_until_it_is_read_or_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that listens before it would refuse calls in a rolling restart."""
    monkeypatch.setattr(snapshot, "FIRST_S", 3600.0)

    async def work() -> None:
        read, unread = (snapshot.Snapshots(f"postgresql://127.0.0.1:{free_port()}/none", str) for _ in range(2))
        view = snapshot.Snapshot(b"", {}, {}, (), ())
        waits = asyncio.create_task(read.first()), asyncio.create_task(unread.first())
        await asyncio.sleep(0.2)
        assert not any(wait.done() for wait in waits)
        read.latest = view
        await asyncio.to_thread(unread._try_to_read)
        first, none = await asyncio.gather(*waits)
        assert (first, none) == (view, None)

    asyncio.run(work())


def _status(url: str) -> int:
    try:
        return httpx.get(f"{url}/healthz").status_code
    except httpx.HTTPError:
        return 0


def test_the_gateway_imports_no_django() -> None:
    code = "import sys, traffic.gateway.app; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_gateway_that_is_stopped_records_the_stream_that_it_cuts(calm: Stack) -> None:
    calm.claude.behaviour = "endless"
    second = another(calm, BREAKEVEN_GATEWAY_GRACE="1")
    with streaming(second.url) as (request_id, pieces):
        next(pieces)
        second.stop()
    row = calm.rows(request_id)
    assert (row["outcome"], row["error_type"]) == ("cancelled", "gateway_stopped")
    assert row["raw"]["usage"]["cache_read_input_tokens"] == 300


def test_a_gateway_that_is_stopped_lets_streams_end_and_sends_new_calls_away(calm: Stack) -> None:
    calm.claude.behaviour = "slow"
    second = another(calm)
    with streaming(second.url) as (request_id, pieces):
        body = next(pieces)
        assert second.process is not None
        os.killpg(second.process.pid, signal.SIGTERM)  # as a supervisor does it: each process gets it more than once
        refused = until(lambda: (got := ask(second.url)).status_code == 503 and got)
        assert (refused.headers["x-breakeven-error"], refused.headers["retry-after"]) == ("stopping", "5")
        assert refused.json()["type"] == "error"
        assert httpx.get(f"{second.url}/healthz").status_code == 503
        calm.claude.behaviour = "ok"
        body += b"".join(pieces)
    assert body.endswith(b'data: {"type": "message_stop"}\n\n')
    assert second.process.wait(120) == 0
    assert calm.rows(request_id)["outcome"] == "ok"


def test_a_call_that_a_killed_gateway_took_along_is_a_row(calm: Stack) -> None:
    calm.claude.behaviour = "endless"
    second = another(calm)
    with contextlib.suppress(httpx.HTTPError), streaming(second.url) as (request_id, pieces):
        next(pieces)
        time.sleep(1.2)  # long enough that the spool was moved meanwhile
        calm.claude.behaviour = "ok"
        ended = [id_of(ask(second.url)) for _ in range(2)]
        time.sleep(1.2)
        assert calm.conn.execute(COUNT, [[request_id]]).fetchone() == (0,)  # it lives: nobody says that it died
        second.kill()
    row = calm.rows(request_id)
    assert (row["outcome"], row["error_type"], row["streamed"]) == ("cancelled", "gateway_died", True)
    assert (row["uncached_input"], row["output"], row["cost"]) == (None, None, None)
    assert (row["provider"], row["model"], row["route"]) == ("anthropic", "claude-test", "otherwise")
    assert calm.conn.execute(COUNT, [[request_id, *ended]]).fetchone() == (3,)
    assert [calm.rows(each)["outcome"] for each in ended] == ["ok", "ok"]


@pytest.mark.parametrize("text", ["30s", "-1", "nan"])
def test_a_grace_that_is_no_time_is_said_so(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://x")
    monkeypatch.setenv("BREAKEVEN_GATEWAY_GRACE", text)
    with pytest.raises(SettingMissing, match="BREAKEVEN_GATEWAY_GRACE must be a number of seconds"):
        read_settings()


COUNT = "SELECT count(*) FROM traffic_request WHERE id = ANY(%s)"


def another(calm: Stack, **environment: str) -> GatewayProcess:
    """A gateway beside the first, in the same data directory."""
    variables = {**calm.gateway.environment, **environment}
    return GatewayProcess(calm.gateway.database_url, calm.gateway.data_dir, variables).start()


@contextlib.contextmanager
def streaming(url: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    """A stream that is open: the id of its call and its pieces."""
    body = {**ASKED, "stream": True}
    with httpx.stream("POST", f"{url}/v1/messages", json=body, headers={"x-api-key": KEY}, timeout=60) as answer:
        pieces = answer.iter_bytes()  # held, for a client that drops them has hung up
        yield answer.headers["x-breakeven-request-id"], pieces
