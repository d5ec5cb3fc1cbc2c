"""What every test may ask for; the database is started by `tests.settings`, once per run."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from functools import cache as once
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import httpx2
import psycopg
import pytest
import time_machine
from django.core.cache import cache
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker

from dashboard.embedded.valkey import Valkey
from lib.repeated_events import repeated
from providers.connectors.config import AccountConfig
from sandbox.engine import Engine, EngineOptions
from tests.servers import home, servers

ROOT = Path(__file__).parents[1]
# How long an example takes is the machine's affair, and on a busy one no reason to fail.
settings.register_profile("breakeven", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("breakeven")


def pytest_configure() -> None:
    # A time limit around the suite sends SIGTERM, on which Python would end without stopping the servers.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for module in (httpx, httpx._transports.default, httpx2._transports.default):
        read_roots_once(module)


def read_roots_once(module: Any) -> None:
    """For each client, and so for each `httpx.get`, httpx reads the roots that it trusts: ten milliseconds, which is
    nine tenths of a call on loopback."""
    read = module.create_ssl_context
    of_place = once(lambda place, **options: read(**options))
    module.create_ssl_context = lambda **options: of_place(os.environ.get("SSL_CERT_FILE"), **options)


def pytest_unconfigure() -> None:
    servers.stop()


# Files of twenty seconds and more, the longest first: begun at the end, one worker would be at them while others wait.
LONGEST = (
    "browser/test_every_page", "browser/test_browser", "demo/test_frozen_demo", "browser/test_five_jobs",
    "dashboard/up/test_up", "dashboard/test_openapi", "dashboard/backup/test_backup", "browser/test_thumbs",
    "dashboard/test_access", "dashboard/backup/test_upgrade", "providers/accounts/test_identity",
    "traffic/gateway/test_gateway_hostile", "dashboard/embedded/test_database_roles", "dashboard/front/test_front",
    "traffic/gateway/test_gateway_caps", "traffic/gateway/test_gateway_concurrency",
    "traffic/gateway/test_gateway_durability", "providers/connectors/test_connectors_contract",
    "providers/connectors/test_bad_input", "traffic/ingest/test_ingest_process", "dashboard/test_sentences",
    "traffic/trials/test_run", "dashboard/embedded/test_embedded", "traffic/usage/test_rebuild",
    "dashboard/backup/test_backup_audit", "traffic/ingest/test_ownership", "dashboard/menu/test_menu",
    "traffic/gateway/test_gateway_relay", "traffic/ratings/test_waiting_ratings",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {f"tests/{name}.py": number for number, name in enumerate(LONGEST)}
    moved = [path for path in rank if not (ROOT / path).exists()]
    assert not moved, f"LONGEST names files that are not there: {moved}"
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))


def pytest_collection_finish() -> None:
    """What is loaded by now stays; to look through it for garbage again and again is a tenth of the suite's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """What a test left in the process's cache, the next does not find."""
    from providers.audit.counts import counts  # models, which can be loaded only now

    cache.clear()
    counts.clear()
    repeated.clear()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """A worker's database is a copy of one that has its tables: to migrate takes as long as a hundred tests."""
    from django.db import connection

    from tests.emptying import migrated

    with django_db_blocker.unblock():
        connection.settings_dict["TEST"]["TEMPLATE"] = migrated()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The database of this worker; what a test commits to it, also to tables that Django does not know, goes again."""
    from tests.emptying import instead_of_flush

    with django_db_blocker.unblock():
        instead_of_flush()


@pytest.fixture(scope="session", autouse=True)
def no_spacing() -> Iterator[None]:
    """A poll in a test waits no seconds between two calls: the simulated vendors ask for none unless a test says so."""
    from providers.polling import services  # models, which can be loaded only now

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "AccountConfig", partial(AccountConfig, pause=lambda seconds: None))
        yield


@pytest.fixture
def stopped_clock(request: pytest.FixtureRequest) -> Iterator[None]:
    """The clock stands at the module's NOW, from which its objects were made, however long ago that is."""
    with time_machine.travel(request.module.NOW, tick=False):
        yield


@pytest.fixture
def conn(transactional_db: Any) -> Iterator[psycopg.Connection]:
    """A connection as ingest gets it: plain psycopg, outside a transaction."""
    from tests.database import conninfo  # models, which can be loaded only now

    with psycopg.connect(conninfo(), autocommit=True) as own:
        yield own


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A queue of this worker's own, or the one that REDIS_URL names."""
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    valkey = Valkey(home() / f"valkey-{os.getpid()}")
    yield valkey.start()
    valkey.stop()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that llama.cpp serves; see `tests.tiny_model` for what it answers."""
    from tests.tiny_model import write_tiny_model  # numpy, which most runs need not load

    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="session")
def engine_url(tiny_model: Path) -> Iterator[str]:
    """A real llama.cpp on loopback that serves the model `tiny` in both protocols."""
    engine = Engine(EngineOptions(tiny_model, name="tiny"))
    yield engine.start()
    engine.stop()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Playwright on the system's own Chromium; a machine without one skips, CI (which installs it) fails."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("There is no Chromium: make chromium")
    # Chromium's sandbox does not start as root; the pages are our own.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": chromium, "args": flags}
