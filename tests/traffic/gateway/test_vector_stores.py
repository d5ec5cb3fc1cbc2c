"""Vector stores and voices pass to the vendor that holds them, and every application reaches its own alone."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from tests.traffic.gateway_stack import KEY, OTHER_KEY, Stack, calm, stack
from tests.traffic.gateway_vendors import BEARER, LAB, THEIRS, both, upload, vendors

__all__ = ["both", "calm", "stack", "vendors"]  # fixtures
pytestmark = pytest.mark.django_db


def test_a_vector_store_is_filled_searched_and_named_by_who_made_it(both: Stack) -> None:
    client = openai.OpenAI(base_url=f"{both.url}/v1", api_key=KEY, max_retries=0)
    file, foreign = upload(both).json()["id"], upload(both, THEIRS).json()["id"]
    store = client.vector_stores.create(name="Docs", file_ids=[file])
    inside = client.vector_stores.files
    assert inside.create(store.id, file_id=file).id == file
    assert inside.retrieve(file, vector_store_id=store.id).status == "completed"
    assert not list(inside.list(store.id))
    assert client.vector_stores.file_batches.create(store.id, file_ids=[file]).status == "completed"
    assert [hit.score for hit in client.vector_stores.search(store.id, query="Hello")] == [0.5]
    assert both.own.seen[-1]["path"] == f"/v1/vector_stores/{store.id}/search"
    assert inside.delete(file, vector_store_id=store.id).deleted
    assert client.vector_stores.update(store.id, name="Other").id == store.id
    tools: Any = [{"type": "file_search", "vector_store_ids": [store.id]}]
    answer = client.responses.with_raw_response.create(model="own-model", input="Hello?", tools=tools)
    assert answer.headers["x-breakeven-deployment"] == "own"
    other = openai.OpenAI(base_url=f"{both.url}/v1", api_key=OTHER_KEY, max_retries=0, default_headers=LAB)
    assert store.id in [item.id for item in client.vector_stores.list()]
    assert store.id not in [item.id for item in other.vector_stores.list()]
    both.own.seen.clear()
    for work in (
        lambda: other.vector_stores.retrieve(store.id),
        lambda: other.vector_stores.search(store.id, query="Hello"),
        lambda: other.vector_stores.files.list(store.id),
        lambda: other.vector_stores.create(file_ids=[file]),
        lambda: other.responses.create(model="own-model", input="Hello?", tools=tools),
        lambda: inside.create(store.id, file_id=foreign),
        lambda: client.vector_stores.file_batches.create(store.id, files=[{"file_id": foreign}]),
    ):
        with pytest.raises(openai.NotFoundError) as refused:
            work()
        assert refused.value.response.headers["x-breakeven-error"] == "no-such-object"
    assert not both.own.seen
    assert client.vector_stores.delete(store.id).id == store.id


SOUND = ("a.wav", b"RIFF")


def test_a_voice_is_made_of_the_applications_own_consent_and_named_by_it_alone(both: Stack) -> None:
    client = openai.OpenAI(base_url=f"{both.url}/v1", api_key=KEY, max_retries=0)
    other = openai.OpenAI(base_url=f"{both.url}/v1", api_key=OTHER_KEY, max_retries=0, default_headers=LAB)
    consent = client.audio.voice_consents.create(language="en-US", name="Ann", recording=SOUND)
    voice = client.audio.voices.create(audio_sample=SOUND, consent=consent.id, name="Ann")
    described = client.audio.voices.create(name="Bob", prompt="Deep and slow.", type="prompt")
    assert client.audio.voice_consents.retrieve(consent.id).id == consent.id
    assert consent.id in [item.id for item in client.audio.voice_consents.list()]
    assert not list(other.audio.voice_consents.list())
    both.own.seen.clear()
    for work in (
        lambda: other.audio.voice_consents.retrieve(consent.id),
        lambda: other.audio.voices.delete(voice.id),
        lambda: other.audio.voices.create(audio_sample=SOUND, consent=consent.id, name="Ann"),
        lambda: other.audio.speech.create(model="own-model", input="Hello", voice={"id": voice.id}),
    ):
        with pytest.raises(openai.NotFoundError) as refused:
            work()
        assert refused.value.response.headers["x-breakeven-error"] == "no-such-object"
    hidden: list[dict[str, Any]] = [
        {"json": {"name": "A", "consent": consent.id}},
        {"data": {"Consent[]": "cons_none"}, "files": {"a": SOUND}},
    ]
    for body in hidden:
        answer = httpx.post(f"{both.url}/v1/audio/voices", headers=BEARER, timeout=60, **body)
        assert answer.status_code in (400, 404)
    assert not both.own.seen
    assert {client.audio.voices.delete(made.id).id for made in (voice, described)} == {voice.id, described.id}
