"""An upstream of OpenAI's kind whose answers have ids of their own, at once or word by word over some seconds."""

from __future__ import annotations

import asyncio
from itertools import count

import orjson

from benchmarks.gateway import read_message

MODEL = "chaos"
WORDS = 12
PAUSE_S = 0.25  # between two words: a stream takes three seconds


def serve(port: int, pause_s: float = PAUSE_S) -> None:
    """In a process of its own, until it is ended."""
    asyncio.run(_answer_all(port, pause_s))


async def _answer_all(port: int, pause_s: float) -> None:
    numbers = count()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = orjson.loads(await read_message(reader, b"POST"))
                identity = f"cx-g-{next(numbers):08d}"
                if asked.get("stream"):
                    await _stream(writer, identity, pause_s)
                else:
                    await _whole(writer, identity)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    await server.serve_forever()


async def _whole(writer: asyncio.StreamWriter, identity: str) -> None:
    message = {"role": "assistant", "content": "Very well, thank you."}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    body = orjson.dumps({**_head(identity, "chat.completion"), "choices": [choice], "usage": USAGE})
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


async def _stream(writer: asyncio.StreamWriter, identity: str, pause_s: float) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    head = _head(identity, "chat.completion.chunk")
    for number in range(WORDS):
        delta = {"index": 0, "delta": {"content": f"word{number} "}, "finish_reason": None}
        await _event(writer, orjson.dumps({**head, "choices": [delta]}))
        await asyncio.sleep(pause_s)
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    await _event(writer, orjson.dumps({**head, "choices": [end], "usage": USAGE}))
    await _event(writer, b"[DONE]")
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _event(writer: asyncio.StreamWriter, data: bytes) -> None:
    event = b"data: " + data + b"\n\n"
    writer.write(b"%x\r\n%b\r\n" % (len(event), event))
    await writer.drain()


USAGE = {"prompt_tokens": 40, "completion_tokens": WORDS, "total_tokens": 40 + WORDS}


def _head(identity: str, kind: str) -> dict[str, object]:
    return {"id": identity, "object": kind, "created": 1, "model": MODEL}
