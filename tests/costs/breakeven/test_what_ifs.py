"""How sure the break-even is, which tasks could be routed, and scenarios that are kept and held against each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import example, given, settings
from hypothesis import strategies as st

from costs.breakeven import Band, Day, Inputs, Spread, band, compute, spread_of, volume_saving
from costs.breakeven.alternatives import task_rows
from costs.breakeven.band import SAVING
from costs.breakeven.measured_inputs import spread
from costs.models import WhatIf
from costs.price_sheets.sheets import load
from costs.research.scenarios import workload_inputs
from providers.audit.log import AuditEntry
from tests.costs.breakeven_rows import traffic
from tests.costs.people import client_of, text
from tests.costs.usage_rows import usage
from tests.query_ceilings import ceiling

__all__ = ["traffic"]  # a fixture

D = Decimal


def inputs(**changes: Any) -> Inputs:
    return replace(workload_inputs(load()), **{"requests_per_month": 100_000, **changes})


def test_days_that_are_alike_leave_no_doubt() -> None:
    found = spread_of([Day(1000, 1000, D(3))] * 30)
    assert found == Spread(D(0), D(0), 30)
    goal = volume_saving(inputs(), SAVING)
    saved = compute(inputs()).saving
    assert band(inputs(), found) == Band(found, 100_000, 100_000, 94_666, 94_666, saved, saved, goal, goal)


def test_fewer_than_seven_days_say_nothing() -> None:
    assert spread_of([Day(1000, 1000, D(3))] * 6 + [Day(0, 0, D(0))] * 9 + [Day(5, 0, D(0))] * 9) is None


def test_the_spread_is_that_of_a_mean_and_of_a_ratio() -> None:
    # Two kinds of day, 900 and 1,100 requests at the same cost each: the volume differs, the cost of a request not.
    found = spread_of([Day(n, n, D(n) / 100) for n in (900, 1100)] * 8)
    assert found is not None
    assert found.request == 0
    assert found.volume == pytest.approx(D("1.96") * D("103.2796") / 4 / 1000, rel=D("0.001"))
    # The same volume, at 0.01 or 0.03 a request: ±0.01 on 0.02.
    dear = spread_of([Day(1000, 1000, D(cost)) for cost in (10, 30)] * 8)
    assert dear is not None and dear.volume == 0
    assert dear.request == pytest.approx(D("1.96") * D("10.328") / 4 / 20, rel=D("0.001"))


# From no request to the first one a GPU is rented: nowhere in this band is less saved than with a single request.
@example(D("0"), D("0.501"), 2, D("0.01"), 50)
@settings(max_examples=60, deadline=None)
@given(
    st.decimals("0", "0.9", places=3), st.decimals("0", "0.9", places=3), st.integers(1, 2_000_000),
    st.decimals("0", "1", places=2), st.one_of(st.none(), st.integers(50, 5000)),
)  # fmt: skip
def test_the_answer_lies_in_its_band(request: D, volume: D, n: int, routable: D, speed: int | None) -> None:
    asked = inputs(requests_per_month=n, routable_share=routable)
    own = replace(asked.selfhost, gpu_tokens_per_second=None if speed is None else D(speed))
    asked = replace(asked, selfhost=own)
    found = band(asked, Spread(request, volume, 30))
    assert found.saving_low <= compute(asked).saving <= found.saving_high
    assert found.volume_low <= n <= found.volume_high
    crossings = [c.requests_per_month for c in compute(asked).crossings if c.side_to == "selfhost"]
    if crossings and found.crossing_low is not None:
        assert found.crossing_low <= crossings[0]
    if crossings and found.crossing_high is not None:
        assert found.crossing_high >= crossings[0]


def test_the_spread_is_read_from_whole_days(db: Any) -> None:
    today = timezone.now().date()
    for n in range(1, 11):
        usage(day=today - timedelta(days=n), requests=100, cost=D(1))
        usage(day=today - timedelta(days=n), provider="self", model="mistral", requests=50, leased=50, cost=D(0))
    usage(day=today, requests=9999, cost=D(900))
    usage(day=today - timedelta(days=40), requests=9999, cost=D(900))
    assert spread(timezone.now()) == Spread(D(0), D(0), 10)


def test_tasks_show_what_could_be_routed() -> None:
    def row(task: str, requests: int, ours: bool = False) -> dict[str, Any]:
        return {"task": task, "requests": requests, "ours": ours}

    rows = task_rows([row("rag", 500), row("rag", 100, True), row("code", 300), row("qa", 100)], inputs())
    assert [(r.label, r.share, r.routed) for r in rows[1:3]] == [
        ("code", D("0.3"), False),
        ("simple QA", D("0.1"), True),
    ]
    assert (rows[0].own, rows[-1].share) == (D(100) / 600, D("0.7"))
    assert rows[-1].pays_from == 135_239
    assert task_rows([], inputs()) == []


def test_the_page_says_how_sure_it_is_and_shows_the_tasks(traffic: None) -> None:
    today = timezone.now().date()
    for n in range(1, 11):
        usage(day=today - timedelta(days=n), requests=100 + n, cost=D(1), model="claude-sonnet-4-5")
    page = text(client_of("manager"), "/break-even/")
    assert "from the differences between the last 10 days" in page
    assert "Routable tasks" in page and 'data-slide="0 100 1"' in page


# Kept scenarios.


def test_a_scenario_is_kept_by_name_and_held_against_the_live_answer(traffic: None) -> None:
    manager = client_of("manager")
    assert "No saved scenarios yet" in text(manager, "/break-even/kept/")
    for name, query in (("Three times", "requests=300000&gpu="), ("Dear GPU", "price=9")):
        manager.post("/break-even/keep/", {"name": name, "query": query, "note": "for June"})
    assert list(WhatIf.objects.values_list("query", flat=True)) == ["requests=300000", "price=9"]
    page = text(manager, "/break-even/kept/")
    assert 'href="/break-even/?requests=300000">Three times</a>' in page and "for June, a-manager, " in page
    assert "Lowest cost of a request: <b>" in page
    assert "300,000" in page and AuditEntry.objects.count() == 2


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"name": "", "query": "price=1"}, "Enter a name."),
        ({"name": "x", "query": ""}, "Change a value first"),
        ({"name": "x", "query": "gpu=&nonsense=1"}, "Change a value first"),
        ({"name": "x", "query": "price=cheap"}, "cannot be calculated"),
        ({"name": "Taken", "query": "price=1"}, "Another scenario has this name"),
    ],
)
def test_what_cannot_be_kept_is_said_and_nothing_saved(traffic: None, sent: dict[str, str], said: str) -> None:
    WhatIf.objects.create(name="Taken", query="price=2")
    response = client_of("manager").post("/break-even/keep/", sent)
    assert response.status_code == 422 and said in response.content.decode()
    assert WhatIf.objects.count() == 1


def test_a_removed_scenario_comes_back_unless_its_name_is_taken(traffic: None) -> None:
    manager, one = client_of("manager"), WhatIf.objects.create(name="Twice", query="requests=300000")
    manager.post(f"/break-even/kept/{one.pk}/remove/")
    assert not WhatIf.objects.kept()
    manager.post(f"/break-even/kept/{one.pk}/undo/")
    assert WhatIf.objects.kept().get() == one
    manager.post(f"/break-even/kept/{one.pk}/remove/")
    WhatIf.objects.create(name="Twice", query="price=1")
    manager.post(f"/break-even/kept/{one.pk}/undo/")
    assert WhatIf.objects.kept().get() != one


def test_a_scenario_whose_offer_has_gone_says_so(traffic: None) -> None:
    WhatIf.objects.create(name="Gone", query="gpu=vast%2FB200%2Fspot")
    assert "Cannot be calculated today" in text(client_of("manager"), "/break-even/kept/")


def test_many_scenarios_take_as_many_statements_as_one(traffic: None, django_assert_num_queries: Any) -> None:
    manager = client_of("manager")
    WhatIf.objects.create(name="0", query="requests=1000")
    manager.get("/break-even/kept/")

    with CaptureQueriesContext(connection) as few:
        manager.get("/break-even/kept/")
    for n in range(1, 9):
        WhatIf.objects.create(name=str(n), query=f"requests={n}000&model=2026-01%2Fsonnet-4.5")
    with django_assert_num_queries(len(few)):
        manager.get("/break-even/kept/")
    assert len(few) <= ceiling("/break-even/kept/ with 9 scenarios")
