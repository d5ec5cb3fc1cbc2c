"""OpenAI's other ways in: responses, embeddings and completions, by the official client, each with its row."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import httpx
import openai
import pytest

from tests.traffic.gateway_openai import completion_events, response, response_events
from tests.traffic.gateway_stack import KEY, Stack, calm, stack
from traffic.gateway.answers import StreamTap, read_answer
from traffic.gateway.forms import read_form
from traffic.gateway.protocols import COMPLETIONS, EMBEDDINGS, OPENAI, RESPONSES, BadRequest, read_request
from traffic.gateway.routes import Call, Rule, Target, decide
from traffic.gateway.usage_tokens import Tokens

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

CLASSES = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")


def client(stack: Stack) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{stack.url}/v1", api_key=KEY, max_retries=0)


def tokens(row: dict[str, Any]) -> list[int | None]:
    return [row[name] for name in CLASSES]


def test_a_response_passes_and_is_recorded_with_its_usage(calm: Stack) -> None:
    answer = client(calm).responses.with_raw_response.create(model="own-model", input="Hello?")
    assert answer.parse().output_text == "Hello."
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert tokens(row) == [20, 90, 10, 0, 9, 4]
    assert (row["outcome"], row["route"], row["streamed"], row["ttft_ms"]) == ("ok", "own-model", False, None)
    assert json.loads(calm.own.seen[0]["body"]) == {"model": "own-model", "input": "Hello?"}


def test_a_response_streams_and_its_row_has_a_time_to_the_first_token(calm: Stack) -> None:
    stream = client(calm).responses.create(model="own-model", input="Hello?", stream=True)
    request_id = stream.response.headers["x-breakeven-request-id"]
    events = list(stream)
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Hello."
    assert events[-1].type == "response.completed"
    row = calm.rows(request_id)
    assert (tokens(row), row["outcome"]) == ([20, 90, 10, 0, 9, 4], "ok")
    assert 0 < row["ttft_ms"] <= row["latency_ms"]


def test_what_is_embedded_has_tokens_and_no_output(calm: Stack) -> None:
    answer = client(calm).embeddings.with_raw_response.create(model="own-model", input="Hello", encoding_format="float")
    assert answer.parse().data[0].embedding == [0.5, -0.25]
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert (tokens(row)[:5], row["ttft_ms"], row["outcome"]) == ([6, 0, 0, 0, 0], None, "ok")


def test_a_completion_of_a_bare_prompt_passes_whole_and_streamed(calm: Stack) -> None:
    plain = client(calm).completions.with_raw_response.create(model="own-model", prompt="Once")
    assert plain.parse().choices[0].text == "Hello."
    assert tokens(calm.rows(plain.headers["x-breakeven-request-id"]))[:5] == [38, 0, 0, 0, 12]
    stream = client(calm).completions.create(
        model="own-model", prompt="Once", stream=True, stream_options={"include_usage": True}
    )
    request_id = stream.response.headers["x-breakeven-request-id"]
    assert "".join(chunk.choices[0].text for chunk in stream if chunk.choices) == "Hello."
    row = calm.rows(request_id)
    assert tokens(row)[:5] == [38, 0, 0, 0, 12]
    assert row["ttft_ms"] > 0


def test_the_asynchronous_client_uses_all_three(calm: Stack) -> None:
    async def use() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{calm.url}/v1", api_key=KEY, max_retries=0) as asynchronous:
            response = await asynchronous.responses.create(model="own-model", input="Hello?")
            stream = await asynchronous.responses.create(model="own-model", input="Hello?", stream=True)
            pieces = [event.delta async for event in stream if event.type == "response.output_text.delta"]
            vectors = await asynchronous.embeddings.create(model="own-model", input=["a"], encoding_format="float")
            completion = await asynchronous.completions.create(model="own-model", prompt="Once")
        return [response.output_text, "".join(pieces), str(vectors.usage.total_tokens), completion.choices[0].text]

    assert asyncio.run(use()) == ["Hello.", "Hello.", "6", "Hello."]


def test_prompts_of_all_three_are_kept_where_the_application_wants_it(calm: Stack) -> None:
    made = client(calm)
    kept: list[Any] = [
        made.responses.with_raw_response.create(model="own-model", input="Hello?", instructions="Be kind"),
        made.responses.with_raw_response.create(model="own-model", input=[{"role": "user", "content": "Hi"}]),
        made.completions.with_raw_response.create(model="own-model", prompt="Once"),
    ]
    ids = [answer.headers["x-breakeven-request-id"] for answer in kept]
    for request_id in ids:
        calm.rows(request_id)
    query = "SELECT request_id::text, prompt, answer FROM traffic_request_body WHERE request_id = ANY(%s)"
    bodies = {row[0]: row[1:] for row in calm.conn.execute(query, [ids]).fetchall()}
    assert [json.loads(bodies[request_id][0]) for request_id in ids] == [
        [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Hello?"}],
        [{"role": "user", "content": "Hi"}],
        [{"role": "user", "content": "Once"}],
    ]
    assert {bodies[request_id][1] for request_id in ids} == {"Hello."}


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/embeddings", "/v1/completions"])
def test_a_call_that_is_none_is_refused_in_openais_shape(calm: Stack, path: str) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    refused = httpx.post(f"{calm.url}{path}", content=b"[]", headers=headers)
    assert (refused.status_code, refused.headers["x-breakeven-error"]) == (400, "bad-request")
    assert refused.json()["error"]["code"] == "bad-request"
    assert httpx.get(f"{calm.url}{path}", headers=headers).status_code == 405


def test_streams_tell_their_usage_and_text_however_they_are_cut() -> None:
    streams = {
        RESPONSES: (response_events(response("resp_1")), Tokens(20, 90, 10, 0, 9, 4), "resp_1"),
        COMPLETIONS: (
            completion_events("cmpl-1", {"stream_options": {"include_usage": True}}), Tokens(38, 0, 0, 0, 12), "cmpl-1",
        ),
    }  # fmt: skip
    for protocol, (events, expected, identifier) in streams.items():
        stream = b"".join(events)
        for size in (1, 7, len(stream)):
            tap = StreamTap(protocol, with_text=True)
            for at in range(0, len(stream), size):
                tap.feed(stream[at : at + size])
            answer = tap.finish()
            assert (answer.tokens(protocol), "".join(answer.text), tap.ended) == (expected, "Hello.", True)
            assert answer.response_id == identifier


def test_a_response_that_failed_names_its_error() -> None:
    failed = {"type": "response.failed", "response": {"id": "r", "error": {"code": "server_error", "message": "no"}}}
    tap = StreamTap(RESPONSES)
    tap.feed(f"data: {json.dumps(failed)}\n\n".encode())
    assert (tap.finish().error_type, tap.ended) == ("server_error", True)
    assert read_answer(EMBEDDINGS, b'{"usage": {"prompt_tokens": null}}').tokens(EMBEDDINGS) == Tokens()


def test_another_model_never_embeds_in_the_place_of_the_one_asked_for() -> None:
    bge, other = (Target(n, name, "self", "vllm", "http://x", name) for n, name in enumerate(("bge-m3", "qwen")))
    rule = Rule("r", to_provider="self")

    def asked(protocol: Any, model: str) -> Call:
        body = json.dumps({"model": model, "input": "x", "messages": []}).encode()
        return Call(read_request(protocol, body), "shop", "other")

    decision = decide((rule,), (bge, other), asked(EMBEDDINGS, "bge-m3"))
    assert decision is not None and [target.slug for target in decision.targets] == ["bge-m3"]
    assert decide((rule,), (bge, other), asked(EMBEDDINGS, "ada")) is None
    assert decide((rule,), (bge, other), asked(OPENAI, "ada")) is not None


def test_media_and_the_conversation_are_read_from_a_response_too() -> None:
    def asked(value: Any) -> Any:
        return read_request(RESPONSES, json.dumps({"model": "m", "input": value, "max_output_tokens": 7}).encode())

    image = [{"role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]}]
    assert asked(image).media and not asked("image").media
    first = {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
    assert asked([first]).conversation == asked([first, {"role": "assistant", "content": "Hi"}]).conversation
    assert asked("Hello").conversation != asked("Bye").conversation
    assert (asked("Hello").asks_for_usage, asked("Hello").most_output) == (True, 7)


def test_audio_and_images_pass_with_what_usage_they_tell(calm: Stack) -> None:
    made = client(calm)
    sound = ("a.wav", b"RIFF\r\n\x00\xff", "audio/wav")
    heard = made.audio.transcriptions.with_raw_response.create(model="own-model", file=sound)
    assert heard.parse().text == "Hello."
    row = calm.rows(heard.headers["x-breakeven-request-id"])
    assert (tokens(row)[:5], row["outcome"], row["streamed"]) == ([14, 0, 0, 0, 3], "ok", False)
    assert b"RIFF\r\n\x00\xff" in calm.own.seen[0]["body"]
    stream = made.audio.transcriptions.create(model="own-model", file=sound, stream=True)
    request_id = stream.response.headers["x-breakeven-request-id"]
    assert [event.type for event in stream][-1] == "transcript.text.done"
    row = calm.rows(request_id)
    assert (tokens(row)[:5], row["outcome"], row["streamed"]) == ([14, 0, 0, 0, 3], "ok", True)
    assert row["ttft_ms"] is not None
    drawn = made.images.with_raw_response.generate(model="own-model", prompt="A cat")
    data = drawn.parse().data
    assert data is not None and data[0].b64_json == "aGk="
    assert tokens(calm.rows(drawn.headers["x-breakeven-request-id"]))[:5] == [12, 0, 0, 0, 100]
    spoken = made.audio.speech.with_raw_response.create(model="own-model", voice="alloy", input="Hello")
    assert spoken.content == b"\xff\xf3 sound"
    row = calm.rows(spoken.headers["x-breakeven-request-id"])
    assert (row["outcome"], row["output"]) == ("ok", None)  # nobody told it: unknown


def test_the_models_name_alone_is_replaced_in_a_form(calm: Stack) -> None:
    sound = ("a.wav", b"RIFF", "audio/wav")
    client(calm).audio.transcriptions.create(model="own", file=sound, language="en")  # our own name for it
    body = calm.own.seen[0]["body"]
    assert b'name="model"\r\n\r\nown-model\r\n' in body and b'name="language"\r\n\r\nen\r\n' in body


def test_a_form_names_one_model_and_one_that_is_served(calm: Stack) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    cases: list[tuple[Any, int, str]] = [
        ({}, 400, "bad-request"),
        ({"model": ["own-model", "gpt-4o-transcribe"]}, 400, "bad-request"),
        ({"model": "x"}, 404, "no-such-model"),
    ]
    for data, status, code in cases:
        url = f"{calm.url}/v1/audio/transcriptions"
        answer = httpx.post(url, data=data, files={"file": b"RIFF"}, headers=headers)
        assert (answer.status_code, answer.headers["x-breakeven-error"]) == (status, code)
    assert not calm.own.seen


FORM = b"multipart/form-data; boundary=xyz"


def part(head: bytes, value: bytes) -> bytes:
    return b"--xyz\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + value + b"\r\n"


MODEL = part(b'name="model"', b"whisper")
SOUND = part(b'name="file"; filename="a.wav"\r\nContent-Type: audio/wav', b"RIFF\r\n--xy name=model\r\n")


def test_a_form_is_read_by_its_parts() -> None:
    for content_type in (FORM, b'multipart/form-data; charset=utf-8; boundary="xyz"'):
        body = SOUND + MODEL + part(b"name=stream", b"True") + b"--xyz--\r\n"
        form = read_form(body, [content_type])
        assert (form.model, form.streamed) == ("whisper", True)
        assert form.with_model("own") == body.replace(b"whisper", b"own")


@pytest.mark.parametrize(
    "body",
    [
        MODEL + MODEL,
        MODEL + part(b'name="Model"', b"other"),
        MODEL + part(b"name*=utf-8''model", b"other"),
        MODEL + part(b'name="mod\\el"', b"other"),
        MODEL + part(b'name="x"\r\nContent-Disposition: form-data; name="model"', b"other"),
        MODEL + part(b'x="y"\n\nother\n--xyz\nContent-Disposition: form-data; name="a"', b"b"),
        MODEL + part(b'name="file"', b"RIFF\n--xyz\nContent-Disposition: form-data; name=model\n\nother\n"),
        MODEL + b"--xyz--\r\n" + MODEL,
        b"before" + MODEL,
        MODEL + b"--xyz\r\n\r\nno head\r\n",
        part(b'name="model"\r\nContent-Transfer-Encoding: base64', b"d2hpc3Blcg=="),
        SOUND,
        MODEL[:-2],
        b"",
    ],
)
def test_a_form_that_parsers_may_read_differently_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_form(body + b"--xyz--\r\n", [FORM])


def test_the_boundary_of_a_form_is_named_once() -> None:
    for types in ([], [FORM, FORM], [FORM + b"; boundary=abc"], [FORM + b"; boundary*=abc"], [b"multipart/form-data"]):
        with pytest.raises(BadRequest):
            read_form(MODEL + b"--xyz--\r\n", types)


@pytest.mark.parametrize("filler", [b"name=", b'name="model"\r\n', b"\r\n--xy", b"a: b\r\n", MODEL])
def test_an_upload_that_is_made_for_patterns_costs_no_time(filler: bytes) -> None:
    """Patterns over all of it would take seconds in which the loop does nothing else."""
    many = filler * ((32 << 20) // len(filler))
    bodies = [MODEL + part(b'name="file"', many) + b"--xyz--\r\n", part(many, b"x") + b"--xyz--", many]
    began = time.process_time()
    for body in bodies:
        with contextlib.suppress(BadRequest):
            read_form(body, [FORM])
    assert time.process_time() - began < 0.5
