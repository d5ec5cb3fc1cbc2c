"""What holds for every vendor of the registry, whatever goes wrong there."""

from __future__ import annotations

import inspect
import logging
import socket
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers import connectors
from providers.connectors import CONNECTORS, connect, connector_class
from providers.connectors import http as connector_http
from providers.connectors.base import FEEDS, AccountConfig, Connector, ConnectorError
from providers.connectors.google_skus import PriceList
from providers.connectors.parse import redact
from providers.connectors.stopping import command, stop_call
from providers.models import provider_name, provider_names
from sandbox.bends import BENDS
from sandbox.faults import BROKEN
from sandbox.testing import SIMULATED, Sandbox, running_sandbox
from sandbox.vendor import Limit
from tests.providers.answers import RECORDED

FAR = datetime.now(UTC)
CALLS: dict[str, Callable[[Connector], Any]] = {
    "test": lambda connector: connector.test(),
    "offers": lambda connector: connector.fetch_offers(),
    "leases": lambda connector: connector.fetch_leases(),
    "usage": lambda connector: connector.fetch_usage(FAR - timedelta(days=2), FAR),
    "costs": lambda connector: connector.fetch_costs(FAR - timedelta(days=2), FAR),
    "balance": lambda connector: connector.fetch_balance(),
    "payments": lambda connector: connector.fetch_payments(FAR - timedelta(days=2), FAR),
    "names": lambda connector: connector.fetch_names(),
    "stop": lambda connector: connector.stop_lease("one", "projects/p/zones/z/instances/one"),
}


@pytest.fixture(scope="module")
def everyone() -> Iterator[Sandbox]:
    """Every vendor of the registry: simulated, or as it was recorded."""
    with running_sandbox(recorded=RECORDED) as running:
        yield running


@pytest.fixture(scope="module")
def market() -> Iterator[Sandbox]:
    """Every simulated vendor with something rented, used and billed, at a moment that stands still."""
    with running_sandbox(now=FAR, recorded=RECORDED) as sandbox:
        span = {"from": (FAR - timedelta(days=3)).isoformat(), "to": None, "status": "RUNNING"}
        one: dict[str, Any] = {"id": "1", "name": "one", "price_per_hour": "0.5", "disk_per_hour": "0.01"}
        one |= {"spans": [span]}
        sandbox.load("runpod", {"pods": [one | {"gpu": "NVIDIA L4"}], "balance": 20})
        paid = [{"id": 1, "at": (FAR - timedelta(days=1)).isoformat(), "amount": 10}]
        sandbox.load("vast", {"instances": [one | {"gpu": "RTX 4090"}], "balance": 20, "payments": paid})
        sandbox.load("lambda", {"instances": [one | {"gpu": "gpu_1x_a10"}]})
        sandbox.load("google", {"instances": [one | {"gpu": "nvidia-tesla-t4"}]})
        hour = (FAR - timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
        used: dict[str, Any] = {
            "hour": hour.isoformat(),
            "model": "claude-sonnet-5-5",
            "workspace": "wrkspc_1",
            "api_key": "apikey_1",
        }
        used |= {"requests": 1, "tokens": {"output": 200}, "cost": {"output": "1"}}
        sandbox.load("anthropic", {"usage": [used]})
        yield sandbox


@pytest.fixture
def rented(market: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The market, which does not count the calls of the tests before."""
    monkeypatch.setattr(Limit, "wait", lambda _limit: 0.0)
    yield market
    market.clear_faults()


def calls_of(kind: str) -> list[str]:
    return ["test", *connector_class(kind).feeds]


def writes_of(kind: str) -> list[str]:
    return ["stop"] if connector_class(kind).stop else []


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("kind", CONNECTORS)
def test_every_fault_ends_in_a_sentence_without_the_key(
    kind: str, fault: str, everyone: Sandbox, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.disable(logging.NOTSET)
    connector = connect(kind, everyone.config(kind, timeout=0.2 if fault == "timeout" else 5.0))
    everyone.fault(kind, fault)
    for name in calls_of(kind) + writes_of(kind):
        with pytest.raises(ConnectorError) as caught:
            CALLS[name](connector)
        assert caught.value.message[-1] in ".!?…"
        assert len(caught.value.message.split()) >= 4
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(vars(caught.value))
        assert_no_key(connector, shown)
    everyone.clear_faults()
    assert_no_key(connector, caplog.text + "".join(capsys.readouterr()) + repr(connector) + repr(connector.config))


def assert_no_key(connector: Connector, text: str) -> None:
    """Neither the secret nor any line of its private key."""
    assert "[key]" not in redact(text.replace("[key]", ""), connector.config.secret)


# What each says wrongly, and which of a vendor's answers say it: those are refused, and the others are read on.
REFUSED: dict[str, dict[str, set[str]]] = {
    "nan": {
        "anthropic": {"usage", "costs"},
        "runpod": {"test", "offers", "leases", "costs", "balance"},
        "vast": {"test", "offers", "leases", "costs", "balance", "payments"},
        "lambda": {"test", "offers", "leases"},
        "google": {"offers", "leases", "costs", "usage"},
        "digitalocean": {"test", "offers", "leases"},
        "hyperstack": {"test", "offers"},
    },
    "currency": {"anthropic": {"costs"}, "google": {"offers", "leases"}},
    "naive": {
        "anthropic": {"usage", "costs"},
        "runpod": {"leases", "costs"},
        "google": {"leases"},
        "digitalocean": {"leases"},
    },
    "endless": {
        "anthropic": {"usage", "costs", "names"},
        "vast": {"leases", "costs", "payments"},
        "google": {"offers", "leases"},
        "digitalocean": {"offers"},
    },
}


@pytest.mark.parametrize("fault", sorted(REFUSED))
@pytest.mark.parametrize("kind", CONNECTORS)
def test_what_cannot_be_true_is_refused_and_the_rest_is_read_on(
    kind: str, fault: str, rented: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector_http, "MOST_PAGES", 5)
    PriceList._known.clear()
    connector, wrong = connect(kind, rented.config(kind)), set()
    rented.fault(kind, fault)
    for name in calls_of(kind):
        try:
            CALLS[name](connector)
        except ConnectorError as error:
            assert error.message[-1] in ".!?…" and not error.permanent
            wrong.add(name)
    assert wrong == REFUSED[fault].get(kind, set())


@pytest.mark.parametrize("kind", CONNECTORS)
def test_a_list_of_the_wrong_type_is_refused(kind: str, rented: Sandbox) -> None:
    connector = connect(kind, rented.config(kind))
    rented.fault(kind, "wrong_type")
    for name in calls_of(kind):
        with pytest.raises(ConnectorError, match="text/csv instead of JSON"):
            CALLS[name](connector)


@pytest.mark.parametrize("kind", sorted(SIMULATED))
def test_a_market_that_moves_is_followed(kind: str, rented: Sandbox) -> None:
    """Prices that rise, offers that sell out, machines that vanish and bills that are revised are good answers."""
    connector = connect(kind, rented.config(kind))
    feeds = connector.feeds
    before = {name: CALLS[name](connector).rows for name in ("offers", "leases", "costs") if name in feeds}
    if "offers" in feeds:
        dearer = bent_rows(connector, rented, "moved", "offers")
        assert sum(row.price_per_gpu_hour for row in dearer) > sum(row.price_per_gpu_hour for row in before["offers"])
        assert kind == "google" or not any(
            row.available for row in bent_rows(connector, rented, "sold_out", "offers") if row.kind != "spot"
        )
    if "leases" in feeds:
        assert before["leases"] and bent_rows(connector, rented, "vanish", "leases") == []
    if "costs" in feeds:
        revised = bent_rows(connector, rented, "revised", "costs")
        ratio = sum(row.amount for row in revised) / sum(row.amount for row in before["costs"])
        assert abs(ratio - Decimal("1.1")) < Decimal("0.001")
        assert [row.external_id for row in revised] == [row.external_id for row in before["costs"]]


def test_a_slow_answer_is_an_answer_unless_it_is_slower_than_our_patience(rented: Sandbox) -> None:
    rented.fault("lambda", "slow")
    with pytest.raises(ConnectorError, match=r"did not respond within 0\.3 s"):
        connect("lambda", rented.config("lambda", timeout=0.3)).test()
    assert connect("lambda", rented.config("lambda", timeout=5.0)).fetch_leases().rows


def bent_rows(connector: Connector, sandbox: Sandbox, fault: str, feed: str) -> list[Any]:
    sandbox.fault(connector.kind, fault)
    rows: list[Any] = CALLS[feed](connector).rows
    sandbox.clear_faults()
    return rows


def test_every_bend_is_tried() -> None:
    assert set(BENDS) == {*REFUSED, "moved", "sold_out", "vanish", "revised"}


@pytest.mark.parametrize("kind", CONNECTORS)
def test_every_feed_answers_when_nothing_is_wrong(kind: str, everyone: Sandbox) -> None:
    connector = connect(kind, everyone.config(kind))
    for name in calls_of(kind):
        assert CALLS[name](connector) is not None


@pytest.mark.parametrize("kind", CONNECTORS)
def test_a_wrong_key_is_permanent_and_a_busy_vendor_is_not(kind: str, everyone: Sandbox) -> None:
    config = everyone.config(kind)
    for fault, permanent in (("auth", True), ("500", False), ("429", False), ("down", False), ("html", False)):
        everyone.fault(kind, fault)
        with pytest.raises(ConnectorError) as caught:
            connect(kind, config).test()
        assert caught.value.permanent is permanent, fault
    everyone.clear_faults()


@pytest.mark.parametrize("secret", ["", "   ", "two words", "line\nbreak", "ünïcode", "tab\there"])
@pytest.mark.parametrize("kind", CONNECTORS)
def test_what_is_no_key_is_never_sent(kind: str, secret: str, everyone: Sandbox) -> None:
    with pytest.raises(ConnectorError) as caught:
        connect(kind, everyone.config(kind, secret=secret)).test()
    assert caught.value.permanent
    assert not secret.strip() or secret not in caught.value.message


@pytest.mark.parametrize("kind", CONNECTORS)
def test_a_private_address_needs_the_word_local(kind: str, everyone: Sandbox) -> None:
    for base_url in (everyone.config(kind).base_url, "https://127.0.0.1:9", "https://10.1.2.3", "https://[::1]/"):
        with pytest.raises(ConnectorError) as caught:
            connect(kind, everyone.config(kind, base_url=base_url, local=False)).test()
        assert caught.value.permanent


@pytest.mark.parametrize("second", ["10.0.0.7", "169.254.169.254"])
@pytest.mark.parametrize("kind", CONNECTORS)
def test_a_name_that_answers_differently_a_second_later_leads_nowhere_else(
    kind: str, second: str, everyone: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: a name that was judged is not asked again, and one that leads inside is refused."""
    secret = everyone.config(kind).secret.replace(everyone.url, "https://vendor.test")  # Google's names an address
    config = everyone.config(kind, base_url="https://vendor.test", local=False, timeout=0.2, secret=secret)
    answers, asked, real = ["8.8.8.8", second], [], socket.getaddrinfo

    def lookup(host: Any, *rest: Any, **options: Any) -> Any:
        if host not in ("vendor.test", b"vendor.test"):
            return real(host, *rest, **options)
        asked.append(host)
        return real(answers[0] if len(answers) == 1 else answers.pop(0), *rest, **options)

    def dial(address: Any, *rest: Any, **options: Any) -> Any:
        assert address[0] == "8.8.8.8", "only what was judged is called"
        raise OSError("nobody is there")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket, "create_connection", dial)
    with pytest.raises(ConnectorError) as first:
        CALLS["test"](connect(kind, config))
    assert len(asked) == 1 and not first.value.permanent
    with pytest.raises(ConnectorError, match=r"leads to the (private|link-local) address") as then:
        CALLS["test"](connect(kind, config))
    assert then.value.permanent


@pytest.mark.parametrize("kind", CONNECTORS)
def test_what_it_can_do_is_said_truly(kind: str) -> None:
    vendor = connector_class(kind)
    assert vendor.kind == kind
    assert vendor.label and vendor.key_help
    assert vendor.default_base_url.startswith("https://")
    assert set(vendor.feeds) <= set(FEEDS)
    assert set(vendor.reread) <= set(vendor.feeds)
    for feed in FEEDS:
        overridden = getattr(vendor, f"fetch_{feed}") is not getattr(Connector, f"fetch_{feed}")
        assert overridden == (feed in vendor.feeds), feed


@pytest.mark.parametrize("kind", CONNECTORS)
def test_stopping_is_said_in_full_before_it_is_done(kind: str) -> None:
    stop = connector_class(kind).stop
    if stop is None:
        with pytest.raises(ConnectorError, match="has no API to stop GPUs"):
            CALLS["stop"](connect(kind, AccountConfig(secret="x" * 20)))
        return
    call = stop_call(stop, connector_class(kind).default_base_url, "a b", "projects/p/zones/z/instances/one")
    assert call.method in ("POST", "PUT") and "{" not in call.url and " " not in call.url
    assert str(stop.loses).endswith(".") and stop.console.startswith("https://")
    typed = command(stop, call, kind, "a b", "projects/p/zones/z/instances/one")
    assert "{i" not in typed and ("$" in typed) == (not stop.command)


@pytest.mark.parametrize("kind", CONNECTORS)
def test_what_it_cannot_do_is_a_permanent_refusal(kind: str) -> None:
    connector = connect(kind, AccountConfig(secret="x" * 20))
    for feed in set(FEEDS) - set(connector.feeds):
        with pytest.raises(ConnectorError) as caught:
            CALLS[feed](connector)
        assert caught.value.permanent


@pytest.mark.parametrize("kind", CONNECTORS)
def test_a_vendor_is_one_small_file_with_recorded_answers(kind: str) -> None:
    own = files_of(kind)
    assert Path(inspect.getsourcefile(connector_class(kind)) or "") in own
    assert {path.name: lines(path) for path in own if lines(path) > 150} == {}
    assert list(RECORDED.glob(f"{kind}_*.json"))
    assert (Path(__file__).parent / f"test_connector_{kind}.py").is_file()


@pytest.mark.parametrize("kind", CONNECTORS)
def test_a_vendor_that_pages_is_tried_with_a_list_without_end(kind: str) -> None:
    """Where `sandbox.bends` does not know how its answers name the next page, nothing would be bent."""
    pages = any("walk(" in path.read_text() for path in files_of(kind))
    assert pages == (kind in REFUSED["endless"])


def test_a_vendor_has_its_name_wherever_a_provider_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONNECTORS, "new", CONNECTORS["digitalocean"])
    provider_names.cache_clear()
    try:
        assert provider_names()["new"] == provider_name("new") == "DigitalOcean"
    finally:
        provider_names.cache_clear()
    assert provider_name("never-heard-of") == "never-heard-of"


def test_a_vendor_is_one_line_of_the_registry() -> None:
    text = Path(connectors.__file__).read_text()
    for kind, place in CONNECTORS.items():
        assert [line.strip() for line in text.splitlines() if f'"{kind}"' in line] == [f'"{kind}": "{place}",']


def files_of(kind: str) -> list[Path]:
    """The modules that are a vendor's own, by their names."""
    folder = Path(connectors.__file__).parent
    return [path for path in folder.glob("*.py") if path.stem == kind or path.stem.startswith(f"{kind}_")]


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())
