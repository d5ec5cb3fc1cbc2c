"""Files, batches and vector stores pass to the vendor that holds them, and every application reaches its own alone."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.traffic.gateway_stack import KEY, OTHER_KEY, VENDOR_KEY, Stack, calm, stack, until
from tests.traffic.gateway_vendors import BEARER, LAB, THEIRS, both, upload, vendors

__all__ = ["both", "calm", "stack", "vendors"]  # fixtures
pytestmark = pytest.mark.django_db

BATCH: Any = [{"custom_id": "a", "params": {"model": "claude-test", "max_tokens": 5, "messages": []}}]


def test_anthropics_batches_pass_and_their_results_lead_through_the_gateway(both: Stack) -> None:
    client = anthropic.Anthropic(base_url=both.url, api_key=KEY, max_retries=0)
    before = both.count()
    made = client.messages.batches.create(requests=BATCH)
    assert made.id.startswith("msgbatch_")
    assert client.messages.batches.retrieve(made.id).results_url == f"{both.url}/v1/messages/batches/{made.id}/results"
    (result,) = client.messages.batches.results(made.id)
    assert result.custom_id == "a"
    assert made.id in [batch.id for batch in client.messages.batches.list()]
    assert client.messages.batches.cancel(made.id).id == made.id
    seen = {name.lower(): value for name, value in both.claude.seen[0]["headers"].items()}
    assert seen["x-api-key"] == VENDOR_KEY
    assert both.count() == before  # no calls to a model


def test_what_another_application_made_is_not_there(both: Stack) -> None:
    mine = anthropic.Anthropic(base_url=both.url, api_key=KEY, max_retries=0)
    theirs = anthropic.Anthropic(base_url=both.url, api_key=OTHER_KEY, max_retries=0, default_headers=LAB)
    made = mine.messages.batches.create(requests=BATCH)
    both.claude.seen.clear()
    for work in (theirs.messages.batches.retrieve, theirs.messages.batches.cancel, theirs.messages.batches.delete):
        with pytest.raises(anthropic.NotFoundError) as refused:
            work(made.id)
        assert refused.value.response.headers["x-breakeven-error"] == "no-such-object"
    assert not both.claude.seen
    assert made.id not in [batch.id for batch in theirs.messages.batches.list()]
    assert made.id in [batch.id for batch in mine.messages.batches.list()]


def test_openais_files_and_batches_stay_with_who_made_them(both: Stack) -> None:
    client = openai.OpenAI(base_url=f"{both.url}/v1", api_key=KEY, max_retries=0)
    file = client.files.create(file=("a.jsonl", b'{"custom_id": "a"}\n'), purpose="batch")
    assert b'{"custom_id": "a"}' in both.own.seen[0]["body"]
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert client.batches.retrieve(batch.id).status == "completed"
    assert batch.output_file_id is not None
    assert client.files.content(batch.output_file_id).content.startswith(b'{"custom_id":"a"')
    assert {file.id, batch.output_file_id} <= {item.id for item in client.files.list()}
    assert client.files.delete(file.id).deleted
    other = openai.OpenAI(base_url=f"{both.url}/v1", api_key=OTHER_KEY, max_retries=0, default_headers=LAB)
    with pytest.raises(openai.NotFoundError):
        other.files.content(batch.output_file_id)
    with pytest.raises(openai.NotFoundError):
        other.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert not list(other.files.list())


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/files/../models", 200, None),  # which the client makes /v1/models of
        ("GET", "/v1/files/a/b/c", 404, "no-such-path"),
        ("GET", "/v1/files//content", 404, "no-such-path"),
        ("GET", "/v1/files/file-none", 404, "no-such-object"),
        ("POST", "/v1/batches", 400, "bad-request"),
        ("PUT", "/v1/files", 404, "no-such-path"),
    ],
)
def test_what_is_no_call_to_a_store_is_refused(
    both: Stack, method: str, path: str, status: int, code: str | None
) -> None:
    content = b"{}" if method == "POST" else None
    answer = httpx.request(method, f"{both.url}{path}", headers={"authorization": f"Bearer {KEY}"}, content=content)
    assert (answer.status_code, answer.headers.get("x-breakeven-error")) == (status, code)


def test_a_private_call_and_a_wish_for_another_deployment_lead_to_no_store(both: Stack) -> None:
    for headers in ({"x-breakeven-private": "1"}, {"x-breakeven-route": "claude"}):
        answer = httpx.get(f"{both.url}/v1/files", headers={"authorization": f"Bearer {KEY}", **headers})
        assert (answer.status_code, answer.headers["x-breakeven-error"]) == (404, "no-target")


BATCH_LINE = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}


def test_a_page_of_a_list_ends_with_an_id_of_the_applications_own(both: Stack) -> None:
    own = upload(both).json()["id"]
    foreign = [upload(both, THEIRS).json()["id"] for _ in range(3)]
    last = upload(both).json()["id"]
    both.own.stores.page = 1
    try:
        answer = httpx.get(f"{both.url}/v1/files", headers=BEARER, params={"after": own}, timeout=60)
        page = answer.json()
        assert ([item["id"] for item in page["data"]], page["first_id"], page["last_id"]) == ([last], last, last)
        assert not any(name in answer.text for name in foreign)
        pages = httpx.get(f"{both.url}/v1/files", headers=THEIRS, params={"after": foreign[-1]}, timeout=60).json()
        assert pages == {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}
        for _ in range(21):
            after = upload(both, THEIRS).json()["id"]
        refused = httpx.get(f"{both.url}/v1/files", headers=BEARER, params={"after": last}, timeout=60)
        assert (refused.status_code, refused.headers["x-breakeven-error"]) == (400, "bad-request")
        assert after not in refused.text
    finally:
        both.own.stores.page = 1_000


OWN = {"x-breakeven-route": "own"}


def naming(**fields: Any) -> dict[str, Any]:
    return {"model": "own-model", "input": "Hello?", **fields}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(naming(input=[{"role": "user", "content": [{"type": "input_file", "file_id": "FOREIGN"}]}])),
        '{"model": "own-model", "input": [{"content": [{"file_id": "FOREIGN", "file_id": "OWN"}]}]}',
        '{"model": "own-model", "input": [{"content": [{"file\\u005fid": "FOREIGN"}]}]}',
        json.dumps(
            naming(tools=[{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["FOREIGN"]}}])
        ),
        json.dumps(naming(previous_response_id="resp_1")),
        json.dumps(naming(previous_response_id="THEIRS")),
        json.dumps(naming(conversation={"id": "conv_1"})),
        json.dumps(naming(tools=[{"type": "code_interpreter", "container": "cntr_1"}])),
        json.dumps(naming(input=[{"type": "item_reference", "id": "msg_1"}])),
        json.dumps(naming(input=[{"id": "msg_1"}])),
    ],
)
def test_a_call_names_only_what_its_application_made(both: Stack, body: str) -> None:
    own, foreign = upload(both).json()["id"], upload(both, THEIRS).json()["id"]
    theirs = httpx.post(f"{both.url}/v1/responses", headers={**THEIRS, **OWN}, json=naming(), timeout=60).json()["id"]
    both.own.seen.clear()
    body = body.replace("FOREIGN", foreign).replace("OWN", own).replace("THEIRS", theirs)
    answer = httpx.post(f"{both.url}/v1/responses", headers=BEARER, content=body, timeout=60)
    assert (answer.status_code, answer.headers["x-breakeven-error"]) == (404, "no-such-object")
    assert answer.json()["error"]["code"] == "no-such-object"
    assert not both.own.seen
    claude = {"model": "claude-test", "max_tokens": 5, "messages": [{"content": {"file_id": foreign}}]}
    answer = httpx.post(f"{both.url}/v1/messages", headers=BEARER, json=claude, timeout=60)
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")
    batch = {"requests": [{"custom_id": "a", "params": claude}]}
    answer = httpx.post(f"{both.url}/v1/messages/batches", headers=BEARER, json=batch, timeout=60)
    assert (answer.status_code, both.claude.seen) == (404, [])


def test_an_application_goes_on_from_its_own_answers_where_they_are(both: Stack) -> None:
    """Rules lead such a model elsewhere: what is named decides."""
    client = openai.OpenAI(base_url=f"{both.url}/v1", api_key=KEY, max_retries=0)
    first = client.responses.create(model="own-model", input="Hello?", extra_headers=OWN)
    assert client.responses.retrieve(first.id).id == first.id
    second = client.responses.with_raw_response.create(
        model="gpt-5", input="And then?", previous_response_id=first.id, extra_headers={"x-breakeven-task": "chat"}
    )
    row = both.rows(second.headers["x-breakeven-request-id"])
    assert (row["response_id"], row["model"], second.headers["x-breakeven-deployment"]) == (
        second.parse().id, "own-model", "own"
    )  # fmt: skip
    stream = client.responses.create(model="own-model", input="x", stream=True, previous_response_id=second.parse().id)
    third = next(event.response.id for event in stream if event.type == "response.completed")
    assert client.responses.cancel(third).status == "cancelled"
    assert [item.id for item in client.responses.input_items.list(third, order="asc")] == ["msg_1"]
    assert both.own.seen[-1]["path"] == f"/v1/responses/{third}/input_items?order=asc"
    client.responses.delete(third)
    with pytest.raises(openai.NotFoundError) as gone:  # which the vendor says
        client.responses.retrieve(third)
    assert "x-breakeven-error" not in gone.value.response.headers
    one = both.conn.execute(
        "SELECT count(*), bool_and(is_answer) FROM traffic_heldobject WHERE vendor_id = ANY(%s)",
        [[first.id, second.parse().id, third]],
    )
    assert one.fetchone() == (3, True)


def test_a_stream_in_the_background_is_cancelled_while_it_runs(both: Stack) -> None:
    client = openai.OpenAI(base_url=f"{both.url}/v1", api_key=KEY, max_retries=0)
    other = openai.OpenAI(base_url=f"{both.url}/v1", api_key=OTHER_KEY, max_retries=0, default_headers=LAB)
    both.own.behaviour = "held"
    stream = client.responses.create(model="own-model", input="x", stream=True, background=True, extra_headers=OWN)
    begun = next(event.response.id for event in stream if event.type == "response.created")
    with pytest.raises(openai.NotFoundError):
        other.responses.cancel(begun)
    assert client.responses.cancel(begun).status == "cancelled"
    both.own.let_end(1)
    assert [event.type for event in stream][-1] == "response.completed"


def test_an_answer_is_not_there_for_another_application(both: Stack) -> None:
    async def run() -> tuple[str, str, list[openai.NotFoundError]]:
        mine = openai.AsyncOpenAI(base_url=f"{both.url}/v1", api_key=KEY, max_retries=0)
        theirs = openai.AsyncOpenAI(base_url=f"{both.url}/v1", api_key=OTHER_KEY, max_retries=0, default_headers=LAB)
        first = await mine.responses.create(model="own-model", input="Hello?", extra_headers=OWN)
        unstored = await mine.responses.create(model="own-model", input="Hello?", store=False, extra_headers=OWN)
        both.own.seen.clear()
        refused = []
        for work in (
            theirs.responses.retrieve(first.id),
            theirs.responses.delete(first.id),
            theirs.responses.cancel(first.id),
            theirs.responses.input_items.list(first.id),
            theirs.responses.create(model="own-model", input="And?", previous_response_id=first.id),
            mine.responses.retrieve(unstored.id),
        ):
            with pytest.raises(openai.NotFoundError) as error:
                await work
            refused.append(error.value)
        assert not both.own.seen
        next_one = await mine.responses.create(model="own-model", input="And?", previous_response_id=first.id)
        return first.id, next_one.id, refused

    first, next_one, refused = asyncio.run(run())
    assert first != next_one
    assert {(error.code, error.response.headers["x-breakeven-error"]) for error in refused} == {
        ("no-such-object", "no-such-object")
    }


def test_an_answer_leads_nowhere_that_routes_and_headers_do_not(both: Stack) -> None:
    first = httpx.post(f"{both.url}/v1/responses", headers={**BEARER, **OWN}, json=naming(), timeout=60).json()["id"]
    both.own.seen.clear()
    both.claude.seen.clear()
    body = naming(previous_response_id=first)
    for headers in ({"x-breakeven-private": "1"}, {"x-breakeven-route": "claude"}, {"x-breakeven-route": "rest"}):
        answer = httpx.post(f"{both.url}/v1/responses", headers={**BEARER, **headers}, json=body, timeout=60)
        assert (answer.status_code, answer.headers["x-breakeven-error"]) == (404, "no-target")
    assert not both.own.seen
    assert not both.claude.seen
    answer = httpx.post(
        f"{both.url}/v1/responses", headers={**BEARER, "x-breakeven-route": "files"}, json=body, timeout=60
    )
    assert (answer.status_code, answer.headers["x-breakeven-deployment"]) == (200, "own")
    for path in ("compact", f"{first}/other", f"{first}/cancel/more"):
        answer = httpx.post(f"{both.url}/v1/responses/{path}", headers=BEARER, json=body, timeout=60)
        assert answer.status_code == 404


@pytest.mark.parametrize("streamed", [False, True])
def test_the_sound_of_an_answer_is_named_by_who_got_it(both: Stack, *, streamed: bool) -> None:
    asked: Any = {"model": "own-model", "modalities": ["text", "audio"], "stream": streamed,
                  "audio": {"voice": "alloy", "format": "wav"},
                  "messages": [{"role": "user", "content": "Say hello."}]}  # fmt: skip
    both.own.behaviour = "sound"
    answer = httpx.post(f"{both.url}/v1/chat/completions", headers={**BEARER, **OWN}, json=asked, timeout=60)
    (name,) = set(re.findall(r"audio_\w+", answer.text))
    both.own.behaviour = "ok"
    asked["messages"] += [{"role": "assistant", "audio": {"id": name}}, {"role": "user", "content": "Again."}]
    asked["stream"] = False
    for headers, status in ((BEARER, 200), (THEIRS, 404)):
        answer = httpx.post(f"{both.url}/v1/chat/completions", headers=headers, json=asked, timeout=60)
        assert (answer.status_code, answer.headers.get("x-breakeven-error")) == (
            status, "no-such-object" if status == 404 else None
        )  # fmt: skip


def test_a_call_names_its_applications_own_file(both: Stack) -> None:
    own = upload(both).json()["id"]
    headers = {**BEARER, "x-breakeven-route": "own"}
    part = {"type": "input_file", "file_id": own}
    body = naming(input=[{"role": "user", "content": [part]}], previous_response_id=None, metadata={"file_id": "mine"})
    answer = httpx.post(f"{both.url}/v1/responses", headers=headers, json=body, timeout=60)
    assert answer.status_code == 200, answer.text


def test_a_form_and_the_lines_of_a_batch_name_nothing_kept(both: Stack) -> None:
    line = json.dumps({"custom_id": "a", "url": "/v1/responses", "body": naming(previous_response_id="resp_1")})
    both.own.seen.clear()
    assert upload(both, content=line.encode()).status_code == 400
    form = {"model": "own-model", "image[file_id]": "file-1"}
    files = {"mask": b"1"}
    headers = {**BEARER, "x-breakeven-task": "batch"}  # which leads there
    answer = httpx.post(f"{both.url}/v1/images/edits", headers=headers, data=form, files=files, timeout=60)
    assert (answer.status_code, both.own.seen) == (400, []), answer.text
    assert upload(both, content=line.encode(), purpose="user_data").status_code == 200


def test_nothing_is_made_while_the_database_is_away(both: Stack) -> None:
    file = upload(both).json()["id"]
    both.own.seen.clear()
    both.door.shut()
    try:
        for answer in (
            upload(both),
            httpx.post(f"{both.url}/v1/messages/batches", headers=BEARER, json={"requests": BATCH}, timeout=60),
            httpx.post(
                f"{both.url}/v1/batches", headers=BEARER, json={"input_file_id": file, **BATCH_LINE}, timeout=60
            ),
        ):
            assert (answer.status_code, answer.headers["x-breakeven-error"]) == (503, "not-ready")
            assert answer.headers["retry-after"]
    finally:
        both.door.reopen()
    assert not both.own.seen
    assert not both.claude.seen
    until(lambda: upload(both).status_code == 200)


def test_what_the_vendor_made_is_answered_and_remembered_later(both: Stack) -> None:
    """The database goes away between the question whether it is there and the vendor's answer."""
    both.own.stores.before_made = both.door.shut
    try:
        made = upload(both)
    finally:
        both.own.stores.before_made = lambda: None
        both.door.reopen()
    assert made.status_code == 200
    name = made.json()["id"]
    until(lambda: httpx.get(f"{both.url}/v1/files/{name}", headers=BEARER, timeout=60).status_code == 200)


def test_a_silent_database_holds_nobody_up_for_long(both: Stack) -> None:
    until(lambda: upload(both).status_code == 200)  # over a connection that stays
    both.door.freeze()
    try:
        began = time.monotonic()
        answer = httpx.get(f"{both.url}/v1/files/file-1", headers=BEARER, timeout=60)
        assert (answer.status_code, time.monotonic() - began < 9) == (503, True)
    finally:
        both.door.thaw()
    until(lambda: httpx.get(f"{both.url}/v1/files", headers=BEARER, timeout=60).status_code == 200)


def test_a_batch_goes_only_where_routes_and_its_headers_lead(both: Stack) -> None:
    file = upload(both).json()["id"]
    both.own.seen.clear()
    asked = {"input_file_id": file, **BATCH_LINE}
    for headers in ({"x-breakeven-private": "1"}, {"x-breakeven-route": "claude"}):
        answer = httpx.post(f"{both.url}/v1/batches", headers={**BEARER, **headers}, json=asked, timeout=60)
        assert (answer.status_code, answer.headers["x-breakeven-error"]) == (404, "no-target")
    rule = """
    WITH old AS (UPDATE traffic_application SET budget_state = 'over' WHERE slug = 'shop')
    INSERT INTO traffic_route SELECT (jsonb_populate_record(r, '{"id": 9999, "slug": "saves", "to_provider": "self",
    "order": 0, "tasks": [], "budget_states": ["over"]}')).* FROM traffic_route r WHERE slug = 'files'
    """
    undo = """
    WITH old AS (UPDATE traffic_application SET budget_state = 'unknown' WHERE slug = 'shop')
    DELETE FROM traffic_route WHERE slug = 'saves'
    """
    with both.changed(rule, undo):
        self_hosted = "UPDATE providers_deployment SET provider = 'self' WHERE slug = 'claude'"
        with both.changed(self_hosted, "UPDATE providers_deployment SET provider = 'anthropic' WHERE slug = 'claude'"):
            answer = httpx.post(f"{both.url}/v1/batches", headers=BEARER, json=asked, timeout=60)
            assert (answer.status_code, answer.headers["x-breakeven-error"]) == (403, "budget-decides")
    assert not both.own.seen


def test_a_key_with_a_quota_of_tokens_makes_no_batch_and_no_vector_store(both: Stack) -> None:
    quota = "UPDATE traffic_key SET quota = 1000000, quota_unit = 'tokens', quota_period = 'month' WHERE name = %s"
    undo = "UPDATE traffic_key SET quota = NULL, quota_unit = 'requests', quota_period = 'month' WHERE name = %s"
    with both.changed(quota.replace("%s", f"'{KEY}'"), undo.replace("%s", f"'{KEY}'")):
        answer = httpx.post(f"{both.url}/v1/messages/batches", headers=BEARER, json={"requests": BATCH}, timeout=60)
        assert (answer.status_code, answer.headers["x-breakeven-error"]) == (403, "capped")
        for path in ("", "/vs_1", "/vs_1/files", "/vs_1/file_batches"):
            answer = httpx.post(f"{both.url}/v1/vector_stores{path}", headers=BEARER, json={}, timeout=60)
            assert (answer.status_code, answer.headers["x-breakeven-error"]) == (403, "capped")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"input_file_id": "FILE", "metadata": "' + b"x" * 65_536 + b'"}', 413),
        (b'{"input_file_id": "file-0", "input_file_id": "FILE"}', 400),
        (b'{"input_file_id": "FILE", "input\\u005ffile_id": "file-0"}', 400),
        (b'{"input_file_id": 5}', 400),
        (b'{"input_file_id": "FILE", "deep": ' + b"[" * 20_000 + b"}", 400),
    ],
)
def test_the_body_of_a_batch_is_bounded(both: Stack, body: bytes, status: int) -> None:
    file = upload(both).json()["id"].encode()
    both.own.seen.clear()
    answer = httpx.post(f"{both.url}/v1/batches", headers=BEARER, content=body.replace(b"FILE", file), timeout=60)
    assert (answer.status_code, both.own.seen) == (status, [])


@pytest.mark.parametrize(
    ("behaviour", "limit", "words"),
    [
        ("silent", "first_byte", "own did not answer in time."),
        ("silent", "total", "own did not end its answer in time."),
        ("half", "idle", "own fell silent within its answer."),
        ("half", "total", "own did not end its answer in time."),
    ],
)
def test_stores_are_held_to_the_time_outs_of_their_deployment(
    both: Stack, behaviour: str, limit: str, words: str
) -> None:
    file = upload(both).json()["id"]
    both.own.behaviour = behaviour
    change = "UPDATE providers_deployment SET {}_timeout_s = {} WHERE slug = 'own'"
    with both.changed(change.format(limit, "0.4"), change.format(limit, "NULL")):
        for path in ("files", f"files/{file}"):
            answer = httpx.get(f"{both.url}/v1/{path}", headers=BEARER, timeout=60)
            assert (answer.status_code, answer.headers["x-breakeven-error"]) == (504, "upstream-timeout")
            assert answer.json()["error"]["message"] == words
        if behaviour == "half":
            with pytest.raises(httpx.RemoteProtocolError):
                httpx.get(f"{both.url}/v1/files/{file}/content", headers=BEARER, timeout=60)
    both.own.behaviour = "ok"
    assert httpx.get(f"{both.url}/v1/files/{file}", headers=BEARER, timeout=60).status_code == 200


def test_results_that_break_off_end_without_their_end(both: Stack) -> None:
    file = upload(both).json()["id"]
    both.own.behaviour = "breaks-off"
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{both.url}/v1/files/{file}/content", headers=BEARER, timeout=60)
    both.own.behaviour = "ok"
    assert "Traceback" not in (both.gateway.data_dir / both.gateway.log.name).read_text()


def test_a_callers_key_of_gemini_stays_here(both: Stack) -> None:
    both.own.seen.clear()
    httpx.get(f"{both.url}/v1/files", headers={**BEARER, "x-goog-api-key": "theirs"}, timeout=60)
    assert both.own.seen
    assert "theirs" not in str(both.own.seen)
