"""The door of the web process, in earnest: nothing that a client holds open stops another."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import httpx
import psutil
import pytest
from google.rpc.status_pb2 import Status

from tests.dashboard.front_server import BATCH, PATIENT, token_of
from tests.traffic.otlp_exports import body, protobuf, span
from tests.traffic.web_process import BASE, SECRET, Intake

pytestmark = pytest.mark.django_db
MANY = 64
KEY = f"Authorization: Bearer {SECRET}\r\nContent-Type: application/x-protobuf\r\n"


@contextmanager
def connected(intake: Intake, heads: list[str]) -> Iterator[list[socket.socket]]:
    """Connections that have each sent so much of a request, and nothing since."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection(("127.0.0.1", intake.web.port))) for _ in heads]
        for one, head in zip(sockets, heads, strict=True):
            one.settimeout(PATIENT)
            one.sendall(head.encode())
        yield sockets


def head(method: str, path: str, length: int, more: str = "") -> str:
    return f"{method} {path} HTTP/1.1\r\nHost: here\r\n{more}Content-Length: {length}\r\n\r\n"


def everything_answers(intake: Intake, person: httpx.Client) -> None:
    assert intake.web.ask("/healthz", seconds=PATIENT)[0] == 200
    assert person.get("/").status_code == 200
    assert person.get("/spend/").status_code == 200
    assert person.get("/api/v1/openapi.json").status_code == 200
    assert intake.web.post(BATCH)[0] == 200


def open_ones(sockets: list[socket.socket]) -> int:
    """How many of these connections have neither an answer nor an end."""
    count = 0
    for one in sockets:
        one.settimeout(0)
        try:
            one.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            count += 1
        except OSError:
            continue
    return count


def test_idle_uploads_and_half_heads_of_strangers_stop_neither_pages_nor_ingest(
    intake: Intake, person: httpx.Client
) -> None:
    small = [head("POST", path, 60_000) for path in ("/login/", "/v1/traces", "/nothing-here", "/healthz")]
    halves = ["POST /v1/traces HTTP/1.1\r\nHost: he"]
    with connected(intake, small * (MANY // 4) + halves * MANY) as sockets:
        everything_answers(intake, person)
        assert open_ones(sockets) == 2 * MANY, "all of them were being held while the others were answered"


def test_a_stranger_who_declares_much_is_refused_before_it_is_sent(intake: Intake) -> None:
    paths = ["/login/", "/v1/traces", "/nothing-here", "/healthz"]
    with connected(intake, [head("POST", path, 100_000) for path in paths]) as sockets:
        statuses = [int(one.recv(4096).split()[1]) for one in sockets]
    assert statuses == [413, 401, 404, 413]


def test_a_head_of_more_than_64_kib_is_refused_and_a_long_one_is_not(intake: Intake) -> None:
    one, many = f"X-Long: {'a' * 70_000}\r\n", "".join(f"X-{n}: {'a' * 1_000}\r\n" for n in range(80))
    fits = "".join(f"X-{n}: {'a' * 1_000}\r\n" for n in range(60))
    for path in ("/healthz", "/login/", "/v1/traces"):
        answers = []
        for more in (one, many, fits):
            with connected(
                intake, [f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{more}\r\n"]
            ) as sockets:
                answers.append(until_closed(sockets[0])[:12])
        # The server ends what it cannot read at once by itself; it may say so in the same words.
        assert {b"HTTP/1.1 431"} == set(answers[:2]), path
        assert answers[2] in (b"HTTP/1.1 200", b"HTTP/1.1 405"), path


def test_idle_uploads_come_to_an_end(intake: Intake) -> None:
    paths = ["/login/", "/v1/traces", "/api/v1/requests", "/ingest/litellm"]
    with connected(intake, [head("POST", path, 60_000, KEY) for path in paths]) as sockets:
        answers = [until_closed(one) for one in sockets]
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 408 ") and b"too slowly" in answer
        assert b"connection: close" in answer.lower()


def test_half_a_head_comes_to_an_end(intake: Intake) -> None:
    with connected(intake, ["GET / HTTP/1.1\r\nHost: he", ""]) as sockets:
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.5):
                try:
                    sockets[0].sendall(b"r")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert [b"200" in until_closed(one) for one in sockets] == [False, False]
        finally:
            stop.set()
            dripping.join()


def until_closed(one: socket.socket) -> bytes:
    parts = []
    with suppress(ConnectionResetError):
        while part := one.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_keys_whose_bodies_trickle_stop_nobody_and_fill_no_memory(intake: Intake, person: httpx.Client) -> None:
    worker = psutil.Process(intake.web.process.pid).children(recursive=True)[0]
    everything_answers(intake, person)
    before = worker.memory_info().rss
    stop = threading.Event()
    with connected(intake, [head("POST", "/v1/traces", 64 << 20, KEY)] * MANY) as sockets:
        dripping = threading.Thread(target=trickle, args=(sockets, stop))
        dripping.start()
        try:
            time.sleep(6)  # longer than what a body that does not come is waited for
            for _ in range(3):
                everything_answers(intake, person)
            assert open_ones(sockets) == MANY
        finally:
            stop.set()
            dripping.join()
        assert worker.memory_info().rss - before < 64 << 20


def trickle(sockets: list[socket.socket], stop: threading.Event) -> None:
    """Two kilobytes a second to each."""
    while not stop.wait(0.5):
        for one in sockets:
            one.setblocking(False)
            try:
                one.sendall(b"x" * 1024)
            except OSError:
                continue


def test_clients_that_do_not_read_their_answer_hold_no_thread(intake: Intake, person: httpx.Client) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    request = f"GET /requests/export.csv HTTP/1.1\r\nHost: here\r\nCookie: {cookie}\r\n\r\n"
    [plotly] = (BASE / "staticfiles" / "plotly").glob("plotly*.js")  # five megabytes
    big = f"GET /static/plotly/{plotly.name} HTTP/1.1\r\nHost: here\r\n\r\n"
    with connected(intake, [request] * 8 + [big] * MANY):
        everything_answers(intake, person)
        assert person.get(f"/static/plotly/{plotly.name}").status_code == 200


def test_what_is_larger_than_an_address_takes_is_refused_before_a_byte_of_it(intake: Intake) -> None:
    paths = {"/v1/traces": 64 << 20, "/ingest/litellm": 64 << 20, "/api/v1/requests": 16 << 20}
    heads = [head("POST", path, limit + 1, KEY) for path, limit in paths.items()]
    with connected(intake, heads) as sockets:
        answers = [one.recv(4096) for one in sockets]
    for answer, limit in zip(answers, paths.values(), strict=True):
        assert answer.startswith(b"HTTP/1.1 413 ") and f"larger than {limit >> 20} MiB".encode() in answer


def test_a_chunked_body_is_read_like_one_with_a_length(intake: Intake) -> None:
    assert chunked(intake, SECRET, [BATCH])[0] == 200
    assert chunked(intake, "bk_of_nobody", [b"x" * 100_000] * 10)[0] == 401
    assert chunked(intake, "bk_of_nobody", [b"a=b"], "/login/")[0] == 403, "read, and refused for want of a token"
    assert chunked(intake, "bk_of_nobody", [b"x" * 100_000], "/login/")[0] == 413
    status, content = chunked(intake, SECRET, [b"x" * (1 << 20)] * 65)
    assert (status, "larger than 64 MiB" in Status.FromString(content).message) == (413, True)


def test_a_body_in_chunks_that_are_none_is_400_and_never_500(intake: Intake) -> None:
    named = f"Host: here\r\nAuthorization: Bearer {SECRET}\r\nTransfer-Encoding: chunked\r\n\r\n"
    for wrong in ("-1\r\n\r\n", "5\r\nab", "zz\r\n", "3\r\nabcdef\r\n0\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", intake.web.port)) as connection:
            connection.settimeout(PATIENT)
            connection.sendall(f"POST /v1/traces HTTP/1.1\r\n{named}{wrong}".encode())
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 400 ") or not answer, wrong
    assert intake.web.post(BATCH)[0] == 200


def test_what_django_refuses_before_a_view_is_asked_does_not_read_a_body_that_was_left_unread(intake: Intake) -> None:
    part = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nabc\r\n--x--\r\n'
    named = "Host: a b\r\nCookie: csrftoken=abc\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    with socket.create_connection(("127.0.0.1", intake.web.port)) as connection:
        connection.settimeout(PATIENT)
        connection.sendall(f"POST /nothing/ HTTP/1.1\r\n{named}Content-Length: {len(part)}\r\n\r\n{part}".encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("host", ["", "Host: a b\r\n"])
@pytest.mark.parametrize("path", ["/settings/imports/", "/login/", "/password/forgotten/"])
def test_a_form_with_files_for_no_host_or_a_wrong_one_is_no_fault(
    intake: Intake, person: httpx.Client, host: str, path: str
) -> None:
    part = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nabc\r\n--x--\r\n'
    cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    head = f"{host}Cookie: {cookies}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    with socket.create_connection(("127.0.0.1", intake.web.port)) as connection:
        connection.settimeout(PATIENT)
        connection.sendall(f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(part)}\r\n\r\n{part}".encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 4")


def chunked(intake: Intake, secret: str, parts: list[bytes], path: str = "/v1/traces") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", intake.web.port, timeout=PATIENT)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/x-protobuf"}
    with suppress(BrokenPipeError, ConnectionResetError):  # the answer came before the end
        connection.request("POST", path, iter(parts), headers, encode_chunked=True)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_files_are_refused_where_no_view_asks_for_one(intake: Intake, person: httpx.Client) -> None:
    made_up = {"csrftoken": "x" * 32}
    for path in ("/login/", "/v1/traces", "/settings/people/add/", "/api/v1/requests"):
        answer = httpx.post(
            f"{intake.web.url}{path}",
            files={"file": b"x" * 100_000},
            data={"csrfmiddlewaretoken": "x"},
            cookies=made_up,
        )
        assert answer.status_code in (401, 413, 415), path
        assert person.post(path, files={"file": b"x" * 1000}).status_code in (401, 415), path
    refused = httpx.post(f"{intake.web.url}/settings/imports/", files={"file": b"x"}, cookies=made_up)
    assert (refused.status_code, "Log in" in refused.text) == (413, True)


def test_a_file_goes_to_the_view_that_asks_for_it(intake: Intake, person: httpx.Client) -> None:
    page = person.get("/settings/imports/").text
    lines = b"started_at,provider,model\n" + b"2026-11-24T10:00:00Z,anthropic,claude-test\n" * 60_000
    answer = person.post("/settings/imports/", data=token_of(page), files={"file": ("calls.csv", lines)})
    assert (answer.status_code, answer.headers["location"][:18]) == (302, "/settings/imports/"), answer.text


def test_a_ping_without_login_may_send_a_large_body_which_is_cut(intake: Intake) -> None:
    """The address of a heartbeat is its secret: there is no login to ask for."""
    content = b"x" * 300_000
    status, _headers, answer = intake.web.ask(f"/ping/{'0' * 8}-0000-4000-8000-{'0' * 12}", content)
    assert (status, answer) == (404, b"not found\n")


def test_a_mail_programs_one_click_may_come_in_parts(intake: Intake) -> None:
    """RFC 8058 lets it choose; the token is none of ours, and the view is what says so."""
    address = f"{intake.web.url}/alerts/unsubscribe/no-token/"
    in_parts = httpx.post(address, files={"List-Unsubscribe": (None, "One-Click")})
    plain = httpx.post(address, data={"List-Unsubscribe": "One-Click"})
    assert (in_parts.status_code, in_parts.text) == (plain.status_code, plain.text)
    assert in_parts.status_code not in (413, 415)


def test_refusals_of_browsers_are_pages(intake: Intake) -> None:
    answer = httpx.post(
        f"{intake.web.url}/login/", content=b"x" * 100_000, headers={"Accept": "text/html", "Origin": intake.web.url}
    )
    assert answer.status_code == 413
    assert "<h1>" in answer.text and "default-src" in answer.headers["content-security-policy"]


def test_more_senders_than_are_served_at_once_are_told_when_to_come_again_and_all_land(intake: Intake) -> None:
    before = rows_in(intake)

    def send(number: int) -> list[int]:
        """As an exporter does: again after the time that it is told."""
        statuses = []
        while 200 not in statuses:
            status, headers, _content = intake.web.post(protobuf(body(span(1000 + number))))
            statuses.append(status)
            if status == 503:
                assert headers["Retry-After"] in ("1", "2", "3")
                time.sleep(int(headers["Retry-After"]))
        return statuses

    with ThreadPoolExecutor(120) as pool:
        answers = list(pool.map(send, range(240)))
    assert {status for statuses in answers for status in statuses} <= {200, 503}
    assert rows_in(intake) == before + 240


def test_large_bodies_under_unknown_keys_are_429_after_a_while_and_reach_nobody_else(intake: Intake) -> None:
    """Guesses are counted by address: a key that nobody has used yet is looked up for a caller of another one."""
    large = b"x" * 70_000
    with httpx.Client(base_url=intake.web.url, timeout=PATIENT) as client:
        statuses = [
            client.post("/v1/traces", content=large, headers={"Authorization": f"Bearer bk_guess-{number}"}).status_code
            for number in range(90)
        ]
    assert set(statuses) == {401, 429}
    secret = "bk_" + "never-used-before"
    digest = sha256(secret.encode()).hexdigest()
    intake.conn.execute(
        "INSERT INTO traffic_key SELECT (jsonb_populate_record(NULL::traffic_key, to_jsonb(k)"
        " || jsonb_build_object('id', k.id + 1000, 'hash', %s::text))).* FROM traffic_key AS k LIMIT 1",
        [f"\\x{digest}"],
    )
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.9"), timeout=PATIENT) as client:
        answer = client.post(
            f"{intake.web.url}/v1/traces",
            content=protobuf(body(*(span(50_000 + number) for number in range(600)))),
            headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/x-protobuf"},
        )
    assert answer.status_code == 200


def rows_in(intake: Intake) -> int:
    row = intake.conn.execute("SELECT count(*) FROM traffic_request").fetchone()
    assert row is not None
    return int(row[0])


def test_hundreds_of_refusals_are_a_handful_of_lines(intake: Intake) -> None:
    log = Path(intake.web.log.name)
    before = len(log.read_text().splitlines())
    with httpx.Client(base_url=intake.web.url, timeout=PATIENT) as client:
        for _n in range(100):
            assert client.post("/login/", content=b"x" * 70_000).status_code == 413
            assert client.post("/login/", data={"username": "x"}).status_code == 403
            assert client.post("/v1/traces", json={}).status_code == 401
    lines = log.read_text().splitlines()[before:]
    kinds = ("status=413 reason=", "status=403 reason=csrf", "batch_refused way=otlp_traces status=401")
    assert [sum(kind in line for line in lines) <= 2 for kind in kinds] == [True] * 3
    assert len(lines) <= 15, lines
