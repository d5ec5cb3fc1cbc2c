"""Each service that people are likely to have: its own bytes over a real connection, and its own words when it refuses.

Where apprise lets a host be given it is the server's here; of the others only the address is changed being sent out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.test import Client

from alerts.channels import hand_over, trial_note
from alerts.channels.calls import failure
from alerts.mail.smtp import NotSent
from alerts.models import Channel
from tests.alerts.channel_rows import channel
from tests.alerts.conftest import START
from tests.alerts.receiver import Receiver, receiving
from tests.dashboard.logins import logged_in, with_role

TITLE = "Test from Breakeven: alerts arrive here"


@dataclass(frozen=True)
class Service:
    """An address, the paths that are called, what is answered to each, and its word when it refuses the last."""

    name: str
    url: str
    paths: list[str]
    says: list[Any] = field(default_factory=list)
    refuses: tuple[int, Any] = (403, {"error": "no"})
    hears: str = "no"
    host_given: bool = False


ROOM = {"room_id": "!abc:there"}
SERVICES = {
    "Slack": Service(
        "Slack",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops",
        ["/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"],
        ["ok"],
        refuses=(403, "invalid_token"),
        hears="403",
    ),
    "Teams": Service(
        "Workflows",
        "workflows://prod-1.westeurope.logic.azure.com/0123456789abcdef0123456789abcdef/sig-of-the-flow",
        ["/workflows/0123456789abcdef0123456789abcdef/triggers/manual/paths/invoke"],
        refuses=(401, {"error": {"code": "DirectApiAuthorizationRequired"}}),
        hears="401",
    ),
    "Telegram": Service(
        "Telegram",
        "tgram://123456789:abcdefg_hijklmnop/12315544",
        ["/bot123456789:abcdefg_hijklmnop/sendMessage"],
        [{"ok": True, "result": {}}],
        refuses=(400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}),
        hears="chat not found",
    ),
    "ntfy": Service(
        "ntfy",
        "ntfy://{host}/ops-room",
        ["/"],
        refuses=(403, {"code": 40301, "http": 403, "error": "forbidden"}),
        hears="forbidden",
        host_given=True,
    ),
    "PagerDuty": Service(
        "Pager Duty",
        "pagerduty://integration-key@api-key",
        ["/v2/enqueue"],
        refuses=(400, {"status": "invalid event", "errors": ["'routing_key' is invalid"]}),
        hears="400",
    ),
    "Matrix": Service(
        "Matrix",
        "matrix://olga:password@{host}/!ops:there",
        [
            "/_matrix/client/v3/login",
            "/_matrix/client/v3/join/%21ops%3Athere",
            "/_matrix/client/v3/rooms/%21abc%3Athere/send/m.room.message/0",
        ],
        [{"access_token": "abc", "user_id": "@olga:there", "home_server": "there"}, ROOM, {"event_id": "$1"}],
        refuses=(403, {"errcode": "M_FORBIDDEN", "error": "Invalid username or password"}),
        hears="403",
        host_given=True,
    ),
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Service:
    found: Service = SERVICES[request.param]
    if not found.host_given:
        led_here(receiver, monkeypatch)
    return found


def led_here(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host is the server's, and nothing else of a call is touched."""
    real = requests.Session.request

    def request(self: requests.Session, method: str, url: str, **more: Any) -> requests.Response:
        parts = urlsplit(url)
        return real(self, method, f"{receiver.url}{parts.path}", **more)

    monkeypatch.setattr(requests.Session, "request", request)


def answer(receiver: Receiver, *said: Any, status: int = 200) -> None:
    receiver.plan += [(status, one if isinstance(one, str) else json.dumps(one)) for one in said]


def added(service: Service, receiver: Receiver) -> Channel:
    return channel(service.url.format(host=receiver.host), "apprise")


def test_it_is_told_in_its_own_words_at_its_own_path(db: Any, service: Service, receiver: Receiver) -> None:
    answer(receiver, *(service.says or [{}]))
    said = hand_over(added(service, receiver), trial_note("1", "olga", START), START)
    assert service.name in said
    paths = [call.path.partition("?")[0] for call in receiver.calls]
    assert paths[: len(service.paths)] == service.paths
    assert TITLE in receiver.calls[len(service.paths) - 1].body.decode()


def test_the_test_button_shows_what_it_really_answers(db: Any, service: Service, receiver: Receiver) -> None:
    admin: Client = logged_in(with_role("admin"))
    status, said = service.refuses
    answer(receiver, *[said] * 4, status=status)
    form = {"name": "Room", "address": service.url.format(host=receiver.host), "local": "on", "action": "test"}
    page = admin.post("/alerts/channels/add/apprise/", form, headers={"HX-Request": "true"}).content.decode()
    assert "Test failed" in page and service.hears in page


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("reset by peer", "The connection to hooks.slack.com failed."),
        ("(connect timeout=4.0)", "The server hooks.slack.com did not answer within 4 s."),
    ],
)
def test_a_service_that_is_not_reached_is_named_in_a_sentence(
    db: Any, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    def request(self: requests.Session, method: str, url: str, **more: Any) -> requests.Response:
        raise requests.ConnectionError(f"HTTPSConnectionPool(host='hooks.slack.com', port=443): {text}")

    monkeypatch.setattr(requests.Session, "request", request)
    with pytest.raises(NotSent) as refused:
        hand_over(channel(SERVICES["Slack"].url, "apprise"), trial_note("1", "olga", START), START)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("NameResolutionError('x')", "The address of a.example could not be found."),
        ("SSLCertVerificationError('x')", "The certificate of a.example is not valid."),
        ("ConnectError('[Errno 111] Connection refused')", "The server a.example refused the connection."),
        ("ReadTimeout('')", "The server a.example did not answer within 8 s."),
        ("ValueError('x')", "The connection to a.example failed."),
    ],
)
def test_what_a_library_writes_of_a_failure_is_never_shown(text: str, sentence: str) -> None:
    assert failure("a.example", text) == sentence
