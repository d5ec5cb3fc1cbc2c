"""The installation's key is changed while everything runs: nobody meets a secret that cannot be read."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from alerts.models import Channel
from costs.models import ExportTarget
from lib import keyring
from lib.encryption import SecretUnreadable, encrypt
from providers.accounts import key_rotation
from providers.models import Account, Deployment
from providers.models.audit import AuditKey
from tests.factories import AccountFactory, DeploymentFactory
from traffic.gateway.environment import Settings
from traffic.gateway.snapshot import Snapshots

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key_file(settings: Any, tmp_path: Path) -> Path:
    """An installation whose key is in its file."""
    path = tmp_path / "credentials.key"
    path.write_text(Fernet.generate_key().decode())
    settings.CREDENTIALS_KEY, settings.CREDENTIALS_KEY_FILE = path.read_text(), path
    return path


def rotate(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_key", *arguments, stdout=out)
    return out.getvalue()


def stored() -> dict[str, str]:
    """Every ciphertext, by its place; the audit log's own may be of another test's key."""
    return {
        f"{model._meta.label}.{column}.{pk}": str(ciphertext)
        for model, column in key_rotation.encrypted_columns()
        if model is not AuditKey
        for pk, ciphertext in model._base_manager.exclude(**{column: ""}).values_list("pk", column)
    }


def fill() -> None:
    AccountFactory.create(slug="claude", name="Claude", secret=encrypt("sk-account"))
    AccountFactory.create(slug="none", name="None", kind="vast")
    Channel.objects.create(slug="hook", name="Hook", kind="webhook", address=encrypt("https://a"), secret=encrypt("s"))
    DeploymentFactory.create(
        slug="d", name="D", url="https://e.example.com", model="m",
        api_key=encrypt("sk-deployment"),
    )  # fmt: skip


def test_every_encrypted_column_is_known() -> None:
    found = {f"{model._meta.label}.{column}" for model, column in key_rotation.encrypted_columns()}
    assert {
        "alerts.Channel.address", "alerts.Channel.secret", "providers.Account.secret", "providers.Deployment.api_key",
        f"{ExportTarget._meta.label}.secret",
    } <= found  # fmt: skip


def test_a_rotation_rewrites_everything_and_its_end_drops_the_old_key(
    key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dashboard")
    fill()
    old, before = key_file.read_text(), stored()
    said = rotate()
    assert "4 secrets were encrypted again" in said and "--finish" in said
    new, kept = keyring.split(key_file.read_text())
    assert kept == old and new != old
    assert key_file.stat().st_mode & 0o777 == 0o600
    after = stored()
    assert after.keys() == before.keys() and not set(after.values()) & set(before.values())
    assert all(Fernet(new).decrypt(text.encode()) for text in after.values())

    assert "0 secrets were encrypted again, 4 were under the first key" in rotate("--finish")
    assert keyring.split(key_file.read_text()) == (new,)
    retired = key_file.with_name("credentials.key.retired")
    assert keyring.split(retired.read_text()) == (old,) and retired.stat().st_mode & 0o777 == 0o600
    assert Account.objects.get(slug="claude").secret.reveal() == "sk-account"
    with pytest.raises(CommandError, match="one key only"):
        rotate("--finish")
    log = [re.sub(r"ms=\d+|lost=\d+", "", record.getMessage()).split() for record in caplog.records]
    assert log == [
        ["key_rotation_started"], ["key_rotation_finished", "finish=false", "renewed=4", "current=0"],
        ["key_rotation_started"], ["key_rotation_finished", "finish=true", "renewed=0", "current=4"],
    ]  # fmt: skip


def test_a_rotation_that_was_cut_off_is_gone_on_with(
    key_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(7):
        AccountFactory.create(slug=f"a{n}", name="A", kind="vast", secret=encrypt(f"sk-{n}"))
    monkeypatch.setattr(key_rotation, "BATCH", 2)
    real, calls = key_rotation._rewrite_batch, iter(range(100))

    def cut_off(*arguments: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(key_rotation, "_rewrite_batch", cut_off)
    with pytest.raises(KeyboardInterrupt):
        rotate()
    assert "key_rotation_failed error=KeyboardInterrupt ms=" in caplog.text
    monkeypatch.setattr(key_rotation, "_rewrite_batch", real)
    first = keyring.split(key_file.read_text())
    said = rotate()
    assert keyring.split(key_file.read_text()) == first, "it goes on with the key that was made"
    renewed, current = (int(word) for word in said.split() if word.isdigit())
    assert renewed + current == 7 and 0 < current < 7
    rotate("--finish")
    assert [Account.objects.get(slug=f"a{n}").secret.reveal() for n in range(7)] == [f"sk-{n}" for n in range(7)]


def test_what_a_process_wrote_by_the_old_key_meanwhile_is_caught_up_with(key_file: Path) -> None:
    old = key_file.read_text()
    fill()
    rotate()
    late = Fernet(old).encrypt(b"sk-late").decode()
    Account.objects.filter(slug="none").update(secret=late)
    assert "1 secrets were encrypted again" in rotate("--finish")
    assert Account.objects.get(slug="none").secret.reveal() == "sk-late"


def test_what_no_key_reads_is_named_and_holds_nothing_up(key_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The old key does not read it either; and a lost key of the audit log cannot be removed."""
    fill()
    Account.objects.filter(slug="none").update(secret=Fernet(Fernet.generate_key()).encrypt(b"lost").decode())
    lost = Account.objects.get(slug="none").pk
    for arguments in ((), ("--finish",)):
        rotate(*arguments)
        assert f"providers_account.secret of row {lost}" in capsys.readouterr().err
    assert len(keyring.split(key_file.read_text())) == 1
    assert Account.objects.get(slug="claude").secret.reveal() == "sk-account"


def test_a_key_of_the_environment_is_changed_by_hand_in_the_order_that_is_told(settings: Any) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.CREDENTIALS_KEY, settings.CREDENTIALS_KEY_FILE = old, None
    fill()
    said = rotate()
    assert said.index(f"BREAKEVEN_KEY={old},") < said.index(f",{old}\n") < said.index("rotate-key --finish")
    assert "nothing was changed yet" in said
    settings.CREDENTIALS_KEY = f"{new},{old}"
    assert "4 secrets were encrypted again" in rotate()
    assert f"Set BREAKEVEN_KEY={new} and" in rotate("--finish")
    settings.CREDENTIALS_KEY = new
    assert Deployment.objects.get().api_key.reveal() == "sk-deployment"
    settings.CREDENTIALS_KEY = old
    with pytest.raises(SecretUnreadable):
        Deployment.objects.get().api_key.reveal()


class Watch:
    """Asks again and again, each question in a thread of its own, and keeps every answer but the right one."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.counts: list[int] = []
        self._enough = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, ask: Callable[[], str]) -> None:
        self.counts.append(0)
        self._threads.append(threading.Thread(target=self._go_on, args=(ask, len(self.counts) - 1)))
        self._threads[-1].start()

    def _go_on(self, ask: Callable[[], str], number: int) -> None:
        while not self._enough.is_set():
            try:
                answer = ask()
            except Exception as error:
                answer = repr(error)
            if answer != "sk-deployment":
                self.wrong.append(answer)
            self.counts[number] += 1
        connection.close()

    def turn(self) -> None:
        """Until each has asked twice more."""
        goals, deadline = [count + 2 for count in self.counts], time.monotonic() + 60
        while any(count < goal for count, goal in zip(self.counts, goals, strict=True)):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch()
    yield made
    made.stop()


def test_a_gateway_and_a_worker_that_run_read_every_secret_before_while_and_after(
    key_file: Path,
    conn: psycopg.Connection[Any],
    watch: Watch,
) -> None:
    fill()
    gateway = Settings("", key_file.parent, 1, 1)
    snapshots = Snapshots("", gateway.credentials_key)
    snapshots._connection = conn

    def as_gateway() -> str:
        snapshots._try_to_read()
        assert snapshots.latest is not None
        return snapshots.latest.targets[0].api_key

    watch.start(as_gateway)
    watch.start(lambda: Deployment.objects.get(slug="d").api_key.reveal())
    for _round in range(5):
        watch.turn()
        rotate()
        watch.turn()
        rotate("--finish")
    watch.turn()
    assert watch.wrong == []
