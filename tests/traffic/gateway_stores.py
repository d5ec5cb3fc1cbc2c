"""A vendor's stores of files, batches, vectors and answers, in memory."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

from aiohttp import web

PATH = re.compile(
    r"^/v1/(messages/batches|files|batches|responses|vector_stores|audio/voices|audio/voice_consents)(?:/([^/]+))?(/\w+)?(?:/([^/]+)(/\w+)?)?$"
)
LINE = b'{"custom_id":"a","result":{"type":"succeeded","message":{"id":"m","type":"message","role":"assistant",' \
       b'"model":"c","content":[],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,' \
       b'"output_tokens":2}}}}\n'  # fmt: skip


class Stores:
    """Everything that the vendor's account holds, whoever made it."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.numbers = itertools.count(1)
        self.page = 1_000  # objects of a list
        self.before_made: Callable[[], object] = lambda: None

    def answer(self, request: web.Request, asked: dict[str, Any]) -> web.Response | None:
        """None for a path that is no store's."""
        match = PATH.match(request.path)
        if match is None:
            return None
        kind, name, rest, inner, end = match.groups()
        if kind == "vector_stores" and rest and name in self.objects:
            return self.inside(request.method, rest, inner, end, asked)
        if kind == "responses":
            return self.response(request, name, rest, asked)
        if name is None and request.method == "POST":
            self.before_made()
            return web.json_response(self.made(kind, asked))
        if name is None:
            every = [item for item in self.objects.values() if item["kind"] == kind]
            after = request.query.get("after") or request.query.get("after_id")
            start = [item["id"] for item in every].index(after) + 1 if after else 0
            data, more = every[start : start + self.page], len(every) > start + self.page
            ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
            return web.json_response({"object": "list", "data": data, "has_more": more, **ends})
        if name not in self.objects:
            return web.json_response({"error": {"message": "none", "type": "not_found_error"}}, status=404)
        if rest in ("/content", "/results"):
            return web.Response(body=LINE, content_type="application/x-jsonl")
        if request.method == "DELETE":
            return web.json_response({"id": name, "object": "file", "deleted": True})
        return web.json_response(self.objects[name])

    def response(
        self, request: web.Request, name: str | None, rest: str | None, asked: dict[str, Any]
    ) -> web.Response | None:
        """A stored answer; None for a call that makes one, which is the engine's."""
        wanted = name or asked.get("previous_response_id")
        if wanted is not None and wanted not in self.objects:
            error = {"message": f"Response with id '{wanted}' not found.", "type": "invalid_request_error"}
            return web.json_response({"error": error}, status=404 if name else 400)
        if name is None:
            return None
        if rest == "/input_items":
            item = {"id": "msg_1", "type": "message", "role": "user", "content": []}
            return web.json_response({"object": "list", "data": [item], "has_more": False})
        if request.method == "DELETE":
            del self.objects[name]
            return web.json_response({"id": name, "object": "response", "deleted": True})
        return web.json_response(self.objects[name] | ({"status": "cancelled"} if rest else {}))

    def inside(self, method: str, rest: str, inner: str | None, end: str | None, asked: dict[str, Any]) -> web.Response:
        """What a vector store answers of its files, their batches, and a search."""
        kind = "vector_store.file" if rest == "/files" else "vector_store.files_batch"
        if rest == "/search" or end:
            hit = {"file_id": "file-1", "filename": "a", "score": 0.5, "content": [{"type": "text", "text": "Hello"}]}
            return web.json_response({"object": "list", "data": [hit], "has_more": False})
        if method == "DELETE":
            return web.json_response({"id": inner, "object": f"{kind}.deleted", "deleted": True})
        if method == "GET" and inner is None:
            return web.json_response({"object": "list", "data": [], "has_more": False})
        return web.json_response({"id": inner or asked.get("file_id", "vsfb_1"), "object": kind, "status": "completed"})

    def made(self, kind: str, asked: dict[str, Any]) -> dict[str, Any]:
        number = next(self.numbers)
        made: dict[str, Any] = {"kind": kind, "created_at": "2026-01-01T00:00:00Z"}
        if kind == "messages/batches":
            made |= {"id": f"msgbatch_{number}", "type": "message_batch", "processing_status": "ended",
                     "results_url": "https://vendor.example/results"}  # fmt: skip
        elif kind.startswith("audio/"):
            made |= {"id": f"{kind[6:-1]}_{number}", "object": kind.replace("/", ".")[:-1], "name": "Ann"}
        elif kind == "vector_stores":
            made |= {"id": f"vs_{number}", "object": "vector_store", "status": "completed", "name": asked.get("name")}
        elif kind == "files":
            made |= {"id": f"file-{number}", "object": "file", "purpose": "batch", "filename": "a", "bytes": 1}
        else:
            made |= {"id": f"batch_{number}", "object": "batch", "status": "completed", "endpoint": "/v1/responses",
                     "input_file_id": asked["input_file_id"], "output_file_id": f"file-out-{number}"}  # fmt: skip
            self.objects[f"file-out-{number}"] = {"id": f"file-out-{number}", "object": "file", "kind": "files"}
        self.objects[made["id"]] = made
        return made
