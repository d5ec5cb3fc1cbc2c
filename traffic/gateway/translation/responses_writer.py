"""Writes a stream of OpenAI's Responses, whose last events repeat all that came before."""

from __future__ import annotations

from typing import Any

from traffic.gateway.bounds import MOST_TEXT, TooMuch
from traffic.gateway.translation import responses_replies as replies
from traffic.gateway.translation.neutral import Begin, Call, Declined, Delta, Done, Event, Failed, Reply, Text, Thinking
from traffic.gateway.translation.sse import event


class ResponsesWriter:
    """`caller_request`: its request, of which the events repeat the settings."""

    def __init__(self, created: int, caller_request: dict[str, Any]) -> None:
        self._created = created
        self._asked = caller_request
        self._number = 0  # of the events
        self._size = 0
        self._reply = Reply("", "", [], "end")
        self._output: list[dict[str, Any]] = []  # the items that are whole
        self._key: int | None = None  # of the block under way
        self._part: Text | Declined | Thinking | Call | None = None
        self._pieces: list[str] = []

    def write(self, item: Event) -> bytes:
        """Raises TooMuch where an answer is longer than what may be held."""
        match item:
            case Begin():
                self._reply = Reply(item.id, item.model, [], "end")
                begun = {"response": self._response("in_progress")}
                return self._event("response.created", begun) + self._event("response.in_progress", begun)
            case Delta():
                return self._delta(item)
            case Done():
                ended = self._end_block()
                self._reply.stop, self._reply.usage = item.stop, item.usage
                status = "incomplete" if replies.incomplete(item.stop) else "completed"
                return ended + self._event(f"response.{status}", {"response": self._response(status)})
            case Failed():
                response = self._response("failed")
                response["error"] = {"code": item.kind, "message": item.message}
                return self._event("response.failed", {"response": response})

    def _response(self, status: str) -> dict[str, Any]:
        return replies.response(self._reply, self._created, self._asked, list(self._output), status=status)

    def _event(self, kind: str, fields: dict[str, Any]) -> bytes:
        self._number += 1
        return event({"type": kind, "sequence_number": self._number - 1, **fields}, named=True)

    def _delta(self, item: Delta) -> bytes:
        begun = b""
        if item.key != self._key:
            begun = self._end_block() + self._begin_block(item)
        if item.kind == "signature" and isinstance(self._part, Thinking):
            self._part.signature += item.text
        if not item.text or item.kind in ("signature", "hidden"):
            return begun
        self._size += len(item.text)
        if self._size > MOST_TEXT:
            raise TooMuch(f"an answer of more than {MOST_TEXT:,} characters")
        self._pieces.append(item.text)
        fields = {**self._place(), "delta": item.text, **({"logprobs": []} if item.kind == "text" else {})}
        return begun + self._event(f"response.{self._name}.delta", fields)

    @property
    def _name(self) -> str:
        match self._part:
            case Call():
                return "function_call_arguments"
            case Thinking():
                return "reasoning_summary_text"
            case Declined():
                return "refusal"
            case _:
                return "output_text"

    @property
    def _id(self) -> str:
        prefix = {Call: "fc", Thinking: "rs"}.get(type(self._part), "msg")
        return f"{prefix}_{self._reply.id}_{len(self._output)}"

    def _place(self) -> dict[str, Any]:
        place: dict[str, Any] = {"item_id": self._id, "output_index": len(self._output)}
        if isinstance(self._part, Thinking):
            return place | {"summary_index": 0}
        return place if isinstance(self._part, Call) else place | {"content_index": 0}

    def _begin_block(self, item: Delta) -> bytes:
        self._key, self._pieces = item.key, []
        match item.kind:
            case "call":
                self._part = Call(item.id, item.name, "")
            case "thinking" | "signature" | "hidden":
                self._part = Thinking("", hidden=item.text if item.kind == "hidden" else "")
            case "declined":
                self._part = Declined("")
            case _:
                self._part = Text("")
        added = self._event("response.output_item.added", self._item("in_progress", empty=True))
        return added + self._part_event("added")

    def _item(self, status: str, *, empty: bool = False) -> dict[str, Any]:
        part = self._part
        match part:
            case Call():
                item = replies.call_item(self._id, part, status)
            case Thinking():
                item = replies.reasoning_item(self._id, Thinking("") if empty else part)
            case Text() | Declined():
                item = replies.message_item(self._id, status, [] if empty else [replies.answer_content(part)])
            case None:
                item = {}
        return {"output_index": len(self._output), "item": item}

    def _part_event(self, kind: str) -> bytes:
        match self._part:
            case Text() | Declined():
                return self._event(
                    f"response.content_part.{kind}", {**self._place(), "part": replies.answer_content(self._part)}
                )
            case Thinking() if not self._part.hidden:
                part = {"type": "summary_text", "text": self._part.text}
                return self._event(f"response.reasoning_summary_part.{kind}", {**self._place(), "part": part})
            case _:
                return b""

    def _end_block(self) -> bytes:
        part, text = self._part, "".join(self._pieces)
        if part is None:
            return b""
        place = self._place()
        if isinstance(part, Call):
            part.arguments = text
            ended = self._event(
                "response.function_call_arguments.done", {**place, "name": part.name, "arguments": text or "{}"}
            )
            part.arguments = text or "{}"
        else:
            part.text = text
            content: dict[str, Any] = {"refusal": text} if isinstance(part, Declined) else {"text": text}
            content |= {"logprobs": []} if isinstance(part, Text) else {}
            hidden = isinstance(part, Thinking) and part.hidden
            ended = b"" if hidden else self._event(f"response.{self._name}.done", {**place, **content})
        ended += self._part_event("done")
        whole = self._item("completed")
        ended += self._event("response.output_item.done", whole)
        self._output.append(whole["item"])
        self._part = self._key = None
        return ended
