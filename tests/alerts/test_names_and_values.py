"""An alert is called as people call what it is about, and says what is so now, with its peak beside it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from alerts.evaluation import services
from alerts.models import Alert
from costs.models import Anomaly, Budget, Charge
from tests.alerts.conditions import NOW, findings, only, spend
from tests.alerts.conftest import Scene
from tests.dashboard.logins import logged_in, with_role
from tests.factories import ApplicationFactory, PhaseFactory

BUDGET: dict[str, Any] = {"low": 1, "high": 60, "starts_on": date(2026, 1, 1)}


def test_a_budgets_alert_says_whether_it_is_of_a_task_or_of_an_application(db: Any) -> None:
    """8.22: the budget "Site chat" is a task's, the application is "Website chat"."""
    chat = ApplicationFactory.create(slug="website-chat", name="Website chat")
    budgets = [
        Budget(name="Site chat", scope="task", task="chat", **BUDGET),
        Budget(name="Site chat", scope="application", application=chat, **BUDGET),
        Budget(name="website chat", scope="application", application=chat, **BUDGET),
        Budget(name="Vendors", scope="everything", **BUDGET),
    ]
    assert [budget.title for budget in budgets] == [
        "Site chat (task chat)",
        "Site chat (application Website chat)",
        "website chat (application)",
        "Vendors",
    ]


@pytest.fixture
def month(db: Any) -> None:
    PhaseFactory.create(slug="p", name="P", budget_low=1, budget_high=400, starts_on=date(2026, 1, 1))


def test_a_title_and_text_follow_the_value_down_with_the_peak_beside_it(month: None) -> None:
    """8.24: an account that was entered twice, and taken out again."""
    spend("642.08")
    services.evaluate(now=NOW, kinds=["budget"], wait=True)
    assert Alert.objects.get().title == "Over budget: P, $642.08 of $400"
    Charge.objects.all().delete()
    spend("392.87")
    services.evaluate(now=NOW, kinds=["budget"], wait=True)
    alert = Alert.objects.get()
    assert (alert.state, alert.level) == ("open", 100), "within the band"
    assert alert.title == "90 % of budget: P, $392.87 of $400"
    assert "98" in alert.words["detail"], "the title and the text are of one look"
    assert alert.words["highest"] == f"Highest: $642.08 on {NOW.day} Nov."
    text = logged_in(with_role("ops")).get(reverse("alerts:list")).content.decode()
    assert "$392.87 of $400" in text and "Highest: $642.08" in text
    page = logged_in(with_role("admin")).get(alert.get_absolute_url()).content.decode()
    assert "$392.87 of $400" in page and "Highest: $642.08" in page
    with time_machine.travel(NOW, tick=False):
        plan = logged_in(with_role("manager")).get(reverse("costs:plan")).content.decode()
    assert "392.87" in plan and "642.08" not in plan


def test_a_new_peak_takes_the_place_of_the_old_one(scene: Scene) -> None:
    for value in ("12", "20", "15", "25", "24"):
        scene.set("a", True, value=value, threshold="10", title=f"now {value}")
        scene.look()
    alert = scene.alert()
    assert (alert.title, alert.words["peak"][0], alert.words["highest"]) == ("now 24", "25", "Highest: 25 on 24 Nov.")
    scene.set("a", True, value="26", threshold="10")
    scene.look()
    assert "highest" not in scene.alert().words, "it is at its peak"


def test_an_alert_that_a_larger_one_speaks_for_names_that_by_its_title(scene: Scene) -> None:
    scene.set("account:vast", True, title="Vast refuses our key")
    scene.look()
    scene.set("a", True, covered_by="account:vast")
    scene.look()
    text = logged_in(with_role("ops")).get(reverse("alerts:list")).content.decode()
    assert "Grouped under “Vast refuses our key”" in text and "speaks for" not in text
    page = logged_in(with_role("admin")).get(scene.alert().get_absolute_url()).content.decode()
    assert "Grouped under “Vast refuses our key”" in page and "speaks for" not in page


def test_an_anomaly_is_of_an_application_by_its_name_on_both_pages(db: Any) -> None:
    application = ApplicationFactory.create(slug="code-helper", name="Code helper")
    Anomaly.objects.create(
        application_id=application.pk, application="code-helper", driver="volume", before=1, after=9, costs=Decimal(40),
        since=NOW, found_at=NOW, seen_at=NOW,
    )  # fmt: skip
    assert "Code helper" in only("anomaly").title and "code-helper" not in only("anomaly").title
    text = logged_in(with_role("manager")).get(reverse("costs:anomalies")).content.decode()
    assert "Code helper" in text
    application.delete()
    assert [finding.title.count("code-helper") for finding in findings("anomaly")] == [1], "one that is gone: its slug"
