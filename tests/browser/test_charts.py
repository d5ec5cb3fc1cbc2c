"""Charts answer a pointer, a finger and the keyboard, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

Visit = Callable[..., Page]


def point_at(page: Page, chart: Locator, across: float) -> None:
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * 0.5)


def height(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollHeight"))


def test_the_crosshair_follows_the_mouse_without_a_shift(visit: Visit) -> None:
    page = visit("/spend/")
    figure = page.locator("section[aria-labelledby=days-h] figure")
    chart, readout, before = figure.locator("svg.chart[tabindex]"), figure.locator(".readout"), height(page)
    expect(readout).to_be_empty()
    point_at(page, chart, 0.3)
    expect(readout).to_contain_text("Total $")
    first = readout.inner_text()
    assert height(page) == before
    point_at(page, chart, 0.9)
    expect(readout).not_to_have_text(first)
    page.mouse.move(1, 1)
    expect(readout).to_be_empty()


def test_the_arrow_keys_walk_a_chart_and_say_what_is_there(visit: Visit) -> None:
    page = visit("/spend/")
    figure = page.locator("section[aria-labelledby=days-h] figure")
    chart, readout = figure.locator("svg.chart[tabindex]"), figure.locator(".readout")
    days = [f"{text}: " for text in figure.locator("tbody th").all_text_contents()]
    chart.focus()
    page.keyboard.press("Home")
    expect(readout).to_contain_text(days[0])
    page.keyboard.press("ArrowRight")
    expect(readout).to_contain_text(days[1])
    expect(readout).to_have_attribute("aria-live", "polite")
    page.keyboard.press("End")
    expect(readout).to_contain_text(days[-1])
    page.keyboard.press("ArrowLeft")
    expect(readout).to_contain_text(days[-2])
    page.keyboard.press("Tab")
    expect(readout).to_be_empty()


def test_the_crosshair_works_after_the_overview_has_read_itself_anew(visit: Visit) -> None:
    page = visit("/")
    page.evaluate("document.getElementById('overview').dataset.old = '1'")
    page.evaluate("htmx.ajax('GET', '/', {target: '#overview', swap: 'outerHTML'})")
    expect(page.locator("#overview:not([data-old])")).to_be_visible()
    figure = page.locator("section[aria-labelledby=curve-h] figure")
    point_at(page, figure.locator("svg.chart[tabindex]"), 0.6)
    expect(figure.locator(".readout")).to_contain_text("the API alone $")


def test_a_tap_reads_a_day_of_an_uptime_strip(visit: Visit) -> None:
    page = visit("/uptime/", has_touch=True, viewport={"width": 390, "height": 844})
    strips = page.locator(".strips svg.chart[tabindex]")
    strips.first.tap()
    expect(page.locator(".readout.loose")).to_contain_text(": ")
    stops = page.locator(".strips svg.chart[tabindex='0']").count()
    assert stops == 1, "the strips are one stop of the Tab key, up and down lead from one to the next"
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0
