from __future__ import annotations

import datetime as dt
import html
import json
import re
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.template import Context, Template
from django.test import RequestFactory
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from dashboard.charts import bars, breakeven, figures, heatmap, lines, small, spend, svg
from dashboard.charts.scales import Scale, log_ticks, short_count, short_money, spread, ticks, time_ticks
from dashboard.charts.svg import Drawing

NOW = dt.datetime(2026, 6, 18, 14, 0, tzinfo=dt.UTC)
JUNE, JULY = dt.date(2026, 6, 1), dt.date(2026, 7, 1)


def marks(chart: Drawing, cls: str) -> list[ElementTree.Element]:
    """Every mark of a class; parsing proves that the markup is well-formed."""
    return [e for e in ElementTree.fromstring(chart.svg).iter() if cls in (e.get("class") or "").split()]  # noqa: S314 - ours


def words(chart: Drawing) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(chart.svg).iter("text")]  # noqa: S314 - ours


@pytest.mark.parametrize(
    "words", ["a & b", "<script>", "\"quoted\" and 'quoted'", 12, 0.5, None, gettext_lazy("up"), mark_safe("<b>")]
)
def test_words_are_escaped_as_django_escapes_them(words: object) -> None:
    assert svg.escape(words) == str(escape(words))


def per_cent(element: ElementTree.Element, name: str) -> float:
    return float((element.get(name) or "").rstrip("%"))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 414, [0, 100, 200, 300, 400, 500]),
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.0031, [0, 0.001, 0.002, 0.003, 0.004]),
    ],
)
def test_ticks_are_round_and_hold_the_values(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == expected


def test_ticks_of_nothing_still_make_an_axis() -> None:
    assert len(ticks(0, 0)) >= 2


def test_logarithmic_ticks_stand_on_one_two_five() -> None:
    assert log_ticks(200, 10_000) == [200, 500, 1000, 2000, 5000, 10_000]


def test_a_month_is_read_in_fives_and_ends_on_the_next_first() -> None:
    seen = [
        text
        for _at, text in time_ticks(
            dt.datetime(2026, 6, 1, tzinfo=dt.UTC).timestamp(), dt.datetime(2026, 7, 1, tzinfo=dt.UTC).timestamp()
        )
    ]
    assert seen == ["1 Jun", "5", "10", "15", "20", "25", "1 Jul"]


def test_a_day_is_read_in_hours_and_a_year_in_months() -> None:
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp()
    assert [t for _a, t in time_ticks(start, start + 86_400)][:2] == ["00:00", "04:00"]
    assert [t for _a, t in time_ticks(start, start + 364 * 86_400)][:2] == ["Jan 2026", "Mar"]


@pytest.mark.parametrize(
    ("value", "text"), [(0, "$0"), (1200, "$1,200"), (0.5, "$0.50"), (25_000, "$25K"), (-40, "−$40")]
)
def test_ticks_of_money_are_short(value: float, text: str) -> None:
    assert short_money(value) == text


def test_counts_are_short_on_an_axis() -> None:
    assert [short_count(v) for v in (0, 950, 100_000, 2_500_000, 1e9)] == ["0", "950", "100K", "2.5M", "1G"]


def test_a_logarithmic_scale_puts_the_geometric_mean_in_the_middle() -> None:
    assert Scale(1, 100, log=True).at(10) == pytest.approx(0.5)


def test_labels_that_would_overlap_move_apart_in_order() -> None:
    moved = spread([0.5, 0.51, 0.99], 0.1)
    assert moved[0] == pytest.approx(0.5) and moved[1] == pytest.approx(0.6) and moved[2] == pytest.approx(0.99)
    crowded = spread([0.95, 0.97, 0.99], 0.1)
    assert crowded[2] <= 1 and crowded[1] - crowded[0] >= 0.0999 and crowded[2] - crowded[1] >= 0.0999


def test_the_crosshair_is_one_small_script() -> None:
    assert (settings.BASE_DIR / "static/js/crosshair.js").stat().st_size <= 4096


def test_a_chart_says_where_its_rows_lie_and_in_which_unit() -> None:
    chart = lines.line_chart([{"name": "spent", "points": [(0, 1), (5, None), (10, 3)]}], x_from=0, x_to=20)
    assert 'data-x="0 25 50"' in chart.svg and 'data-unit="usd"' in chart.svg
    assert json.loads(chart.data)[2] == ["5", "unknown"], "what is unknown is read out as unknown, without markup"
    assert "data-x" not in lines.line_chart([{"name": "a", "points": []}]).svg


def test_a_chart_without_a_table_brings_its_rows_for_the_crosshair() -> None:
    series = [{"name": "p95", "points": [(1, 500)]}]
    bare, full = (
        Template("{% lines series unit='ms' table=table %}").render(Context({"series": series, "table": table}))
        for table in (False, True)
    )
    assert "data-rows=" in bare and "<table" not in bare
    assert "data-rows=" not in full and "<table" in full
    assert all('<p class="readout"></p>' in drawn for drawn in (bare, full))


def test_a_sparkline_reads_out_its_days() -> None:
    drawn = Template("{% sparkline values unit='usd' label='Cost' until=until %}").render(
        Context({"values": [Decimal(1), None, Decimal(3)], "until": JUNE})
    )
    rows = json.loads(html.unescape(re.findall('data-rows="(.*?)"', drawn)[0]))
    days = [[cell[:6] if n == 0 else cell for n, cell in enumerate(row)] for row in rows]  # without the year
    assert days == [["", "Cost"], ["29 May", "1.00"], ["30 May", "unknown"], ["31 May", "3.00"]]


def test_a_gap_in_the_data_is_a_gap_in_the_line() -> None:
    assert len(marks(small.sparkline([1, 2, None, 4, 5]), "l1")) == 2


def test_a_sparkline_of_nothing_says_so() -> None:
    assert "unknown" in small.sparkline([None, None], label="Cost").svg


def test_an_outage_lowers_its_cell_and_has_a_square_and_a_cause() -> None:
    cells: list[dict[str, object]] = [
        {"label": "8 Jun", "state": "up"},
        {"label": "9 Jun", "state": "down", "lost": 0.5, "cause": "host reboot"},
    ]
    chart = small.strip(cells)
    up, down = marks(chart, "up")
    assert float(down.get("height") or 0) == pytest.approx(float(up.get("height") or 0) / 2)
    assert len(marks(chart, "cut")) == 1
    assert "9 Jun: host reboot" in chart.svg
    assert chart.rows == [["9 Jun", "down", "host reboot"]]


def test_unknown_days_are_one_hatched_run_and_not_up() -> None:
    chart = small.strip(
        [{"label": f"{n} Jun", "state": "unknown"} for n in range(1, 6)] + [{"label": "6 Jun", "state": "up"}]
    )
    assert len(marks(chart, "unknown")) == 1 and len(marks(chart, "up")) == 1
    assert "1 Jun – 5 Jun: no data" in chart.svg


def test_the_name_of_a_strip_says_days_without_checks_as_unknown() -> None:
    unchecked = [{"label": f"{n} Jun", "state": "unknown"} for n in range(1, 30)]
    named = small.strip([*unchecked, {"label": "30 Jun", "state": "up"}], label="BGE-M3").svg
    assert 'aria-label="BGE-M3. 29 days not checked, 1 day up"' in named and "not fully up" not in named
    hurt = small.strip([{"label": "1 Jun", "state": "down", "lost": 1}, {"label": "2 Jun", "state": "maintenance"}]).svg
    assert "1 day with an outage, 1 day of maintenance" in hurt


def test_a_plan_bar_is_named_with_its_unit() -> None:
    named = small.meter(Decimal("135.5"), limit=Decimal(100), name="Code helper", at_least=True).svg
    assert 'aria-label="Code helper: spent at least $135.50, limit $100.00"' in named


def test_the_plan_bar_is_hatched_while_spend_is_unknown() -> None:
    chart = small.meter(None, limit=Decimal(400))
    assert marks(chart, "unknown") and not marks(chart, "f1")
    assert "Spent unknown" in chart.svg


def test_the_parts_of_the_plan_bar_are_to_scale() -> None:
    chart = small.meter(
        Decimal(50), limit=Decimal(100), scale_to=Decimal(200), forecast={"low": 80, "median": 90, "high": 100}
    )
    assert per_cent(marks(chart, "f1")[0], "width") == 25
    assert per_cent(marks(chart, "limit")[0], "x1") == 50
    assert per_cent(marks(chart, "dot")[0], "cx") == 45


def test_a_bar_of_nothing_at_all_is_drawn() -> None:
    assert small.meter(Decimal(0)).svg


def test_bars_stack_and_their_table_adds_up() -> None:
    parts = [{"key": "runpod", "name": "RunPod", "amount": Decimal("8.16"), "provenance": "billed"},
             {"key": "anthropic", "name": "Claude", "amount": Decimal("1.84"), "provenance": "measured"}]  # fmt: skip
    chart = bars.stacked_bars([{"label": "1 Jun", "parts": parts}])
    lower, upper = marks(chart, "f1")[0], marks(chart, "f2")[0]
    assert per_cent(upper, "y") + per_cent(upper, "height") == pytest.approx(per_cent(lower, "y"), abs=0.02)
    assert "p-measured" in (upper.get("class") or "")
    assert chart.rows == [["1 Jun", "8.16", "1.84", "10.00"]]


def test_a_day_with_an_unknown_has_a_hatched_cap_and_at_least_in_the_table() -> None:
    part = {"key": "google", "name": "Google Cloud", "amount": Decimal("1.44"), "provenance": "billed"}
    chart = bars.stacked_bars([{"label": "17 Jun", "parts": [part], "unknown": True}])
    assert len(marks(chart, "unknown")) == 1
    assert chart.rows[0][-1].startswith("≥")


def test_a_provider_keeps_its_colour_whatever_stands_beside_it() -> None:
    assert bars.series_numbers(["google", "anthropic"]) == {"google": 4, "anthropic": 2}
    assert bars.series_numbers(["openai", "anthropic", "runpod"]) == {"openai": 3, "anthropic": 2, "runpod": 1}
    many = bars.series_numbers(["anthropic", *(f"vendor-{n}" for n in range(9))])
    assert max(many.values()) == 6 and many["anthropic"] == 2


def test_a_line_chart_draws_each_stretch_and_lists_every_point() -> None:
    series = [
        {
            "name": "p95",
            "points": [(NOW + dt.timedelta(hours=h), 100 + h if h != 3 else None) for h in range(8)],
            "label": "p95",
        }
    ]
    chart = lines.line_chart(series, unit="ms", limits=[{"y": 105, "label": "limit"}])
    assert len(marks(chart, "l1")) == 2
    assert len(chart.rows) == 8 and "unknown" in chart.rows[3][1]
    assert "limit" in words(chart)


def test_a_long_table_is_thinned_and_says_so() -> None:
    chart = lines.line_chart([{"name": "a", "points": [(n, n) for n in range(1000)]}], unit="count")
    assert len(chart.rows) <= 120 and "One point in 9" in chart.note


def test_an_empty_chart_is_an_empty_pair_of_axes() -> None:
    assert marks(lines.line_chart([{"name": "a", "points": []}]), "zero")


def test_the_months_money_adds_up_to_now_and_no_further() -> None:
    days = [{"day": JUNE + dt.timedelta(days=n), "amount": Decimal("12.50")} for n in range(18)]
    places = spend.cumulative(days, NOW)
    assert places[0] == (dt.datetime(2026, 6, 1, tzinfo=dt.UTC), Decimal(0))
    assert places[-1] == (NOW, Decimal("225.00"))


def test_the_pace_says_what_is_spent_and_where_the_month_ends() -> None:
    days = [{"day": JUNE + dt.timedelta(days=n), "amount": Decimal("12.50")} for n in range(18)]
    forecast = {"low": Decimal(379), "median": Decimal(393), "high": Decimal(414)}
    chart = spend.pace(
        days,
        starts=JUNE,
        ends=JULY,
        now=NOW,
        low=Decimal(300),
        high=Decimal(400),
        limit=Decimal(400),
        forecast=forecast,
    )
    assert {"$225.00 so far", "limit $400", "today, 14:00", "379 low, 414 high"} <= set(words(chart))


def test_the_pace_of_a_month_that_is_over_has_no_today() -> None:
    days = [{"day": JUNE, "amount": Decimal(5)}]
    chart = spend.pace(days, starts=JUNE, ends=JULY, now=dt.datetime(2026, 7, 9, tzinfo=dt.UTC))
    assert not marks(chart, "today")


def curve() -> list[dict[str, object]]:
    volumes = range(0, 400_001, 20_000)
    return [{"requests_per_month": n, "api": n * Decimal("0.00315"), "selfhost": Decimal(298 if n < 300_000 else 546),
             "gpus": 1 if n < 300_000 else 2} for n in volumes]  # fmt: skip


def test_the_curve_shades_where_our_own_gpus_cost_less() -> None:
    crossings = [{"requests_per_month": 94_666, "from": "api", "to": "selfhost"}]
    chart = breakeven.breakeven_curve(curve(), crossings, here=106_700)
    (shade,) = marks(chart, "pays")
    assert per_cent(shade, "x") == pytest.approx(94_666 / 4000, abs=0.01)
    assert per_cent(shade, "width") == pytest.approx(100 - 94_666 / 4000, abs=0.01)
    assert {"94,666", "you are here:", "106,700"} <= set(words(chart))


def test_a_step_rises_upright_where_a_gpu_is_added() -> None:
    steps = breakeven.staircase(curve())
    assert (300_000, Decimal(298)) in steps and (300_000, Decimal(546)) in steps


def test_a_staircase_that_crosses_back_is_shaded_twice() -> None:
    ways = [(90_000, "selfhost"), (180_000, "api"), (200_000, "selfhost")]
    crossings = [{"requests_per_month": at, "to": to} for at, to in ways]
    assert breakeven.cheaper_spans(crossings, starts_cheaper=False) == [
        {"from": 90_000, "to": 180_000},
        {"from": 200_000, "to": None},
    ]


def test_names_from_outside_are_escaped_in_every_chart() -> None:
    evil = '"><script>alert(1)</script>'
    part = {"key": evil, "name": evil, "amount": Decimal(1), "provenance": "billed"}
    drawn = [
        small.strip([{"label": evil, "state": "down", "cause": evil}], label=evil),
        small.sparkline([1, 2], label=evil),
        bars.stacked_bars([{"label": evil, "parts": [part], "note": evil}], label=evil),
        lines.line_chart([{"name": evil, "points": [(0, 1), (1, 2)], "label": evil}], label=evil),
    ]
    assert all("<script>" not in chart.svg for chart in drawn)
    rows = [{"label": evil, "parts": [part]}]
    assert "<script>" not in Template("{% stacked_bars rows %}").render(Context({"rows": rows}))


def plotly_spec(kind: str = "lines") -> dict[str, object]:
    days = [dt.date(2026, 6, day) for day in (1, 2, 3)]
    return {"kind": kind, "label": "Cost", "unit": "usd", "limits": [{"y": Decimal(15), "label": "limit"}], "series": [
        {"name": "Claude", "key": "anthropic", "x": days, "y": [Decimal("1.5"), None, Decimal("2.25")]}]}  # fmt: skip


@pytest.mark.parametrize("kind", ["lines", "bars"])
def test_a_figure_takes_colours_by_name_and_keeps_gaps(kind: str) -> None:
    figure = figures.figure(plotly_spec(kind))
    (trace,) = figure.json["data"]
    assert trace["y"] == [1.5, None, 2.25]
    assert trace["marker"]["color"] == "--series-2"
    assert figure.json["layout"]["shapes"][0]["y0"] == 15.0
    json.dumps(figure.json)


def test_milliseconds_are_plotted_as_seconds() -> None:
    spec = {
        "kind": "lines",
        "unit": "ms",
        "series": [{"name": "p95", "x": [1, 2], "y": [500, None]}],
        "limits": [{"y": 250}],
    }
    figure = figures.figure(spec)
    assert figure.json["data"][0]["y"] == [0.5, None]
    assert figure.json["layout"]["shapes"][0]["y0"] == 0.25


def heat_spec() -> dict[str, Any]:
    hours = [NOW + dt.timedelta(hours=n) for n in range(3)]
    grid = {"name": "share", "x": hours, "y": ["to 1 s", "over 1 s"], "z": [[1.0, None, 0.25], [0.0, None, 0.75]]}
    return {"kind": "heatmap", "unit": "percent", "label": "Shares", "series": [grid]}


def test_a_heat_map_is_darker_where_the_share_is_larger_and_leaves_gaps_out_of_its_table() -> None:
    chart = heatmap.heatmap(heat_spec())
    assert [row[0][-5:] for row in chart.rows] == ["14:00", "16:00"]
    assert chart.columns == ["When", "to 1 s", "over 1 s"]
    assert len(marks(chart, "heat-5")) == len(marks(chart, "heat-2")) == len(marks(chart, "heat-4")) == 1
    assert 'data-x="16.67 83.33"' in chart.svg


def test_a_line_chart_is_explored_with_its_bands_its_limit_and_what_a_point_leads_to() -> None:
    series = [
        {"name": "spent", "style": "us", "points": [(JUNE, Decimal("1.5")), (JULY, None)], "meta": {"model": "m"}}
    ]
    fan = {"name": "range", "style": "fan", "points": [(JUNE, 1, 2), (JULY, 2, 4)]}
    chart = lines.line_chart(series, bands=[fan], limits=[{"y": 400, "label": "limit"}], marks=[
        {"kind": "dot", "x": JUNE, "y": 1, "label": "x"}, {"kind": "today", "x": JUNE, "label": "today"}])  # fmt: skip
    made = figures.figure(chart.spec)
    spent, low, high = made.json["data"]
    assert (spent["y"], spent["meta"], spent["line"]["color"]) == ([1.5, None], {"model": "m"}, "--series-1")
    assert (low["y"], high["y"], high["fill"], high["legendgroup"]) == ([1, 2], [2, 4], "tonexty", "1")
    assert [(key.cls, key.name) for key in made.keys] == [("l1", "spent"), ("fan", "range")]
    assert len(made.json["layout"]["shapes"]) == 2
    json.dumps(made.json)


@pytest.mark.parametrize(("labels", "few"), [(30, 5), (8, 4), (4, 4), (1, 1)])
def test_labels_below_bars_do_not_touch_on_a_phone(labels: int, few: int) -> None:
    days = [JUNE + dt.timedelta(days=n) for n in range(labels)]
    rows = [{"label": f"{day.day} {day:%b}", "parts": []} for day in days]
    drawn = re.findall(r'class="t-axis mid( wide)?"', str(bars.stacked_bars(rows).svg))
    assert len(drawn) == min(labels, 15) and drawn.count("") == few
    assert few * 7 * 6.4 + (few - 1) * 16 <= 290


def test_stacked_bars_are_explored_by_day_and_lead_to_the_requests_of_a_part() -> None:
    parts = [
        {"key": "runpod", "name": "RunPod", "amount": Decimal(8), "provenance": kind} for kind in ("billed", "entered")
    ]
    rows = [{"label": "1 Jun", "day": JUNE, "parts": parts}, {"label": "2 Jun", "day": JULY, "parts": []}]
    (trace,) = figures.figure(bars.stacked_bars(rows, by="provider").spec).json["data"]
    assert (trace["x"], trace["y"], trace["meta"]) == (
        ["2026-06-01", "2026-07-01"],
        [16.0, 0.0],
        {"provider": "runpod"},
    )


def test_a_point_without_explore_leads_to_its_day_where_the_page_has_a_place_for_it() -> None:
    days = [dt.date(2026, 6, n) for n in (16, 17, 18)]
    cells = [{"label": f"{day.day} Jun", "state": "up", "day": day} for day in days]
    points = [(day, 1) for day in days]
    source = (
        "{% strip cells to=to %}|{% sparkline values step='hour' to=to %}|{% lines series to=to %}|"
        "{% lines months to=to %}|{% strip cells %}{% lines series %}"
    )
    months = [(dt.date(2026, n, 1), 1) for n in (1, 2, 3)]
    context = {"cells": cells, "values": [1, 2], "to": "/requests/?deployment=a&b=1"}
    context |= {"series": [{"name": "a", "points": points}], "months": [{"name": "a", "points": months}]}
    strip, spark, line, uneven, nowhere = Template("{% load charts %}" + source).render(Context(context)).split("|")
    assert 'data-to="/requests/?deployment=a&amp;b=1"' in strip and 'data-cells="3"' in strip
    assert 'data-first="2026-06-16T00:00" data-hours="24"' in strip
    assert re.search(r'data-first="20..-..-..T..:00" data-hours="1"', spark)
    assert 'data-first="2026-06-16T00:00" data-hours="24"' in line
    assert "data-to" not in uneven and "data-to" not in nowhere


def explored(ask: str, **more: Any) -> Any:
    request = RequestFactory().get("/spend/", {"explore": ask, "model": "m", "from": "2026-06-01"})
    template = "{% lines series label='Cost' unit='usd' explore='cost' requests='/requests/' period=True %}"
    series = [{"name": "Claude", "points": [(JUNE, 1), (JULY, 2)], **more}]
    page = Template(template).render(Context({"series": series, "request": request}))
    return page, getattr(request, "explored", None)


def test_a_chart_offers_explore_and_leaves_its_figure_for_who_asks_for_it() -> None:
    page, figure = explored("cost")
    assert 'data-explore="cost"' in page and "plotly.min.js" in page and "application/json" not in page
    assert figure is not None and '"Claude"' in figure and 'name="model" value="m"' in figure
    assert 'name="from" value' not in figure and 'action="/spend/#explore-cost"' in figure
    assert explored("another")[1] is None


def test_the_data_of_an_explored_chart_cannot_end_its_script() -> None:
    _page, figure = explored("cost", name="</script><script>alert(1)")
    assert len(re.findall("</script>", figure)) == 1 and "<script>" not in figure


MARKUP = '<a href="https://example.org">x</a> & <b>y</b><br>'
WRITTEN = '&lt;a href="https://example.org"&gt;x&lt;/a&gt; &amp; &lt;b&gt;y&lt;/b&gt;&lt;br&gt;'


@pytest.mark.parametrize("kind", ["lines", "bars", "heatmap"])
def test_markup_in_a_name_is_no_link_in_a_picture(kind: str) -> None:
    """Plotly makes links of markup in legends, labels and what a pointer shows."""
    series: dict[str, Any] = {"name": MARKUP, "x": [MARKUP], "y": [MARKUP if kind == "heatmap" else 1]}
    series |= {"z": [[1]]} if kind == "heatmap" else {"text": [MARKUP]}
    notes = {"limits": [{"y": 1, "label": MARKUP}], "marks": [{"x": MARKUP, "label": MARKUP}]}
    made = figures.figure({"kind": kind, "series": [series, {**series, "name": "b"}][:2], "x_title": MARKUP, **notes})
    written = json.dumps(made.json)
    ours = written.replace("%{text}<br>", "").replace("<extra></extra>", "")
    assert "<" not in ours and ">" not in ours
    assert json.dumps(WRITTEN)[1:-1] in written
