"""One case from its seed and number: who sends what where, and what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from benchmarks.fuzz import heads, mutate, payloads, wire
from benchmarks.fuzz.actors import Actor
from benchmarks.fuzz.forms import Form, Map
from benchmarks.fuzz.wire import Request

LONGEST = 4 << 20  # bytes of a body
JSON, PROTOBUF, FORM = b"application/json", b"application/x-protobuf", b"application/x-www-form-urlencoded"
GATEWAY: dict[str, Callable[[Random], Any]] = {
    "/v1/messages": payloads.messages,
    "/v1/messages/count_tokens": payloads.messages,
    "/v1/chat/completions": payloads.chat,
    "/v1/responses": payloads.responses,
    "/v1/embeddings": payloads.embeddings,
    "/v1/completions": payloads.completion,
}
LEAVES_ALONE = re.compile(r"^/(logout|password)/")  # acts of the sender on itself, tried by strangers alone


@dataclass(frozen=True)
class Ground:
    """All there is to send to: pages and forms, operations of the schema, and patterns of the URL conf."""

    pages: Map
    schema: dict[str, Any]
    patterns: list[str]


@dataclass
class Case:
    """One request by one sender; `to` is `web` or `gateway`."""

    number: int
    kind: str
    actor: Actor
    to: str
    request: Request


def make(seed: int, number: int, ground: Ground, actors: list[Actor], ports: dict[str, int]) -> Case:
    """The same for the same seed and number, as long as the ground and the senders are the same."""
    rng = Random(f"{seed}:{number}")
    kind = rng.choices(list(KINDS), WEIGHTS)[0]
    case = KINDS[kind](rng, ground, actors)
    case.number, case.kind, request = number, kind, case.request
    request.headers = [*heads.usual(ports[case.to]), *request.headers, *case.actor.headers(rng)]
    if request.body and rng.random() < 0.1:
        wire.encode(rng, request)
    wire.frame(rng, request, honest=rng.random() < 0.9)
    if rng.random() < 0.25:
        heads.spoil(rng, request)
    return case


def _case(actor: Actor, request: Request, to: str = "web") -> Case:
    return Case(0, "", actor, to, request)


def _with_scope(rng: Random, actors: list[Actor], scope: str) -> Actor:
    """Mostly somebody who is let in: what refuses by the key never sees the body."""
    holders = [actor for actor in actors if actor.name.startswith(f"key {scope}")]
    return rng.choice(holders if rng.random() < 0.9 else actors)


def _json(rng: Random, tree: Any) -> bytes:
    """Mostly JSON still; sometimes too deep for a parser, or no longer JSON."""
    luck = rng.random()
    if luck < 0.06:
        return mutate.nested(rng)
    octets = json.dumps(mutate.spoil(rng, tree, rng.choice((0, 1, 1, 2, 5)))).encode()[:LONGEST]
    if luck < 0.12 and octets.startswith(b"{"):
        return octets[:-1] + b',"a":' + mutate.nested(rng) + b"}"
    return mutate.octets(rng, octets) if luck > 0.85 else octets


def otlp(rng: Random, ground: Ground, actors: list[Actor]) -> Case:
    name = rng.choice(("traces", "traces", "traces", "logs", "metrics"))
    body, kind = payloads.OTLP[name](rng), PROTOBUF
    if rng.random() < 0.4:
        body, kind = _json(rng, payloads.as_json(name, body)), JSON
    elif rng.random() < 0.7:
        body = mutate.octets(rng, body)
    path = "/api/public/otel/v1/traces" if name == "traces" and rng.random() < 0.1 else f"/v1/{name}"
    return _case(_with_scope(rng, actors, "ingest"), Request("POST", path, [(b"Content-Type", kind)], body))


def intake(rng: Random, ground: Ground, actors: list[Actor]) -> Case:
    path, tree = rng.choice((("/api/v1/requests", payloads.native), ("/ingest/litellm", payloads.litellm)))
    return _case(
        _with_scope(rng, actors, "ingest"), Request("POST", path, [(b"Content-Type", JSON)], _json(rng, tree(rng)))
    )


def operation(rng: Random, ground: Ground, actors: list[Actor]) -> Case:
    """An operation of the OpenAPI schema, with parameters near what it describes."""
    path, method, described = rng.choice(operations(ground.schema))
    query = []
    for parameter in described.get("parameters", ()):
        schema = parameter.get("schema", {})
        text = str(payloads.of_schema(rng, schema, ground.schema))
        text = mutate.text(rng, text) if rng.random() < 0.3 else text
        if parameter["in"] == "path":
            path = path.replace(
                "{" + parameter["name"] + "}", quote(text[:500].encode("utf-8", "replace"), safe="") or "x"
            )
        elif rng.random() < 0.3:
            query.append((parameter["name"], text.encode("utf-8", "replace")))
    body, headers = b"", []
    if content := described.get("requestBody", {}).get("content", {}).get("application/json"):
        body, headers = _json(rng, payloads.of_schema(rng, content["schema"], ground.schema)), [(b"Content-Type", JSON)]
    target = path + (f"?{urlencode(query)[:8_000]}" if query else "")
    return _case(_reader(rng, actors, method), Request(method.upper(), target, headers, body))


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, described)
        for path, methods in sorted(schema["paths"].items())
        for method, described in sorted(methods.items())
    ]


def _reader(rng: Random, actors: list[Actor], method: str) -> Actor:
    keyed = [actor for actor in actors if actor.key or actor.name == "manager"]
    return rng.choice(keyed if rng.random() < 0.8 else actors)


def page(rng: Random, ground: Ground, actors: list[Actor]) -> Case:
    """A page that is there, by whoever; what stands in its query mostly spoiled."""
    path, _, query = rng.choice(ground.pages.paths).partition("?")
    parts = [part.partition("=")[::2] for part in query.split("&") if part]
    parts += [(rng.choice(PARAMETERS), rng.choice(VALUES)) for _time in range(rng.choice((0, 1, 2)))]
    spoiled = [(name, mutate.text(rng, text)[:2_000] if rng.random() < 0.5 else text) for name, text in parts]
    target = path + ("?" + urlencode([(n, t.encode("utf-8", "replace")) for n, t in spoiled]) if spoiled else "")
    method = "GET" if rng.random() < 0.9 else rng.choice(heads.METHODS[1:8])
    return _case(_person(rng, path, actors), Request(method, target))


PARAMETERS = (
    "from",
    "to",
    "month",
    "group_by",
    "by",
    "page",
    "sort",
    "q",
    "provider",
    "model",
    "application",
    "task",
    "deployment",
    "range",
    "limit",
    "cursor",
    "next",
    "format",
    "state",
    "kind",
    "view",
    "day",
    "words",
    "zone",
    "against",
    "outcome",
    "after",
    "before",
)
VALUES = ("1", "2026-11", "2026-11-24", "model", "anthropic", "x", "", "-1", "7d", "30", "price", "true", "/", "a,b")


def pattern(rng: Random, ground: Ground, actors: list[Actor]) -> Case:
    """Any address of the URL conf, with made-up names of what it asks for."""
    path = re.sub(
        r"<[^>]+>",
        lambda _match: quote(mutate.text(rng, "1")[:300].encode("utf-8", "replace"), safe=""),
        rng.choice(ground.patterns),
    )
    body = urlencode({"a": "b"}).encode() if rng.random() < 0.5 else b""
    method = "POST" if body else rng.choice(heads.METHODS[:7])
    return _case(_person(rng, path, actors), Request(method, path, [(b"Content-Type", FORM)] if body else [], body))


def form(rng: Random, ground: Ground, actors: list[Actor]) -> Case:
    """A form of a page: what stands in its fields, some of it spoiled."""
    chosen = rng.choice(ground.pages.forms)
    actor = _person(rng, chosen.action, actors, likely="admin")
    fields = _fields(rng, chosen)
    if actor.token and rng.random() < 0.97:
        fields = [(name, text) for name, text in fields if name != "csrfmiddlewaretoken"] + [
            ("csrfmiddlewaretoken", actor.token)
        ]
    pairs = [(name.encode("utf-8", "replace"), text.encode("utf-8", "replace")) for name, text in fields]
    if chosen.method == "GET":
        return _case(actor, Request("GET", chosen.action.partition("?")[0] + "?" + urlencode(pairs)[:20_000]))
    if chosen.multipart or chosen.files or rng.random() < 0.15:
        body, kind = multipart(rng, pairs, chosen.files or ["file"])
    else:
        body, kind = urlencode(pairs).encode(), FORM
        body = mutate.octets(rng, body) if rng.random() < 0.05 else body
    return _case(actor, Request("POST", chosen.action, [(b"Content-Type", kind)], body))


def _fields(rng: Random, chosen: Form) -> list[tuple[str, str]]:
    fields = [(name, rng.choice(values) if values else "") for name, values in chosen.fields.items()]
    for _time in range(rng.choice((0, 1, 1, 2, 4))):
        if not fields:
            break
        place = rng.randrange(len(fields))
        name, text = fields[place]
        match rng.randrange(5):
            case 0:
                del fields[place]
            case 1:
                fields.append((name, mutate.text(rng, text)))
            case 2:
                fields[place] = (mutate.text(rng, name)[:500], text)
            case _:
                fields[place] = (name, mutate.text(rng, text))
    return fields


def multipart(rng: Random, pairs: list[tuple[bytes, bytes]], files: list[str]) -> tuple[bytes, bytes]:
    """A body in parts with files in it, and its type; its names, boundaries and sizes mostly right."""
    boundary = (
        rng.choice((b"xxBOUNDARYxx", b"a", b"-" * 60, b"x" * 250, b"b\xe9d", b'q"u', b""))
        if rng.random() < 0.2
        else b"xxBOUNDARYxx"
    )
    parts = [b'Content-Disposition: form-data; name="%s"\r\n\r\n%s' % (name, text) for name, text in pairs]
    for name in files * rng.choice((1, 1, 1, 3)):
        head = b'Content-Disposition: form-data; name="%s"; filename="%s"\r\n' % (name.encode(), rng.choice(FILE_NAMES))
        parts.append(head + b"Content-Type: %s\r\n\r\n%s" % (rng.choice(FILE_TYPES), rng.choice(FILES)(rng)))
    if rng.random() < 0.1:
        parts += [parts[-1]] * min(rng.choice((5, 1_500)), LONGEST // (len(parts[-1]) + 1))
    if rng.random() < 0.1:
        nested = b"--y\r\n" + parts[-1] + b"\r\n--y--"
        parts.append(
            b'Content-Disposition: form-data; name="a"\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n' + nested
        )
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"
    body = mutate.octets(rng, body) if rng.random() < 0.2 else body
    return body[:LONGEST], b"multipart/form-data; boundary=" + boundary


FILE_NAMES = (
    b"a.csv",
    b"../../x",
    b"a\0.csv",
    b"x" * 2_000,
    b"\xff.pdf",
    b"a.png",
    b"",
    b"C:\\x",
    b"a.json",
    b"a.parquet",
    b"a.csv.gz",
)
FILE_TYPES = (b"text/csv", b"application/json", b"image/png", b"application/pdf", b"x", b"text/html; charset=nope")
FILES: tuple[Callable[[Random], bytes], ...] = (
    lambda rng: b"date,amount,currency\n2026-11-01,1.25,USD\n",
    lambda rng: (
        b"id,started_at,provider,model,input_tokens\n1,2026-11-24T10:00:00Z,anthropic,claude-sonnet-4-5,12\n"
        * rng.choice((1, 500))
    ),
    lambda rng: json.dumps(mutate.spoil(rng, payloads.native(rng), 2)).encode(),
    lambda rng: b"\x89PNG\r\n\x1a\n" + b"\0" * 300,
    lambda rng: b"%PDF-1.7\n" + b"x" * 300,
    lambda rng: b"PAR1" + b"\0" * 100 + b"PAR1",
    lambda rng: b'"' * rng.choice((1, 100_001)),
    lambda rng: b"x" * rng.choice((0, 300_000, 3 << 20)),
    lambda rng: mutate.nested(rng),
    lambda rng: mutate.text(rng).encode("utf-16", "surrogatepass"),
)


def _person(rng: Random, path: str, actors: list[Actor], likely: str = "") -> Actor:
    if LEAVES_ALONE.match(path):
        return actors[0]
    if likely and rng.random() < 0.6:
        return next(actor for actor in actors if actor.name == likely)
    return rng.choice([actor for actor in actors if actor.person] if rng.random() < 0.85 else actors)


def gateway(rng: Random, ground: Ground, actors: list[Actor]) -> Case:
    """A call of the gateway, or a look at its models."""
    actor = _with_scope(rng, actors, "gateway")
    if rng.random() < 0.1:
        target = rng.choice(
            ("/v1/models", "/v1/models/", "/healthz", "/", "/v1/models/" + quote(rng.choice(VALUES) or "%"))
        )
        return _case(actor, Request(rng.choice(heads.METHODS[:7]), target), "gateway")
    path = rng.choice(list(GATEWAY))
    body = _json(rng, GATEWAY[path](rng))
    query = rng.choice(("", "", "", "?beta=true", "?" + "a" * 3_000, "?%ff=%00", "?a=b&" * 50))
    request = Request("POST", path + query, [(b"Content-Type", JSON)], body)
    if rng.random() < 0.3:
        name = rng.choice(
            (
                b"X-Breakeven-Task",
                b"X-Breakeven-Application",
                b"X-Breakeven-Route",
                b"X-Breakeven-Private",
                b"Anthropic-Beta",
            )
        )
        request.headers.append((name, rng.choice((b"chat", b"fuzz", b"playground", b"1", *heads.TEXTS))))
    return _case(actor, request, "gateway")


def raw(rng: Random, ground: Ground, actors: list[Actor]) -> Case:
    """Something that is no request at all, or only just."""
    case = page(rng, ground, actors)
    case.to = rng.choice(("web", "gateway"))
    heads.spoil(rng, case.request)
    octets = mutate.octets(rng, case.request.octets())
    case.request = Raw("RAW", case.request.target, whole=False, body=octets)
    return case


class Raw(Request):
    """Bytes that are sent as they are."""

    def octets(self) -> bytes:
        return self.body


KINDS: dict[str, Callable[[Random, Ground, list[Actor]], Case]] = {
    "otlp": otlp,
    "intake": intake,
    "operation": operation,
    "page": page,
    "pattern": pattern,
    "form": form,
    "gateway": gateway,
    "raw": raw,
}
WEIGHTS = (20, 10, 15, 12, 8, 18, 12, 5)
