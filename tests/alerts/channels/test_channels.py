"""Programs, chats and pagers hear of alerts: signed, at least once, one id each, and never where we do not go."""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from alerts import tasks
from alerts.channels import calls, chat, hand_over, trial_note, webhook
from alerts.context.evaluation import EvaluationContext
from alerts.defaults import ensure_defaults
from alerts.delivery import outbox
from alerts.kinds import KINDS
from alerts.kinds.system import addresses
from alerts.mail.smtp import NotSent
from alerts.models import Channel, Delivery, Rule
from lib.netguard import AddressRefused
from tests.alerts.channel_rows import SECRET, channel
from tests.alerts.conftest import START, Scene
from tests.alerts.outbox import closed_port
from tests.alerts.receiver import Receiver, receiving
from tests.alerts.smtp_server import Mailbox, Smtp
from tests.dashboard.logins import logged_in, with_role
from tests.pages import html_of
from tests.providers.answers import trickling

GUIDE = Path(__file__).resolve().parents[3] / "docs/how-to/receive-webhooks.md"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def hooked(scene: Scene, ops: Any, receiver: Receiver) -> Scene:
    """The rule tells ops by mail and a webhook; something is down."""
    ensure_defaults()
    Rule.objects.get(slug="outage").channels.add(channel(f"{receiver.url}/hook"))
    scene.set("a", True, words={"todo": "Restart it.", "facts": [["Since", "24 Nov 2026, 08:58 UTC", "checks"]]})
    scene.look()
    return scene


def deliver(scene: Scene, seconds: float = 0) -> outbox.Delivered:
    scene.now += timedelta(seconds=seconds)
    return outbox.deliver(clock=lambda: scene.now)


def verify() -> Any:
    """The function that the guide gives to whoever writes a receiver."""
    found: dict[str, Any] = {}
    code = re.search(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert code
    exec(code[1], found)  # noqa: S102  # the guide is ours
    return found["verify"]


def test_the_guides_own_code_takes_a_delivery_once_and_refuses_forgeries_and_replays(
    hooked: Scene, receiver: Receiver, smtp: Smtp
) -> None:
    assert deliver(hooked).accepted == 2, "the mail and the webhook"
    call, check, seen = receiver.calls[0], verify(), set[str]()
    at = hooked.now.timestamp()
    assert check(SECRET, call.headers, call.body, seen, at) is True
    assert check(SECRET, call.headers, call.body, seen, at) is False
    for headers, body, now in (
        (call.headers, call.body + b" ", at),
        (call.headers | {"webhook-id": "other"}, call.body, at),
        (call.headers, call.body, at + 301),
        (call.headers | {"webhook-timestamp": str(int(at) + 1)}, call.body, at),
    ):
        with pytest.raises(ValueError):
            check(SECRET, headers, body, set(), now)
    with pytest.raises(ValueError):
        check("another secret", call.headers, call.body, set(), at)


def test_a_webhook_tells_what_happened_and_its_end_to_the_same_alert(
    hooked: Scene, receiver: Receiver, smtp: Smtp
) -> None:
    deliver(hooked)
    hooked.set("a", False)
    hooked.look()
    deliver(hooked)
    opened, ended = (call.data for call in receiver.calls)
    assert (opened["event"], opened["alert"]["state"], opened["todo"]) == ("crossed", "open", "Restart it.")
    assert opened["alert"]["title"] == "Down: a, $12.50"
    assert opened["alert"]["opened_at"] == opened["at"] == "2026-11-24T09:00:15Z"
    assert opened["facts"] == [{"label": "Since", "value": "24 Nov 2026, 08:58 UTC", "source": "checks"}]
    assert (ended["event"], ended["alert"]["state"], ended["alert"]["id"]) == (
        "resolved",
        "resolved",
        hooked.alert().pk,
    )
    assert opened["id"] != ended["id"] == receiver.calls[1].headers["webhook-id"]
    row = Delivery.objects.filter(channel="webhook").first()
    assert row and (row.recipient, row.state, row.answer) == ("hook", "accepted", "204 No Content")


def test_what_it_does_not_take_is_tried_again_with_the_same_id_and_a_new_time(
    hooked: Scene, receiver: Receiver, smtp: Smtp
) -> None:
    receiver.plan = [(503, "down <b>for</b> tea"), (401, ""), (200, "thanks")]
    assert deliver(hooked).failed == 1
    made = Channel.objects.get()
    assert made.answer == "503 Service Unavailable: down <b>for</b> tea"
    assert (made.failures, made.failing_since) == (1, hooked.now)
    assert (deliver(hooked, 60).failed, deliver(hooked, 60).accepted) == (1, 1)
    first, _second, last = receiver.calls
    assert first.headers["webhook-id"] == last.headers["webhook-id"]
    assert first.body == last.body
    assert int(last.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 120
    made.refresh_from_db()
    assert (made.answer, made.failures, made.failing_since) == ("200 OK: thanks", 0, None)
    assert deliver(hooked, 3600) == outbox.Delivered()


def test_gone_for_good_switches_it_off_and_a_redirect_is_not_followed(
    hooked: Scene, receiver: Receiver, smtp: Smtp
) -> None:
    receiver.plan = [(302, f"{receiver.url}/elsewhere"), (410, "")]
    deliver(hooked)
    assert [call.path for call in receiver.calls] == ["/hook"]
    assert Channel.objects.get().answer == "302 Found to 127.0.0.1. Redirects are not followed."
    assert deliver(hooked, 60).dead == 1
    made = Channel.objects.get()
    assert not made.enabled and "permanently gone" in made.disabled_reason
    hooked.set("b", True)
    hooked.look()
    assert Delivery.objects.filter(alert__subject="b", channel="webhook").count() == 0


def test_a_mail_server_and_a_channel_that_are_away_hold_up_neither_each_other_nor_the_rest(
    hooked: Scene, receiver: Receiver, smtp: Smtp, settings: Any
) -> None:
    dead = channel(f"http://127.0.0.1:{closed_port()}/", slug="away")
    Rule.objects.get(slug="outage").channels.add(dead)
    for name in "bcd":
        hooked.set(name, True)
    settings.EMAIL_PORT = closed_port()
    hooked.look()
    done = deliver(hooked)
    assert (done.accepted, done.failed) == (4, 2), "one mail and one call were tried, all of the webhook arrived"
    assert len(receiver.calls) == 4
    assert (
        Delivery.objects.get(recipient="away", state="failed").answer == "The server 127.0.0.1 refused the connection."
    )


def test_a_dead_channel_is_an_alert_to_admins_and_stands_beside_its_rules(
    hooked: Scene, receiver: Receiver, smtp: Smtp, mailbox: Mailbox
) -> None:
    receiver.plan = [(500, "no")] * 40
    for _n in range(20):
        deliver(hooked, 60)
    asked = KINDS["system"].read({})
    (found,) = addresses(EvaluationContext(hooked.now), asked, frozenset())
    assert found.subject == "channel:hook" and found.crossed
    assert KINDS["system"].groups == ("admin",)
    page = logged_in(with_role("admin")).get("/alerts/rules/").content.decode()
    assert "failed" in page and "Not delivered to hook" in page and "500 Internal Server Error: no" in page
    Channel.objects.update(failures=0, failing_since=None)
    (found,) = addresses(EvaluationContext(hooked.now), asked, frozenset({"channel:hook"}))
    assert found.clear and not found.crossed


@pytest.mark.parametrize(
    ("kind", "address", "why"),
    [
        ("webhook", "http://127.0.0.1:1/", "https"),
        ("webhook", "https://127.0.0.1:1/", "private address"),
        ("webhook", "https://169.254.169.254/latest", "link-local"),
        ("apprise", "json://127.0.0.1:1/", "private address"),
        ("apprise", "json://169.254.169.254/", "link-local"),
        ("apprise", "json://168.63.129.16/", "a cloud stores this server's secrets"),
        ("webhook", "https://168.63.129.16/", "a cloud stores this server's secrets"),
        ("apprise", "syslog://", "This service is not supported"),
        ("apprise", "mailto://user:password@example.com", "This service is not supported"),
        ("apprise", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template=/etc/passwd", "a file"),
        ("apprise", "nothing://x", "not an Apprise address"),
    ],
)
def test_where_we_do_not_go_is_refused_when_it_is_called(db: Any, kind: str, address: str, why: str) -> None:
    with pytest.raises(NotSent, match=why):
        hand_over(channel(address, kind, local=False), trial_note("1", "olga", START), START)


@pytest.mark.parametrize("inside", ["10.0.0.7", "127.0.0.1", "169.254.169.254"])
def test_a_name_that_leads_inside_by_now_is_refused_at_the_next_call(
    db: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    """DNS rebinding: a channel's address was judged when it was entered, and is judged again at each call."""
    port = int(receiver.host.rsplit(":", 1)[1])

    def lookup(*_args: Any, **_options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (inside, port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(NotSent, match="leads to the"):
        hand_over(channel(f"https://rebound.example:{port}/", local=False), trial_note("1", "olga", START), START)
    assert receiver.calls == []


@pytest.mark.parametrize("inside", ["127.0.0.1", "::1"])
def test_a_chat_whose_name_leads_inside_is_refused_where_it_connects(
    db: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    """apprise resolves by itself; what counts is the address that it is about to connect to."""
    port = int(receiver.host.rsplit(":", 1)[1])
    lookups = []

    def lookup(host: str, *_args: Any, **_options: Any) -> list[Any]:
        lookups.append(host)
        family = socket.AF_INET6 if ":" in inside else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (inside, port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(NotSent, match="leads to"):
        hand_over(
            channel(f"json://rebound.example:{port}/", "apprise", local=False), trial_note("1", "olga", START), START
        )
    assert lookups and receiver.calls == []


@pytest.mark.parametrize("inside", ["10.0.0.7", "169.254.169.254", "168.63.129.16", "fd00::1", "::ffff:10.0.0.7"])
def test_no_socket_of_a_chat_connects_inside(inside: str) -> None:
    with chat.guard.on(local=False), pytest.raises(AddressRefused, match="leads to"):
        sys.audit("socket.connect", None, (inside, 443))  # as Python tells of each connect before it happens


def test_only_the_thread_that_sends_to_a_chat_is_judged(receiver: Receiver) -> None:
    """The hook is the whole process's; its other threads connect where they like, to the database above all."""
    host, port = receiver.host.split(":")
    outcomes: dict[str, str] = {}

    def connect(name: str) -> None:
        try:
            socket.create_connection((host, int(port))).close()
            outcomes[name] = "connected"
        except AddressRefused:
            outcomes[name] = "refused"

    with chat.guard.on(local=False):
        other = threading.Thread(target=connect, args=["other"])
        other.start()
        other.join()
        connect("sender")
    connect("afterwards")
    assert outcomes == {"other": "connected", "sender": "refused", "afterwards": "connected"}


def test_of_an_endless_answer_the_first_words_are_read(db: Any, receiver: Receiver) -> None:
    receiver.plan = [(200, "x" * (33 * 1024 * 1024))]
    answer = hand_over(channel(f"{receiver.url}/hook"), trial_note("1", "olga", START), START)
    assert answer == "200 OK: " + "x" * 300


def test_a_chat_is_told_through_apprise_and_its_real_answer_is_kept_without_the_token(
    db: Any, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    made = channel(f"ntfy://token:tk_verysecret@{receiver.host}/ops-room", "apprise")
    receiver.plan = [(200, "{}"), (403, '{"error": "forbidden for tk_verysecret", "code": 40301}'), (302, "/x")]
    note = trial_note("1", "olga", START)
    assert "ntfy" in hand_over(made, note, START)
    assert receiver.calls[0].data["title"] == "Test from Breakeven: alerts arrive here"
    with pytest.raises(NotSent, match="forbidden for …, error=40301"):
        hand_over(made, note, START)
    with pytest.raises(NotSent):
        hand_over(made, note, START)
    assert len(receiver.calls) == 3, "a redirect is not followed"
    away = channel(f"ntfy://{f'127.0.0.1:{closed_port()}'}/ops-room", "apprise", slug="away")
    with pytest.raises(NotSent, match="refused"):
        hand_over(away, note, START)
    assert "verysecret" not in caplog.text + Channel.objects.get(slug="hook").answer


SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
WORKFLOW = "workflows://1.1.1.1:443/workflow1/signature1/"


@pytest.mark.parametrize("query", ["x=1;template={file}", "%20template={file}", "x=1&%20TEMPLATE%20={file}"])
def test_a_file_of_this_machine_is_never_read_however_the_query_is_written(tmp_path: Path, query: str) -> None:
    file = tmp_path / "card.json"
    file.write_text('{"type": "message", "attachments": ["secret"]}')
    with pytest.raises(AddressRefused, match="a file"):
        chat.plugin(f"{WORKFLOW}?{query.format(file=file)}", local=False)


@st.composite
def queries_with_a_file(draw: st.DrawFn) -> str:
    """A parameter that names a file, among others, in every spelling: case, escapes, blanks, separators, repeats."""
    name = draw(st.sampled_from(["template", "Template", "TEMPLATE", "tEmPlAtE"]))
    spelt = "".join(draw(st.sampled_from([letter, f"%{ord(letter):02x}", f"%{ord(letter):02X}"])) for letter in name)
    blank = st.sampled_from(["", "%20", "%09", "%0a", "%0d%0a", "%0b", "%20%20"])
    pairs = draw(st.lists(st.sampled_from(["x=1", "y", "", "=", "image=no", "a=b=c"]), max_size=3))
    pairs.insert(draw(st.integers(0, len(pairs))), f"{draw(blank)}{spelt}{draw(blank)}=/etc/hostname")
    return "".join(pair + draw(st.sampled_from("&;")) for pair in pairs)


@given(queries_with_a_file(), st.sampled_from([SLACK, WORKFLOW]))
def test_no_spelling_of_a_query_makes_a_plugin_hold_a_file(query: str, address: str) -> None:
    """Either it is refused, or apprise itself saw no file in it."""
    try:
        made = chat.plugin(f"{address}?{query}", local=False)
    except AddressRefused:
        return
    assert not made.template
    assert "template" not in made.url()


def test_services_are_known_by_the_addresses_that_the_form_shows() -> None:
    shown = {
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops": "Slack",
        "tgram://123456789:abcdefg_hijklmnop/12315544": "Telegram",
        "ntfys://ntfy.sh/topic": "ntfy",
        "pagerduty://integration-key@api-key": "Pager Duty",
        "matrixs://user:password@matrix.example.com/#room": "Matrix",
    }
    assert {url: chat.service(url, local=False) for url in shown} == shown
    assert "Power Automate" in chat.service("workflows://host.example.com/workflow1/signature1", local=False)


def test_a_secret_of_ones_own_signs_as_it_is() -> None:
    assert webhook.key_of("plain") == b"plain"
    assert webhook.key_of(SECRET) == b"secret of tests"
    assert webhook.key_of("whsec_not base64!") == b"whsec_not base64!"
    assert len(webhook.key_of(webhook.new_secret())) == 32


# --- the page ---


@pytest.fixture
def admin(db: Any) -> Client:
    return logged_in(with_role("admin"))


def form(**more: Any) -> dict[str, Any]:
    return {"name": "On call", "address": "", "secret": SECRET, "local": "on", "action": "save", **more}


def test_a_channel_is_added_tested_switched_deleted_and_brought_back(admin: Client, receiver: Receiver) -> None:
    new = admin.get("/alerts/channels/add/webhook/").content.decode()
    assert "whsec_" in new, "the secret is shown once"
    sent = form(address=f"{receiver.url}/hook", action="test")
    receiver.plan = [(418, "short and stout")]
    tried = admin.post("/alerts/channels/add/webhook/", sent, headers={"HX-Request": "true"}).content.decode()
    assert "Test failed" in tried and "short and stout" in tried and "<html" not in tried
    assert receiver.calls[0].data["event"] == "test" and not Channel.objects.exists()
    admin.post("/alerts/channels/add/webhook/", form(address=f"{receiver.url}/hook"))
    made = Channel.objects.get()
    assert (made.slug, made.shown, made.local) == ("on-call", "127.0.0.1", True)
    assert "127.0.0.1" not in made.address and made.address.reveal() == f"{receiver.url}/hook"
    page = admin.get(made.get_absolute_url()).content.decode()
    assert "/hook" not in page and SECRET not in page
    kept = admin.post(made.get_absolute_url(), form(secret="", action="test")).content.decode()
    assert "204 No Content" in kept
    assert verify()(SECRET, receiver.calls[-1].headers, receiver.calls[-1].body, set())
    admin.post(f"{made.get_absolute_url()}switch/", {"enabled": "0"})
    assert not Channel.objects.get().enabled
    assert "Undo" in admin.post(f"{made.get_absolute_url()}delete/", follow=True).content.decode()
    assert admin.get(made.get_absolute_url()).status_code == 404
    admin.post(f"{made.get_absolute_url()}undo/")
    again = admin.get(made.get_absolute_url()).content.decode()
    assert "Deletion undone." in again and "Disabled." in again
    Channel.objects.update(deleted_at=START)
    tasks.deliver()
    assert Channel.objects.get().address == "", "after a day its secrets are gone"


def test_only_an_admin_lets_a_channel_into_our_network(db: Any, receiver: Receiver) -> None:
    ops = logged_in(with_role("ops"))
    answer = ops.post("/alerts/channels/add/webhook/", form(address="https://127.0.0.1:1/x"))
    assert answer.status_code == 422 and "private address" in answer.content.decode()
    for address, why in (("ftp://example.com/", "http"), ("http://1.1.1.1/", "https"), ("not an address", "http")):
        answer = ops.post("/alerts/channels/add/webhook/", form(address=address))
        assert answer.status_code == 422 and why in answer.content.decode()
    made = channel(f"{receiver.url}/old")
    ops.post(made.get_absolute_url(), form(address=f"{receiver.url}/new"))
    made.refresh_from_db()
    assert made.address.reveal() == f"{receiver.url}/old" and made.local


def test_a_rule_chooses_channels_and_the_log_shows_each_answer(
    hooked: Scene, receiver: Receiver, smtp: Smtp, mailbox: Mailbox
) -> None:
    mailbox.plan = ["refuse"]
    receiver.plan = [(200, "<script>alert(1)</script>")]
    deliver(hooked)
    admin = logged_in(with_role("admin"))
    page = admin.get("/alerts/deliveries/").content.decode()
    assert "550 5.1.1 no such person" in page and "200 OK: &lt;script&gt;" in page
    only = html_of(admin.get("/alerts/deliveries/?to=hook&state=accepted"))
    assert "200 OK" in only and "550 5.1.1" not in only
    rule = admin.get("/alerts/rules/outage/").content.decode()
    assert 'name="channels"' in rule and "550 5.1.1" in rule


def test_a_deleted_channel_gives_up_and_one_switched_off_waits(hooked: Scene, receiver: Receiver, smtp: Smtp) -> None:
    Channel.objects.update(enabled=False)
    assert deliver(hooked).failed == 1
    assert "channel is off" in Delivery.objects.get(channel="webhook").answer
    Channel.objects.update(deleted_at=hooked.now)
    assert deliver(hooked, 60).dead == 1
    assert receiver.calls == []


BEGUN = b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "drop", "answer"), [(b"", b"H", ""), (BEGUN, b"o", "200 OK: oo")], ids=["head", "body"]
)
def test_a_receiver_that_trickles_bytes_ends_in_time(
    db: Any, monkeypatch: pytest.MonkeyPatch, start: bytes, drop: bytes, answer: str
) -> None:
    """Sooner than its message's claim. A status that has come counts, whatever becomes of the words after it."""
    monkeypatch.setattr(calls, "LONGEST_ANSWER_S", 0.5)
    with trickling(start, drop) as url:
        if answer:
            assert calls.call(channel(url), "POST", b"{}").startswith(answer)
        else:
            with pytest.raises(NotSent, match="did not answer within"):
                calls.call(channel(url), "POST", b"{}")


@pytest.mark.parametrize(
    ("service", "url", "wrong"),
    [
        (
            "slack",
            "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
            "https://slack.com/x",
        ),
        (
            "teams",
            "https://prod-1.westeurope.logic.azure.com:443/workflows/643e69f83c8944438d68119179a10a64/triggers/manual/"
            "paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=KODuebWbDGYFr0z0eu",
            "https://acme.webhook.office.com/webhookb2/abc",
        ),
    ],
)
def test_slack_and_teams_have_a_field_of_their_own(db: Any, service: str, url: str, wrong: str) -> None:
    admin = logged_in(with_role("admin"))
    where = f"/alerts/channels/add/{service}/"
    page = admin.get(where).content.decode()
    assert "Webhook URL" in page and f"New {service.capitalize()} channel" in page and "Apprise" not in page
    for address in (wrong, url.replace(".com", ".com.evil.example"), f"http{url.removeprefix('https')}"):
        refused = admin.post(where, {"name": "Ops room", "address": address})
        assert refused.status_code == 422 and "This is no webhook URL of" in refused.content.decode(), address
    admin.post(where, {"name": "Ops room", "address": url})
    made = Channel.objects.get()
    assert (made.kind, made.address.reveal()) == ("apprise", url)
    assert service in made.shown.lower()
    assert f"/alerts/channels/add/{service}/" in admin.get("/alerts/channels/").content.decode()
