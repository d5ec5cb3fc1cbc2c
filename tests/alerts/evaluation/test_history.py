"""While a history is loaded nothing is concluded from a part of it; what one spend crosses is one mail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts.digests import services as digests
from alerts.evaluation import services
from alerts.evaluation.queries import is_late
from alerts.kinds import KINDS
from alerts.models import Alert, Delivery, Report, Rule
from costs import tasks
from costs.models import AnomalyLook
from tests.alerts.conditions import TODAY, findings, spend
from tests.alerts.conftest import START, Scene, person
from tests.alerts.outbox import deliver
from tests.alerts.smtp_server import Mailbox, Smtp
from tests.factories import PhaseFactory
from traffic.imports.loading import LONGEST, loading_until, mark_loading
from traffic.models import Import

MINUTE = timedelta(minutes=1)


def crossed(scene: Scene, name: str, level: int) -> None:
    scene.set(
        f"budget:{name}:2026-11", True, level=level, sustained_level=level, group="budgets:2026-11", group_waits=True,
        title=f"{level} % of budget: {name}",
    )  # fmt: skip


@pytest.fixture
def money(db: Any, monkeypatch: pytest.MonkeyPatch) -> Scene:
    person("mara", "manager")
    return Scene(monkeypatch, "budget")


def test_a_rule_about_spend_waits_while_history_is_loaded_and_a_rule_about_outages_does_not(
    money: Scene, monkeypatch: pytest.MonkeyPatch, ops: Any
) -> None:
    down = Scene(monkeypatch)
    mark_loading(START + 10 * MINUTE)
    crossed(money, "all", 100)
    down.set("a", True)
    services.evaluate(now=START + MINUTE, kinds=["budget", "outage"])
    assert [alert.kind for alert in Alert.objects.all()] == ["outage"]
    assert not is_late(START + 2 * MINUTE), "somebody runs the rules"
    assert Rule.objects.get(kind="budget", slug="budget").evaluated_at == START + MINUTE
    mark_loading(None)
    services.evaluate(now=START + 3 * MINUTE, kinds=["budget", "outage"])
    assert Alert.objects.filter(kind="budget").count() == 1


def test_the_marker_ends_by_itself_and_an_import_at_work_is_one(db: Any) -> None:
    assert loading_until(START) is None
    mark_loading(START + MINUTE)
    assert loading_until(START) == START + MINUTE
    assert loading_until(START + MINUTE) is None
    row = Import.objects.create(
        file_name="x", size=1, sha256="0" * 64, format="generic", state="running", started_at=START
    )
    assert loading_until(START + MINUTE) == START + LONGEST
    assert loading_until(START + LONGEST) is None, "one that hangs does not silence the rules for ever"
    Import.objects.filter(pk=row.pk).update(state="done")
    assert loading_until(START + MINUTE) is None


def test_digests_and_anomalies_wait_too(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = person("mara", "manager")
    monkeypatch.setattr(digests, "readers", lambda: [(reader, None)])
    monkeypatch.setattr(digests, "due_reports", lambda *_: [("daily", None)])
    spend("10")
    mark_loading(START + MINUTE)
    assert digests.write_due(START) == 0 and not Report.objects.exists()
    monkeypatch.setattr(timezone, "now", lambda: START)
    tasks.look_for_anomalies()
    assert not AnomalyLook.objects.exists()
    mark_loading(None)
    tasks.look_for_anomalies()
    assert AnomalyLook.objects.exists()


def test_four_levels_crossed_within_a_minute_are_one_alert_and_one_mail(
    money: Scene, smtp: Smtp, mailbox: Mailbox
) -> None:
    for level in (50, 75, 90, 100):
        crossed(money, "all", level)
        money.look(10)
        deliver(money)
    assert not mailbox.accepted, "the first waits a minute for what pending"
    deliver(money, 60)
    assert [mail["Subject"].split("] ")[-1] for mail in mailbox.accepted] == ["100 % of budget: all"]
    assert Alert.objects.shown().count() == 1
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["accepted", "folded", "folded", "folded"]


def test_several_budgets_that_one_spend_crosses_are_one_mail_that_lists_them(
    money: Scene, smtp: Smtp, mailbox: Mailbox
) -> None:
    for name in ("all", "claude", "chat"):
        crossed(money, name, 50)
        money.look(15)
        deliver(money)
    deliver(money, 60)
    [mail] = mailbox.accepted
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content() + mail["Subject"]
    assert all(f"50 % of budget: {name}" in text for name in ("all", "claude", "chat"))


def test_a_forecast_ends_without_a_word_once_its_budget_is_over(db: Any) -> None:
    PhaseFactory.create(
        slug="p", name="P", budget_low=300, budget_high=400, volume_from=1, volume_to=2, starts_on=TODAY.replace(day=1)
    )
    for n in range(1, 60):
        spend("20", TODAY - timedelta(days=n))
    subject = f"phase:p:{TODAY:%Y-%m}"
    assert findings("budget-forecast") == [], "460 are spent: the budget itself says it"
    [ended] = findings("budget-forecast", live=frozenset({subject}))
    assert (ended.crossed, ended.clear, ended.covered_by) == (False, True, subject)
    assert ended.title.startswith("Over already: P, $")


def test_only_what_reads_days_of_a_history_waits() -> None:
    at_once = {name for name, kind in KINDS.items() if not kind.of_history}
    assert {"outage", "error-rate", "heartbeat", "spend-cap", "late", "system", "system-disk"} <= at_once
