"""The simulated vendors themselves: faults on command, state that lasts, and the wire's small print."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from mailbox import Maildir
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest
import time_machine

from providers.connectors import connect
from sandbox.anthropic import ADMIN_KEY, API_KEY
from sandbox.faults import Faults
from sandbox.testing import Sandbox, running_sandbox
from tests.providers.answers import Answers

NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
then = time_machine.travel(NOW)  # Claude's reports reach back a year, also from the day on which this runs
REPORT = "/anthropic/v1/organizations/analytics/usage"
HEADERS = {
    "authorization": f"Bearer {ADMIN_KEY}",
    "anthropic-version": "2026-10-21",
    "anthropic-beta": "analytics-usage-cost-2026-08-24",
}
PERIOD = {
    "starting_at": "2026-11-20T00:00:00Z",
    "ending_at": "2026-11-24T00:00:00Z",
    "time_bucket_width": "1h",
    "group_by[]": "model",
}


def row(hour: str, **changes: Any) -> dict[str, Any]:
    tokens = {"uncached_input": 10, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "output": 5}
    cost = {"uncached_input": "0.00002", "output": "0.00005"}
    base = {"hour": hour, "model": "claude-sonnet-5-5", "service_tier": "standard", "workspace": "w", "api_key": "k"}
    return base | {"requests": 1, "tokens": tokens, "cost": cost, "web_searches": 0} | changes


@pytest.fixture
def claude(sandbox: Sandbox) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=API_KEY, base_url=f"{sandbox.url}/anthropic", max_retries=0) as client:
        yield client


def ask(client: anthropic.Anthropic, text: Any = "hello", **options: Any) -> anthropic.types.Message:
    options = {"model": "claude-haiku-4-5", "max_tokens": 30, **options}
    message: anthropic.types.Message = client.messages.create(messages=[{"role": "user", "content": text}], **options)
    return message


def test_it_is_alive(sandbox: Sandbox) -> None:
    assert httpx.get(f"{sandbox.url}/healthz").status_code == 200


def test_a_counted_fault_passes_by_itself(sandbox: Sandbox) -> None:
    answer = httpx.post(f"{sandbox.url}/faults", json={"vendor": "lambda", "kind": "500", "count": 2})
    assert answer.status_code == 200
    codes = [httpx.get(f"{sandbox.url}/lambda/instances").status_code for _ in range(3)]
    assert codes == [500, 500, 401]


def test_a_timed_fault_passes_by_itself() -> None:
    now = 100.0
    faults = Faults(clock=lambda: now)
    faults.set("vast", "html", for_s=30)
    now = 129.9
    assert faults.take("vast") == "html"
    now = 130.0
    assert faults.take("vast") is None
    assert faults.listed() == []


def test_faults_are_cleared_on_command_and_hit_one_vendor_alone(sandbox: Sandbox) -> None:
    sandbox.fault("vast", "500")
    assert httpx.get(f"{sandbox.url}/lambda/instances").status_code == 401
    assert httpx.get(f"{sandbox.url}/vast/api/v0/users/current/").status_code == 500
    assert httpx.delete(f"{sandbox.url}/faults").status_code == 200
    assert httpx.get(f"{sandbox.url}/vast/api/v0/users/current/").status_code == 403


@pytest.mark.parametrize(
    "body", [{}, [], {"vendor": "acme", "kind": "500"}, {"vendor": "vast", "kind": "x"}, {"vendor": "vast"}, "text"]
)
def test_a_fault_that_there_is_not_is_refused_with_a_sentence(sandbox: Sandbox, body: object) -> None:
    answer = httpx.post(f"{sandbox.url}/faults", json=body)
    assert answer.status_code == 400
    assert "no fault" in answer.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"usage": [{}]}, {"usage": [row("yesterday")]}, [], {"usage": 5}])
def test_a_state_that_is_none_is_refused_with_a_sentence(sandbox: Sandbox, body: object) -> None:
    answer = httpx.put(f"{sandbox.url}/state/anthropic", json=body)
    assert answer.status_code == 400
    assert "no state of anthropic" in answer.json()["detail"]


@then
def test_loaded_rows_are_added_or_take_the_place_of_the_old(sandbox: Sandbox) -> None:
    for replace, requests in ((False, 1), (False, 2), (True, 1), (True, 1), (False, 2)):
        sandbox.load("anthropic", {"usage": [row("2026-11-22T10:00:00Z")], "replace": replace})
        answer = httpx.get(sandbox.url + REPORT, params=PERIOD, headers=HEADERS).json()
        assert answer["data"][0]["usage"]["requests"] == requests


@then
def test_a_restart_keeps_the_state(tmp_path: Path) -> None:
    for _ in range(2):
        with running_sandbox(now=NOW, path=tmp_path / "sandbox.sqlite3") as sandbox:
            if not sandbox.state.table("anthropic", "usage"):
                sandbox.load("anthropic", {"usage": [row("2026-11-22T10:00:00Z")]})
            secret = sandbox.config("google").secret.partition("token_uri")[0]
            rows = connect("anthropic", sandbox.config("anthropic")).fetch_usage(NOW - timedelta(days=3), NOW).rows
            assert [found.requests for found in rows] == [1]
    with running_sandbox(path=tmp_path / "sandbox.sqlite3") as sandbox:
        assert sandbox.config("google").secret.startswith(secret)


def test_a_report_needs_its_beta_header_and_a_version(sandbox: Sandbox) -> None:
    for missing, words in (("anthropic-beta", "is required"), ("anthropic-version", "header is required")):
        headers = {name: value for name, value in HEADERS.items() if name != missing}
        answer = httpx.get(sandbox.url + REPORT, params=PERIOD, headers=headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
        assert words in answer.json()["error"]["message"]


def test_both_ways_to_send_claudes_key_are_taken(sandbox: Sandbox) -> None:
    version = {"anthropic-version": "2026-10-21"}
    for header in ({"x-api-key": ADMIN_KEY}, {"authorization": f"Bearer {ADMIN_KEY}"}):
        assert httpx.get(f"{sandbox.url}/anthropic/v1/organizations/me", headers=version | header).status_code == 200
    answer = httpx.get(f"{sandbox.url}/anthropic/v1/organizations/me", headers=version | {"x-api-key": API_KEY})
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")


@then
def test_a_cursor_is_refused_when_another_parameter_changed(sandbox: Sandbox) -> None:
    rows = [row(f"2026-11-2{day}T{hour:02}:00:00Z") for day in (0, 1) for hour in range(24)]
    sandbox.load("anthropic", {"usage": rows})
    first = httpx.get(sandbox.url + REPORT, params=PERIOD, headers=HEADERS).json()
    assert (len(first["data"]), first["has_more"]) == (20, True)  # twenty rows when nobody asks for more
    second = httpx.get(sandbox.url + REPORT, params=PERIOD | {"page": first["next_page"]}, headers=HEADERS)
    assert second.status_code == 200
    for change in ({"limit": "50"}, {"group_by[]": "service_tier"}, {"page": "page_forged"}):
        changed = PERIOD | {"page": first["next_page"]} | change
        assert httpx.get(sandbox.url + REPORT, params=changed, headers=HEADERS).status_code == 400


@then
@pytest.mark.parametrize(
    "change",
    [
        {"ending_at": "2026-12-24T00:00:00Z"},
        {"starting_at": "2026-11-20T00:00:00"},
        {"starting_at": "2025-12-31T00:00:00Z", "ending_at": "2026-01-02T00:00:00Z"},
        {"time_bucket_width": "1w"},
        {"limit": "1001"},
        {"group_by[]": "colour"},
    ],
)
def test_a_report_has_bounds(sandbox: Sandbox, change: dict[str, str]) -> None:
    assert httpx.get(sandbox.url + REPORT, params=PERIOD | change, headers=HEADERS).status_code == 400


def test_only_whole_hours_before_the_watermark_are_reported() -> None:
    with running_sandbox(now=NOW) as sandbox:
        sandbox.load("anthropic", {"usage": [row(f"2026-11-24T{hour:02}:00:00Z") for hour in range(11)]})
        period = PERIOD | {"ending_at": "2026-11-25T00:00:00Z", "limit": "1000"}
        answer = httpx.get(sandbox.url + REPORT, params=period, headers=HEADERS).json()
        assert answer["data_refreshed_at"] == "2026-11-24T06:00:00Z"
        assert max(found["ending_at"] for found in answer["data"]) == "2026-11-24T06:00:00Z"


def test_runpod_says_its_limits_and_its_problems_as_documented(sandbox: Sandbox) -> None:
    answer = httpx.get(f"{sandbox.url}/runpod/v2/pods")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.json()["status"] == 401
    headers = {"authorization": "Bearer rpa_sandbox"}
    assert '"minute";q=' in httpx.get(f"{sandbox.url}/runpod/v2/pods", headers=headers).headers["ratelimit-policy"]
    alone = httpx.get(f"{sandbox.url}/runpod/v2/catalog/gpus", params={"include": "AVAILABILITY"}, headers=headers)
    assert alone.status_code == 400


def test_prices_move_a_little_from_day_to_day() -> None:
    seen: dict[str, set[str]] = {}
    for day in range(0, 30, 5):
        with running_sandbox(now=NOW - timedelta(days=day)) as sandbox:
            for offer in connect("runpod", sandbox.config("runpod")).fetch_offers().rows:
                if offer.kind == "on_demand":
                    seen.setdefault(offer.external_id, set()).add(str(offer.price_per_gpu_hour))
    assert len(seen["NVIDIA GeForce RTX 4090/community"]) == 1
    moved = seen["NVIDIA H100 80GB HBM3/secure"]
    assert len(moved) > 1
    assert all(abs(float(price) / 2.99 - 1) < 0.05 for price in moved)


def test_a_real_client_gets_a_message_with_its_usage(claude: anthropic.Anthropic) -> None:
    message = ask(claude, "x" * 400)
    assert message.content[0].type == "text"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (100, 30)
    assert message.stop_reason == "max_tokens"
    assert claude.messages.count_tokens(
        model="claude-haiku-4-5", messages=[{"role": "user", "content": "x" * 400}]
    ).input_tokens == (100)


def test_a_real_client_gets_the_same_text_as_a_stream(claude: anthropic.Anthropic) -> None:
    whole = ask(claude, max_tokens=500)
    messages: list[anthropic.types.MessageParam] = [{"role": "user", "content": "hello"}]
    with claude.messages.stream(model="claude-haiku-4-5", max_tokens=500, messages=messages) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert whole.content[0].type == "text"
    assert text == whole.content[0].text
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.stop_reason == "end_turn"


def test_a_long_prefix_is_written_once_and_read_from_then_on(claude: anthropic.Anthropic) -> None:
    blocks = [
        {"type": "text", "text": "y" * 8000, "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "question"},
    ]
    first, second = ask(claude, blocks).usage, ask(claude, blocks).usage
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens, first.input_tokens) == (2000, 0, 2)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens, second.input_tokens) == (0, 2000, 2)


def test_calls_to_the_messages_api_come_in_the_bill() -> None:
    with running_sandbox() as sandbox:
        with anthropic.Anthropic(api_key=API_KEY, base_url=f"{sandbox.url}/anthropic") as client:
            usage = [ask(client, "x" * 400).usage for _ in range(3)]
        old = connect("anthropic", sandbox.config("anthropic", settings={"reports": "legacy"}))
        found = old.fetch_usage(datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC) + timedelta(hours=1)).rows
        assert sum(entry.output for entry in found) == sum(entry.output_tokens for entry in usage)
        assert sum(entry.uncached_input for entry in found) == 300


def test_mistakes_in_a_call_have_the_vendors_own_errors(claude: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError):
        ask(claude, model="claude-of-next-year")
    with pytest.raises(anthropic.BadRequestError, match="temperature"):
        ask(claude, extra_body={"temperature": 0.5})
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        ask(claude, max_tokens=0)
    with pytest.raises(anthropic.AuthenticationError):
        ask(claude.with_options(api_key="sk-ant-api03-wrong"))


def test_models_say_when_they_retire(claude: anthropic.Anthropic) -> None:
    models = {model.id: model for model in claude.models.list()}
    assert str(models["claude-sonnet-4-5"].model_dump()["retires_at"]).startswith("2026-11-30")
    assert models["claude-sonnet-5-5"].model_dump()["lifecycle"] == "active"


def test_the_engine_is_passed_through_until_it_is_down(answers: Answers) -> None:
    answers.say("/v1/models", {"data": []})
    answers.say("/v1/chat/completions", b"data: {}\n\n", kind="text/event-stream")
    with running_sandbox(engine_url=answers.url) as sandbox:
        assert httpx.get(f"{sandbox.url}/engine/v1/models?x=1").json() == {"data": []}
        streamed = httpx.post(f"{sandbox.url}/engine/v1/chat/completions", json={"a": 1})
        assert (streamed.text, streamed.headers["content-type"]) == ("data: {}\n\n", "text/event-stream")
        assert answers.asked[0][2] == [("x", "1")]
        assert answers.asked[1][4] == b'{"a":1}'
        sandbox.fault("engine", "down", count=1)
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{sandbox.url}/engine/v1/models")
        assert httpx.get(f"{sandbox.url}/engine/v1/models").status_code == 200


def test_a_dead_engine_hangs_up() -> None:
    with running_sandbox(engine_url="http://127.0.0.1:9") as sandbox, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{sandbox.url}/engine/health")


def test_mail_is_kept_in_a_maildir(tmp_path: Path) -> None:
    with running_sandbox(maildir=tmp_path / "mail") as sandbox:
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = "Über dem Budget", "a@example.org", "b@example.org"
        message.set_content("Phase 2: 312.40 USD")
        with smtplib.SMTP("127.0.0.1", sandbox.smtp_port) as client:
            client.send_message(message)
        kept = list(Maildir(tmp_path / "mail", create=False))
    assert len(kept) == 1
    assert kept[0]["X-RcptTo"] == "b@example.org"


def test_silence_ends_when_the_caller_gives_up(sandbox: Sandbox) -> None:
    sandbox.fault("vast", "timeout")
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{sandbox.url}/vast/api/v0/users/current/", timeout=0.2)
    assert httpx.get(f"{sandbox.url}/nothing", timeout=60).status_code == 404, "nobody else is kept waiting"
