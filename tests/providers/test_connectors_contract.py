"""What holds for every vendor of the registry, whatever goes wrong there."""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from providers import connectors
from providers.connectors import CONNECTORS, connect, connector_class
from providers.connectors.base import FEEDS, AccountConfig, Connector, ConnectorError
from providers.connectors.parse import redact
from providers.connectors.stopping import command, stop_call, stop_lease
from providers.sandbox.faults import KINDS
from providers.sandbox.testing import Sandbox, running_sandbox
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
    "stop": lambda connector: stop_lease(connector, "one", "projects/p/zones/z/instances/one"),
}


@pytest.fixture(scope="module")
def everyone() -> Iterator[Sandbox]:
    """Every vendor of the registry: simulated, or as it was recorded."""
    with running_sandbox(recorded=RECORDED) as running:
        yield running


def calls_of(kind: str) -> list[str]:
    return ["test", *connector_class(kind).feeds]


def writes_of(kind: str) -> list[str]:
    return ["stop"] if connector_class(kind).stop else []


@pytest.mark.parametrize("fault", KINDS)
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
        with pytest.raises(ConnectorError, match="stops nothing by API"):
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
    source = Path(inspect.getsourcefile(connector_class(kind)) or "")
    own = [path for path in source.parent.glob("*.py") if path.stem == kind or path.stem.startswith(f"{kind}_")]
    assert source in own
    assert {path.name: lines(path) for path in own if lines(path) > 150} == {}
    assert list(RECORDED.glob(f"{kind}_*.json"))
    assert (Path(__file__).parent / f"test_connector_{kind}.py").is_file()


def test_a_vendor_is_one_line_of_the_registry() -> None:
    text = Path(connectors.__file__).read_text()
    for kind, place in CONNECTORS.items():
        assert [line.strip() for line in text.splitlines() if f'"{kind}"' in line] == [f'"{kind}": "{place}",']


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())
