"""Callers make names up: pages list the most used, and stay as short as they are with some."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from costs.models import AnomalyLook
from dashboard.health import metrics
from dashboard.health.metrics import exposition
from tests.alerts.conditions import use
from tests.traffic.people import logged_in, person, text
from traffic.requests.facets import MOST_SHOWN, most_used

MANY = 600
LATENCY, SPEND, UNITS = "/requests/latency/?by=model&days=30", "/spend/?by=model", "/spend/units/?by=model"
SELECTS = ["/requests/", LATENCY, SPEND, "/spend/changes/", UNITS, "/alerts/rules/new/"]


@pytest.fixture
def viewer(db: Any) -> Client:
    return logged_in(person("root", is_superuser=True))


@pytest.fixture
def crowd(db: Any) -> None:
    """Models with 1 to 600 requests each."""
    for n in range(MANY):
        use(timezone.now().date(), n + 1, model=f"made-up-{n:03}", cost=Decimal(n))


def options(page: str) -> list[str]:
    (select,) = re.findall(r'<select[^>]* name="model".*?</select>', page, re.DOTALL)
    return re.findall(r'<option value="([^"]+)"', select)


@pytest.mark.parametrize("url", SELECTS)
def test_a_select_lists_the_most_used_and_what_is_chosen(viewer: Client, crowd: None, url: str) -> None:
    names = options(text(viewer, url))
    assert len(names) == MOST_SHOWN
    assert set(names) == {f"made-up-{n:03}" for n in range(MANY - MOST_SHOWN, MANY)}
    chosen = f"{url}{'&' if '?' in url else '?'}model=made-up-003"
    assert "made-up-003" in options(text(viewer, chosen))


@pytest.mark.parametrize("url", SELECTS[:-1])
def test_a_page_says_how_many_more_there_are_and_takes_a_name(viewer: Client, crowd: None, url: str) -> None:
    page = text(viewer, url)
    assert f"Type the name of one of the {MANY - MOST_SHOWN} others" in page
    assert '<input name="model"' in page


def test_the_form_of_a_rule_says_how_many_more_there_are(viewer: Client, crowd: None) -> None:
    assert f"For one of the {MANY - MOST_SHOWN} others, add &amp;model=NAME" in text(viewer, SELECTS[-1])


@pytest.mark.parametrize("url", [LATENCY, SPEND, UNITS])
def test_a_table_of_names_is_cut_and_adds_up(viewer: Client, crowd: None, url: str) -> None:
    page = text(viewer, url)
    assert page.count("<tr data-row") <= MOST_SHOWN + 20
    assert "more" in page or "smaller groups are not shown" in page


def test_few_names_are_listed_whole(viewer: Client, db: Any) -> None:
    use(timezone.now().date(), 1)
    page = text(viewer, "/requests/")
    assert options(page) == ["claude-sonnet-5-5"]
    assert "or type a name" not in page


def test_what_is_used_most_is_offered_in_the_order_of_the_alphabet() -> None:
    offered = most_used({f"m{n:03}": n for n in range(MANY)}, ["m001", "", "unheard-of"])
    names = [value for value, _label in offered.pairs]
    assert names == sorted(names) and names[:1] == ["m001"] and "unheard-of" in names
    assert offered.more == MANY - MOST_SHOWN - 1


def test_prometheus_reads_the_models_that_are_used_most(crowd: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_SERIES", 500)
    lines = exposition().decode().splitlines()
    series = [line for line in lines if line.startswith("breakeven_requests_total{")]
    assert len(series) == 500
    assert not any('"made-up-099"' in line for line in series) and any('"made-up-100"' in line for line in series)
    assert "breakeven_models_left_out 100.0" in lines


def test_models_that_are_new_are_cut_on_the_page_of_what_stands_out(viewer: Client) -> None:
    new = [["shop", f"made-up-{n:03}", "2026-11-20", "0"] for n in range(MANY)]
    AnomalyLook.objects.create(pk=1, at=timezone.now(), applications=1, too_little=[], new=new)
    page = text(viewer, "/spend/anomalies/")
    assert "made-up-199" in page and "made-up-200" not in page
    assert f"{MANY - MOST_SHOWN} more came before these." in page
