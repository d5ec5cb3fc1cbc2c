"""Labels of charts keep out of each other's way at every width, proven by boxes computed from the markup."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import combinations
from xml.etree import ElementTree

import pytest

from dashboard.charts import breakeven, lines, small, spend
from dashboard.charts.labels import ACROSS_PX, DESKTOP, LINE_NAME, PHONE, Label, placed
from dashboard.charts.svg import CHARACTER_PX, Drawing

DEC, JAN = dt.date(2026, 12, 1), dt.date(2027, 1, 1)
FIRST = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
Box = tuple[float, float, float, float]


def boxes(svg: str, width: int, height: int, *, phone: bool) -> dict[str, Box]:
    """The words in the plot with left, top, right and bottom in px; axis labels stand outside of it."""
    shown: dict[str, Box] = {}
    for element in ElementTree.fromstring(svg).iter("text"):  # noqa: S314 - ours
        classes = (element.get("class") or "").split()
        if "t-axis" in classes or (phone and "wide" in classes):
            continue
        words = element.text or ""
        x = float((element.get("x") or "0").rstrip("%")) * width / 100 + float(element.get("dx") or 0)
        base = float((element.get("y") or "0").rstrip("%")) * height / 100 + float(element.get("dy") or 0)
        long = len(words) * CHARACTER_PX
        left = x - long if "end" in classes else x - long / 2 if "mid" in classes else x
        shown[words] = (left, base - 11, left + long, base + 4)
    return shown


def overlaps(svg: str, height: int) -> list[tuple[int, str, str]]:
    pairs = []
    for widths, phone in ((PHONE, True), (DESKTOP, False)):
        for width in widths:
            for (first, (a, b, c, d)), (other, (e, f, g, h)) in combinations(
                boxes(svg, width, height, phone=phone).items(), 2
            ):
                if a < g - 0.5 and e < c - 0.5 and b < h - 0.5 and f < d - 0.5:
                    pairs.append((width, first, other))
    return pairs


def month(now: dt.datetime, limit: int) -> Drawing:
    days = [{"day": DEC + dt.timedelta(days=n), "amount": Decimal("12.50")} for n in range((now - FIRST).days + 1)]
    ahead = {"low": Decimal(379), "median": Decimal(393), "high": Decimal(414)}
    return spend.pace(days, starts=DEC, ends=JAN, now=now, low=Decimal(300), high=Decimal(400), limit=Decimal(limit),
                      forecast=ahead)  # fmt: skip


@pytest.mark.parametrize("hours", [0.2, 5, 24, 13 * 24, 30 * 24 + 23])
@pytest.mark.parametrize("limit", [10, 200, 400, 800])
def test_limit_today_and_forecast_do_not_overlap_on_any_day_of_a_month(hours: float, limit: int) -> None:
    chart = month(FIRST + dt.timedelta(hours=hours), limit)
    assert overlaps(chart.svg, 190) == []
    assert f"limit ${limit}" in chart.svg


@pytest.mark.parametrize("crossing", [3_000, 150_000, 330_000, 396_000])
@pytest.mark.parametrize("here", [1_000, 148_000, 340_000, 900_000])
def test_names_at_the_right_end_of_the_curve_do_not_overlap(crossing: int, here: int) -> None:
    curve = [
        {"requests_per_month": n, "api": n * 298 / crossing, "selfhost": Decimal(298), "gpus": 1}
        for n in range(0, 400_001, 20_000)
    ]
    chart = breakeven.breakeven_curve(
        curve, [{"requests_per_month": crossing, "from": "api", "to": "selfhost"}], here=here,
        api_name="the API alone", self_name="our own GPUs and the rest", height=270,
    )  # fmt: skip
    assert overlaps(chart.svg, 230) == []
    assert "you are here:" in chart.svg


@pytest.mark.parametrize("limit", [1, 60, 200, 400])
def test_labels_under_a_plan_bar_do_not_overlap(limit: int) -> None:
    chart = small.meter(Decimal("231.77"), limit=Decimal(limit), plan=Decimal(limit - 1), scale_to=Decimal(420))
    assert overlaps(chart.svg, 36) == []


def test_what_has_no_room_hides_on_a_phone_or_is_left_out() -> None:
    wide = placed(
        [Label(["first"], 0.0, 0.5, rank=0), Label(["a label of forty characters, or about that"], 0.3, 0.5)], 20
    )
    assert "wide" not in wide[0] and "wide" in wide[1]
    many = placed([Label(["the same words"], 0.5, 0.5, rank=n) for n in range(9)], 20)
    assert 1 <= len(many) < 9


def test_the_name_of_a_line_stands_below_or_above_it_and_never_on_a_phone() -> None:
    name = Label(["a line with a name"], 0.3, 0.5, dy=28, rank=LINE_NAME)
    [free] = placed([name], 190)
    assert "wide" in free and 'dy="28"' in free
    moved = placed([Label(["you are here:"], 0.3, 0.5, dy=28, rank=0), name], 190)[1]
    assert "wide" in moved and f'dy="{28 - ACROSS_PX}"' in moved


def test_a_label_on_the_first_day_stays_inside_the_plot() -> None:
    chart = lines.line_chart(
        [{"name": "spent", "points": [(0, 0), (0.1, 5), (31, None)]}], x_from=0, x_to=31, tails=False,
        marks=[{"kind": "dot", "x": 0.1, "y": 5, "label": "$135.50 so far", "side": "left"}],
    )  # fmt: skip
    assert all(left >= -4 for left, *_rest in boxes(chart.svg, 300, 220, phone=True).values())


def test_three_dots_near_the_top_all_have_their_name_on_a_phone() -> None:
    dots = {"claude-haiku-4-5": (16.8, 0.93), "Mistral 7B on RunPod": (26.9, 0.89), "claude-sonnet-5-5": (42.3, 0.94)}
    series = [{"name": name, "points": [place]} for name, place in dots.items()]
    marks = [{"kind": "dot", "x": x, "y": y, "label": name} for name, (x, y) in dots.items()]
    chart = lines.line_chart(series, marks=marks, unit="percent", x_from=0, y_to=1.0, tails=False)
    assert set(dots) <= set(boxes(chart.svg, 300, 220, phone=True)) and overlaps(chart.svg, 220) == []
