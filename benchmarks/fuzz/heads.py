"""Headers and request lines made wrong."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from benchmarks.fuzz import mutate
from benchmarks.fuzz.wire import Header, Request

METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PRI",
    "get",
    "FOO",
    "G" * 300,
    "",
)
NAMES = (
    b"Accept",
    b"Accept-Language",
    b"Accept-Encoding",
    b"Content-Type",
    b"Range",
    b"If-Modified-Since",
    b"If-None-Match",
    b"If-Match",
    b"Referer",
    b"Origin",
    b"Cookie",
    b"Authorization",
    b"X-Api-Key",
    b"X-Forwarded-For",
    b"X-Forwarded-Host",
    b"X-Forwarded-Proto",
    b"Forwarded",
    b"Host",
    b"HX-Request",
    b"HX-Current-URL",
    b"HX-Target",
    b"Upgrade",
    b"Te",
    b"X-Breakeven-Task",
    b"X-Breakeven-Application",
    b"X-Breakeven-Route",
    b"X-Breakeven-Private",
    b"Anthropic-Version",
    b"X-CSRFToken",
    b"User-Agent",
    b"X-HTTP-Method-Override",
    b"Content-Disposition",
    b"Traceparent",
    b"Idempotency-Key",
    b"List-Unsubscribe",
    b"Sec-Fetch-Site",
    b"Date",
    b"Via",
    b"Max-Forwards",
    b"Content-Range",
    b"Content-Location",
)
TEXTS = (
    b"",
    b"\xff\xfe",
    b"a\0b",
    b"x" * 9_000,
    b"x" * 70_000,
    b"*/*;q=2",
    b"application/json; charset=utf-7",
    b"text/html, x/" + b"y" * 999,
    b"multipart/form-data",
    b"multipart/form-data; boundary=" + b"-" * 300,
    b'application/x-protobuf; x="',
    b"bytes=0-0,1-9999999",
    b"bytes=-" + b"9" * 40,
    b"Mon, 99 Foo 2026",
    b"Bearer",
    b"Bearer " + b"\xc3\xa9" * 50,
    b"Basic Og==",
    b"Basic %%%",
    b"Bearer a b c",
    b"localhost:99999999",
    b"[::1",
    b"evil.example",
    b"127.0.0.1:80@x",
    b"sessionid=" + b"a" * 5_000,
    b'sessionid="\\000"; a; =b; ;;',
    b"csrftoken=" + b"z" * 64,
    b"de-" + b"a-" * 200,
    b"it,en;q=nan",
    b"zz-ZZ",
    b"gzip;q=0, identity;q=0",
    b"websocket",
    b"h2c",
    b"1" * 500,
    b"-1",
    b'for="[::1]"' * 50,
    b"http://127.0.0.1:1/%ff",
    b"javascript:alert(1)",
    b"null",
    b"charset=\xe9",
    b"\t \t",
)
# Sent as they are: what may not stand in a header at all.
BROKEN = (
    b"A: b\nC: d",
    b"A : b",
    b": b",
    b"no colon",
    b" folded",
    b"A\0: b",
    b"A: b\0",
    b"A: b\rC: d",
    b"\xff: x",
    b"A:" + b" " * 20_000,
    b"(A): b",
    b"A" * 70_000 + b": b",
)
VERSIONS = (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.1 x", b"http/1.1", b"", b"HTTP/9" + b"9" * 50)


def spoil(rng: Random, request: Request) -> None:
    """One or some wrong headers, a request line that is none, or far too many of either."""
    for _time in range(rng.choice((1, 1, 2, 4))):
        rng.choice(WAYS)(rng, request)


def _one(rng: Random, request: Request) -> None:
    name = rng.choice(NAMES)
    # In place of ours as often as beside it.
    if rng.random() < 0.7:
        request.headers = [header for header in request.headers if header[0].lower() != name.lower()]
    request.headers.append((name, rng.choice(TEXTS)))


def _broken(rng: Random, request: Request) -> None:
    name, _, text = rng.choice(BROKEN).partition(b": ")
    request.headers.append((name, text))
    request.whole = False


def _many(rng: Random, request: Request) -> None:
    request.headers += [(b"X-%d" % n, b"x" * rng.choice((1, 100))) for n in range(rng.choice((50, 99, 300, 3_000)))]


def _cookies(rng: Random, request: Request) -> None:
    request.headers.append(
        (b"Cookie", b"; ".join(b"c%d=%s" % (n, rng.choice(TEXTS)[:80]) for n in range(rng.choice((5, 200)))))
    )


def _without_host(rng: Random, request: Request) -> None:
    request.headers = [header for header in request.headers if header[0] != b"Host"]
    if rng.random() < 0.3:
        request.headers += [(b"Host", b"a"), (b"Host", b"b")]


def _version(rng: Random, request: Request) -> None:
    request.version = rng.choice(VERSIONS)
    request.whole = False


def _method(rng: Random, request: Request) -> None:
    request.method = rng.choice(METHODS)
    request.whole = request.whole and request.method in METHODS[:7]


def _target(rng: Random, request: Request) -> None:
    path = request.target
    request.target = rng.choice(
        (
            path + "%00",
            path + "%ff%fe",
            path + "%zz",
            path + "/",
            "/" + path,
            path.replace("/", "//"),
            path + "/../../x",
            path.upper(),
            f"http://evil.example{path}",
            "*",
            "",
            path + "?" + "a=b&" * 3_000,
            path + "?" + "a" * 60_000,
            path + "#x",
            "/%2e%2e" + path,
            path + "\u00e9",
            path + " x",
            path + ";a=b",
            path + "?%",
            path + "?from=%00",
            path + "?" + mutate.text(rng)[:200],
        )
    )
    request.whole = (
        request.whole and request.target.isascii() and request.target.isprintable() and " " not in request.target
    )


WAYS: tuple[Callable[[Random, Request], None], ...] = (
    _one,
    _one,
    _one,
    _one,
    _broken,
    _many,
    _cookies,
    _without_host,
    _version,
    _method,
    _method,
    _target,
    _target,
)


def usual(port: int) -> list[Header]:
    return [(b"Host", b"127.0.0.1:%d" % port), (b"User-Agent", b"breakeven-fuzz")]
