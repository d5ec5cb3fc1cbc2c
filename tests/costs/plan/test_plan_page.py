"""The Plan page: who may see and change it, what it says, what the forms refuse."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from costs.models import Phase, Stage
from costs.plan import page as plan_page
from costs.plan import volume_page
from costs.plan.forecast import Forecast
from costs.plan.month import Month
from costs.price_sheets import sheets
from costs.research.scenarios import workload_inputs
from lib.dates import midnight
from providers.audit.log import AuditEntry
from tests.costs.people import client_of, text
from tests.costs.usage_rows import usage
from tests.factories import PhaseFactory
from traffic.models import UsageHour

PAGES = ("/plan/", "/plan/phases/add/", "/plan/phases/scale-up/", "/plan/stages/add/", "/plan/stages/poc/")
D = Decimal


@pytest.fixture
def today() -> date:
    return timezone.now().astimezone(UTC).date()


@pytest.fixture
def plan(db: Any, today: date) -> None:
    first = today - timedelta(days=40)
    bands = (("now", 0, 100_000, 50, 150), ("scale-up", 100_000, 500_000, 300, 400), ("high", 500_000, None, 500, 1000))
    for number, (slug, low, high, budget_low, budget_high) in enumerate(bands):
        PhaseFactory.create(
            slug=slug, name=f"{number + 1} {slug}", volume_from=low, volume_to=high, budget_low=budget_low,
            budget_high=budget_high, starts_on=(first - timedelta(days=100), first, None)[number],
            ends_on=first if number == 0 else None,
        )  # fmt: skip
    Stage.objects.create(slug="poc", name="POC", starts_on=first, ends_on=first + timedelta(days=14), budget=120)


def spending(today: date, per_day: str, days: int = 100) -> None:
    for n in range(1, days + 1):
        usage(day=today - timedelta(days=n), cost=D(per_day), requests=1000)


# What the page says.


def test_the_answer_tells_what_is_left_and_that_it_lasts(plan: None, today: date) -> None:
    spending(today, "4")
    page = text(client_of("manager"), "/plan/")
    spent = 4 * (today.day - 1)
    assert re.search(rf"Spent so far</dt>\s*<dd>(<[^>]+>)?{spent}\.00", page)
    assert re.search(rf"Left of the high end</dt><dd>{400 - spent}\.00<", page)
    state = "met" if today.day > 3 else "not_enough_data"
    assert f'data-question="plan" data-state="{state}"' in page
    assert "We are in phase <b>2 scale-up</b>" in page


@pytest.mark.parametrize(("day", "word"), [(3, "not enough data"), (20, "not this month"), (21, "too close to call")])
def test_the_day_on_which_the_money_runs_out_goes_no_further_than_the_verdict(db: Any, day: int, word: str) -> None:
    with time_machine.travel(datetime(2026, 9, day, 6, tzinfo=UTC), tick=False):
        low_and_high = {"budget_low": 300, "budget_high": 400}
        PhaseFactory.create(slug="now", name="Now", starts_on=date(2026, 8, 1), **low_and_high)
        for n in range(1, 100):
            usage(day=date(2026, 9, day) - timedelta(days=n), cost=D(3 + n % 3), requests=1000)
        client = client_of("manager")
        if word == "too close to call":
            forecast = client.get("/plan/").context["page"].month.forecast
            Phase.objects.update(budget_low=1, budget_high=(forecast.median + forecast.high) / 2)
        page = text(client, "/plan/")
        assert ("It is too early to forecast its end" in page) is (word == "not enough data")
        assert re.search(rf"<dt>Runs out on</dt>\s*<dd>\s*{word}\s*</dd>", page)
        table = page[page.index('id="phases-h"') :]
        assert re.search(rf">\s*{word}\s*</td>", table)


def test_the_answer_names_the_day_on_which_the_money_runs_out(plan: None, today: date) -> None:
    Phase.objects.filter(slug="scale-up").update(budget_low=1, budget_high=D("0.01"))
    spending(today, "40")
    usage(day=today, cost=D(1))
    assert "budget ran out on <b>" in text(client_of("manager"), "/plan/")


def test_without_a_phase_for_today_the_page_says_so(plan: None, today: date) -> None:
    Phase.objects.update(starts_on=None, ends_on=None)
    assert "No phase is planned for today" in text(client_of("manager"), "/plan/")


def test_without_any_phase_the_page_says_what_to_do(db: Any) -> None:
    page = text(client_of("manager"), "/plan/")
    assert "No plan yet" in page
    assert "/plan/phases/add/" in page
    assert "/plan/phases/add/" not in text(client_of("ops"), "/plan/")


def test_a_phase_that_was_left_is_proposed_to_be_changed(plan: None, today: date) -> None:
    usage(UsageHour, hour=timezone.now() - timedelta(days=29, hours=23), requests=20_000)
    client = client_of("manager")
    page = text(client, "/plan/")
    assert "We have left the phase 2 scale-up" in page
    assert "Plan 1 now from today" in page
    assert client.post("/plan/phases/now/start/").status_code == 302
    assert Phase.objects.planned_for(today) == Phase.objects.get(slug="now")
    assert Phase.objects.get(slug="scale-up").ends_on == today
    assert "We have left the phase" not in text(client, "/plan/")


def test_the_researchs_budget_breaks_at_160000_requests_and_its_saving_was_rounded_up(plan: None) -> None:
    manager = client_of("manager")
    assert "The reference case" not in text(manager, "/plan/") and "January 2026" not in text(manager, "/plan/")
    manager.cookies["reference"] = "on"
    page = text(manager, "/plan/")
    assert "that covers about <b>160,635</b>" in page
    assert "At 500,000 the month costs <b>$721</b>" in page
    assert "The reference case plans $1,920 for six months, against $3,000 on the API alone" in page
    assert "Its own prices give $2,835 for the API, so $915 less" in page


def test_stages_add_up_to_their_total(plan: None, today: date) -> None:
    spending(today, "4")
    Stage.objects.create(slug="evaluation", name="Evaluation", starts_on=today, ends_on=today + timedelta(9), budget=50)
    page = text(client_of("manager"), "/plan/")
    assert "The stages have cost $56.00 of $170" in page


def test_the_split_is_told_by_task_against_the_planned_70_per_cent(plan: None, today: date) -> None:
    hour = midnight(today)
    usage(UsageHour, hour=hour, task="rag", provider="self", requests=30, leased=30)
    usage(UsageHour, hour=hour, task="code", requests=40)
    for day in (today - timedelta(days=1), today):
        usage(day=day, task="rag", provider="self", requests=30, leased=30)
    page = text(client_of("manager"), "/plan/")
    assert "Self-hosted share of requests: 60 %, planned: 70" in page
    assert '<th scope="row">RAG</th> <td class="num">60</td> <td class="num">60</td>' in page


def test_the_page_compares_past_forecasts_with_the_naive_one(plan: None, today: date) -> None:
    spending(today, "4", days=190)
    page = text(client_of("manager"), "/plan/")
    assert "Forecast error on day 10:" in page
    assert page.count('<span class="state ok">yes</span>') >= 4


# Who may.


@pytest.mark.parametrize("url", PAGES)
def test_a_stranger_is_sent_to_the_login(plan: None, url: str) -> None:
    answer = Client().get(url)
    assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={url}")


@pytest.mark.parametrize(
    ("role", "statuses"), [("staff", [403] * 5), ("ops", [200] + [403] * 4), ("manager", [200] * 5)]
)
def test_each_role_opens_what_it_may(plan: None, role: str, statuses: list[int]) -> None:
    client = client_of(role)
    assert [client.get(url).status_code for url in PAGES] == statuses


@pytest.mark.parametrize("action", ["phases/now/start", "phases/now/remove", "stages/poc/remove"])
def test_only_who_may_change_the_plan_changes_it(plan: None, action: str) -> None:
    assert client_of("ops").post(f"/plan/{action}/").status_code == 403
    manager = client_of("manager")
    assert manager.get(f"/plan/{action}/").status_code == 405
    assert manager.post(f"/plan/{action}/").status_code == 302


def test_what_is_not_there_is_not_found(plan: None) -> None:
    assert client_of("manager").get("/plan/phases/nothing/").status_code == 404


# The forms.

PHASE = {"name": "3 More", "shape": "", "volume_from": 500_000, "volume_to": "", "budget_low": 1, "budget_high": 2,
         "starts_on": "", "ends_on": ""}  # fmt: skip


def phase(slug: str = "high", **changes: Any) -> Any:
    return client_of("manager").post(f"/plan/phases/{slug}/", {**PHASE, **changes})


def test_a_phase_is_changed_and_added(plan: None) -> None:
    assert phase(budget_high="1200.50").status_code == 302
    changed = Phase.objects.get(slug="high")
    assert (changed.name, changed.budget_high) == ("3 More", D("1200.50"))
    client = Client()
    client.force_login(_manager())
    changed.volume_to = 900_000
    changed.save()
    assert client.post("/plan/phases/add/", {**PHASE, "name": "4 More", "volume_from": 900_000}).status_code == 302
    assert Phase.objects.get(slug="4-more").volume_from == 900_000


def test_who_changed_the_plan_is_kept(plan: None) -> None:
    phase(budget_high=1200)
    client = Client()
    client.force_login(_manager())
    client.post("/plan/stages/poc/remove/")
    entries = AuditEntry.objects.order_by("pk")
    assert [(entry.actor, entry.object_name) for entry in entries] == [
        ("a-manager", "3 More"), ("a-manager", "POC"),
    ]  # fmt: skip
    assert "Budget a month, high, USD" in entries[0].words


def _manager() -> User:
    return User.objects.get(username="a-manager")


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"budget_high": 0}, "budget_high", "must be at least 0.01"),
        ({"budget_low": -1}, "budget_low", "cannot be negative"),
        ({"budget_low": 5}, "budget_high", "must not be below the low end"),
        ({"volume_to": 500_000}, "volume_to", "must end above its beginning"),
        ({"volume_from": 400_000}, "volume_from", "overlaps with that of “2 scale-up”"),
        ({"starts_on": "2030-02-01", "ends_on": "2030-01-01"}, "ends_on", "must end after its first day"),
        ({"ends_on": "2030-01-01"}, "starts_on", "A phase that ends must begin"),
        ({"name": ""}, "name", "required"),
        ({"budget_high": "a lot"}, "budget_high", "Enter a number"),
        ({"starts_on": "yesterday"}, "starts_on", "Enter a valid date"),
    ],
)
def test_a_phase_that_cannot_be_is_refused_at_its_field(
    plan: None, changes: dict[str, Any], field: str, sentence: str
) -> None:
    answer = phase(**changes)
    assert answer.status_code == 422
    errors = answer.context["form"].errors
    assert list(errors) == [field]
    assert sentence in errors[field][0]
    assert Phase.objects.get(slug="high").name == "3 high"


def test_dates_of_two_phases_must_not_overlap(plan: None, today: date) -> None:
    inside = (today - timedelta(days=60)).isoformat()
    assert "starts_on" in phase(starts_on=inside).context["form"].errors
    Phase.objects.filter(slug="scale-up").update(ends_on=today)
    assert phase_again(starts_on=(today - timedelta(days=1)).isoformat()) == 422
    assert phase_again(starts_on=today.isoformat()) == 302


def phase_again(**changes: Any) -> int:
    client = Client()
    client.force_login(_manager())
    return client.post("/plan/phases/high/", {**PHASE, **changes}).status_code


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"budget": 0}, "budget"), ({"ends_on": "2020-01-01"}, "ends_on"), ({"starts_on": ""}, "starts_on")],
)
def test_a_stage_that_cannot_be_is_refused(plan: None, today: date, changes: dict[str, Any], field: str) -> None:
    ends_on = today + timedelta(days=30)
    given = {"name": "Production", "starts_on": today.isoformat(), "ends_on": ends_on.isoformat(), "budget": 1750}
    client = client_of("manager")
    answer = client.post("/plan/stages/add/", {**given, **changes})
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])
    assert client.post("/plan/stages/add/", given).status_code == 302
    again = client.post("/plan/stages/add/", given)
    assert "overlap with those of “Production”" in again.context["form"].errors["starts_on"][0]


def test_a_form_that_was_refused_keeps_what_was_typed(plan: None) -> None:
    page = phase(name="Third", budget_high=0).content.decode()
    assert 'value="Third"' in page
    assert "1 error: please fix it" in page


# Pure.


def month(**given: Any) -> Month:
    first = date(2026, 9, 1)
    path = tuple((date(2026, 9, n), D(2)) for n in range(11, 31))
    ahead = Forecast(D(80), D(100), D(130), D(10), D(20), D("0.1"), path)
    known: dict[str, Any] = {
        "first": first,
        "last": date(2026, 9, 30),
        "spent": D(30),
        "requests": 10,
        "unpriced_requests": 0,
        "forecast": ahead,
        "reason": "",
        "days": {date(2026, 9, n): D(3) for n in range(1, 11)},
        "history": {},
    }
    return Month(**{**known, **given})


def test_the_path_ends_on_the_median_and_the_fan_on_low_and_high() -> None:
    now = datetime(2026, 9, 10, 12, tzinfo=UTC)
    drawn = plan_page.pace(month(), None, now)
    path = drawn["series"][1]["points"]
    assert path[0] == (now, D(30))
    assert path[-1][1] == pytest.approx(D(100))
    assert [round(y, 6) for y in drawn["bands"][0]["points"][-1][1:]] == [80, 130]
    assert drawn["bands"][0]["points"][0][1:] == (30, 30)


def test_the_budget_breaks_where_the_hybrid_first_costs_more() -> None:
    inputs = replace(workload_inputs(sheets.load()), routable_share=D("0.7"))
    at = volume_page.breaks_at(inputs, D(400), 500_000)
    assert at == 107_721  # 298.20 and 0.000945 a request
    assert volume_page.breaks_at(inputs, D(1000), 500_000) is None


def test_a_day_without_requests_is_a_gap_in_the_split() -> None:
    rows = [{"day": date(2026, 9, n), "ours": True, "requests": 5} for n in (1, 3)]
    assert volume_page.shares_by_day(rows) == [(date(2026, 9, 1), 1), (date(2026, 9, 2), None), (date(2026, 9, 3), 1)]
