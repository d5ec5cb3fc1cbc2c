"""The fuzzer sends the same for the same seed, and finds what it is there to find."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.fuzz import cases, wire
from benchmarks.fuzz.actors import ROLES, SCOPES, Actor
from benchmarks.fuzz.campaign import Campaign, judge
from benchmarks.fuzz.forms import Form, Map, Page, crawl
from benchmarks.fuzz.watch import Watch, grows
from benchmarks.management.commands.fuzz import addresses
from dashboard.api import api

FORM = Form("/settings/people/add/", "POST", False, {"username": ["ada"], "csrfmiddlewaretoken": ["x"]}, ["photo"])
ACTORS = [
    Actor("stranger", "127.0.0.2"),
    *(Actor(f"key {scope}", "127.0.0.3", key=f"k-{scope}") for scope in SCOPES),
    *(Actor(role, "127.0.0.4", person=True, cookies={b"sessionid": b"s"}, token="t") for role in ROLES),
]
PORTS = {"web": 1, "gateway": 2}


@pytest.fixture(scope="module")
def ground() -> cases.Ground:
    pages = Map(["/", "/spend/?month=2026-11", "/settings/"], [FORM])
    return cases.Ground(pages, dict(api.get_openapi_schema()), sorted(set(addresses())))


def octets(seed: int, number: int, ground: cases.Ground) -> bytes:
    return cases.make(seed, number, ground, ACTORS, PORTS).request.octets()


def test_a_fuzz_case_depends_only_on_its_seed_and_number(ground: cases.Ground) -> None:
    requests = [octets(7, number, ground) for number in range(200)]
    assert requests == [octets(7, number, ground) for number in range(200)]
    assert requests != [octets(8, number, ground) for number in range(200)]


def test_every_kind_of_case_can_be_made_and_none_is_beyond_bounds(ground: cases.Ground) -> None:
    made = [cases.make(1, number, ground, ACTORS, PORTS) for number in range(700)]
    assert {case.kind for case in made} == set(cases.KINDS)
    assert max(len(case.request.octets()) for case in made) < 32 << 20
    assert {case.actor.name for case in made} == {actor.name for actor in ACTORS}
    paths = {case.request.target.partition("?")[0] for case in made if case.kind == "operation"}
    assert len(paths) > 30, "the operations of the schema"


def test_no_case_of_a_person_ends_its_own_session(ground: cases.Ground) -> None:
    for number in range(700):
        case = cases.make(2, number, ground, ACTORS, PORTS)
        if case.request.target.startswith(("/logout/", "/password/")) and case.kind in ("pattern", "form"):
            assert not case.actor.person


@contextmanager
def server(answers: bytes) -> Iterator[int]:
    """A port of loopback that answers every connection with the same bytes, or hangs up where there are none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answers)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def answer(head: bytes) -> wire.Answer:
    with server(head) as port:
        return wire.exchange(port, b"GET / HTTP/1.1\r\n\r\n", source="127.0.0.2", patience=5)


@pytest.mark.parametrize(
    ("head", "finding"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""),
        (b"HTTP/1.1 404 No\r\n\r\n", ""),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "status 500"),
        (b"HTTP/1.1 502 Oh\r\n\r\n", "status 502"),
        (b"HTTP/1.1 503 Later\r\nRetry-After: 1\r\n\r\n", ""),
        (b"HTTP/1.1 503 Later\r\n\r\n", "503 without Retry-After"),
        (b"HTTP/1.1 502 Oh\r\nx-breakeven-error: upstream-unreachable\r\n\r\n", ""),
        (b"HTTP/1.1 500 Oh\r\nx-breakeven-deployment: mistral\r\n\r\n", ""),
        (b"HTTP/1.1 500 Oh\r\nx-breakeven-error: bad-request\r\n\r\n", "status 500"),
        (b"", "hung up without an answer"),
    ],
)
def test_an_invalid_answer_is_a_finding(head: bytes, finding: str) -> None:
    assert judge(wire.Request("GET", "/"), answer(head)) == finding


def test_a_request_that_lies_about_its_length_may_be_hung_up_on() -> None:
    assert judge(wire.Request("GET", "/", whole=False), answer(b"")) == ""


def test_a_server_that_breaks_is_found_with_the_number_that_shows_it(ground: cases.Ground) -> None:
    class Cast:
        actors = ACTORS

    with server(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n") as port:
        campaign = Campaign(3, ground, Cast(), {"web": port, "gateway": port})  # type: ignore[arg-type]  # its actors alone
        campaign.run(20, print, most=12)
    assert [finding.number for finding in sorted(campaign.findings, key=lambda f: f.number)] == list(range(12))
    assert {finding.what for finding in campaign.findings} == {"status 500"}


def test_memory_that_keeps_growing_is_told_from_memory_that_fills() -> None:
    flat = [100 << 20] * 100
    assert not grows(flat)
    assert not grows([n << 20 for n in range(30)] + flat)
    assert grows([(100 + n) << 20 for n in range(100)])


def test_a_slow_or_failing_healthz_is_a_finding() -> None:
    with server(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n") as port:
        watch = Watch(1, {"web": port})
        watch.probes[0].ask()
    watch.probes[0].seconds = [0.1, 1.5]
    assert watch.findings(1.0) == ["/healthz of web: 500", "/healthz of web took 1.50 s, more than 1 s."]


PAGE = """<a href="/spend/">Spend</a> <a href="https://elsewhere.example/">no</a> <a href="/nothing-such">no</a>
<form method="post" enctype="multipart/form-data" action="/settings/people/add/">
<input name="username" value="ada"><select name="role"><option value="ops"><option value="staff"></select>
<input type="file" name="photo"></form>"""


def test_a_page_is_read_as_a_person_sees_it() -> None:
    page = Page("/", PAGE)
    form = page.forms[0]
    assert (form.action, form.method, form.multipart, form.files) == ("/settings/people/add/", "POST", True, ["photo"])
    assert form.fields == {"username": ["ada"], "role": ["ops", "staff"]}
    visited: list[str] = []

    def get(path: str) -> str:
        visited.append(path)
        return PAGE

    found = crawl(get, ["/"])
    assert visited == ["/", "/spend/"], "nothing outside, nothing without a view, nothing twice"
    assert [form.action for form in found.forms] == ["/settings/people/add/"]
