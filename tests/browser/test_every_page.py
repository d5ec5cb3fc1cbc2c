"""Every page in a real browser: no complaint, no fault that axe finds, no sideways scroll, few bytes.

Those of the menu, and those below them with an object in their address. And the charts, which answer a pointer, a
finger and the keyboard: to start a stack for them alone takes longer than to try them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from django.conf import settings
from django.urls import Resolver404, resolve, reverse
from django.urls.exceptions import NoReverseMatch
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from dashboard.menu.tree import PLACE_OF, SECTIONS
from tests.browser.conftest import TELL_VIOLATIONS, Complaints, context_of
from tests.browser.stack import Site

Visit = Callable[..., Page]

NAMES = sorted({page.name for section in SECTIONS for entry in section.pages for page in entry.all_pages})
# The answer to a form, a part of another page, a download: none is a page to open.
NO_PAGES = {"traffic:key-rotate", "costs:application-budgets", "storage-unstored"}
# The seed has an object for each of the others, a demo that the tests join has none for these.
NOT_IN_A_DEMO = {"costs:reconciliation-correct", "saved-view", "traffic:erasure", "traffic:queue", "traffic:set"}
MISSING = NOT_IN_A_DEMO if "BREAKEVEN_READY" in os.environ else set()
BELOW = sorted(set(PLACE_OF) - set(NAMES) - NO_PAGES - MISSING)
# All of axe's tags but two: AAA asks for a contrast that no theme with grey text has, and experimental rules have
# false findings by their own description.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "section508", "EN-301-549"]
MOST_BYTES = 60_000  # of the page itself, as it goes over the wire
WIDTHS = (320, 390, 720, 1440)  # 720 is 1,440 at 200 %
TARGET_PX = 24
LINK = re.compile(r'<a [^>]*?href="([^"#]+)')
# Pages without a link, of the same object as another page.
SAME_OBJECT = {"traffic:key-first": "traffic:key"}
TARGETS = "nav a, .pages-button, .menu-button, button.btn, a.btn, select, summary"
# How far it is wider than the window, the tables that do not fit a phone, and what is too small.
# The page answers a new width before it is drawn.
MISFITS = """async ([targets, least]) => {
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  return [Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth),
  [...document.querySelectorAll(".table-box")]
    .filter((box) => innerWidth <= 736 && box.checkVisibility() && box.scrollWidth > box.clientWidth)
    .map((box) => box.getAttribute("aria-labelledby") ?? box.outerHTML.slice(0, 120)),
  [...document.querySelectorAll(targets)]
    .filter((element) => element.checkVisibility() && !element.closest("nav.pagination"))
    .filter((element) => element.getBoundingClientRect().height < least)
    .map((element) => element.outerHTML.slice(0, 120))];
}"""
# By axe's rules of these tags, or by those of them alone that axe has in its category of colour.
FAULTS = """async ([tags, colours]) => {
  const rules = axe.getRules(["cat.color"]).filter((rule) => rule.tags.some((tag) => tags.includes(tag)));
  const runOnly = colours ? {type: "rule", values: rules.map((rule) => rule.ruleId)} : {type: "tag", values: tags};
  const {violations} = await axe.run({runOnly, resultTypes: ["violations"]});
  return violations.flatMap((fault) => fault.nodes.map((node) => `${fault.id}: ${node.html.slice(0, 160)}`));
}"""
THEMES = Path(settings.BASE_DIR, "static", "css")


@pytest.fixture(scope="module")
def visitor(browser: Browser, the_site: Site, signed_in: Any) -> Iterator[BrowserContext]:
    """One admin for all pages, whose browser reads what they share (style, scripts) once."""
    context = context_of(browser, the_site, storage_state=signed_in)
    context.add_init_script(TELL_VIOLATIONS)
    yield context
    context.close()


@pytest.fixture(scope="module")
def tab(visitor: BrowserContext, the_site: Site) -> tuple[Page, Complaints]:
    """One tab for all pages: it has axe's half a megabyte compiled from the second page on."""
    page, complaints = visitor.new_page(), Complaints(urlsplit(the_site.url).netloc)
    complaints.watch(page)
    return page, complaints


@pytest.fixture
def page(tab: tuple[Page, Complaints]) -> Iterator[Page]:
    page, complaints = tab
    page.set_viewport_size({"width": 1280, "height": 720})
    page.emulate_media(color_scheme="light")
    complaints.found.clear()
    yield page
    assert complaints.found == []


class Addresses:
    """Where the pages are that need an object: at the first link to one, on the page that they are below."""

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self.context, self.site = context, site
        self.pages: dict[str, dict[str, str]] = {}

    def of(self, name: str) -> str:
        """The address of a page; KeyError if no page of its part of the menu has a link to one."""
        try:
            return reverse(name)
        except NoReverseMatch:
            pass
        if name in SAME_OBJECT:
            return reverse(name, kwargs=resolve(urlsplit(self.of(SAME_OBJECT[name])).path).kwargs)
        page = PLACE_OF[name][2]
        links = self.links(reverse(page.name))
        if name not in links:
            links = next(more for other in page.below if other in links and name in (more := self.links(links[other])))
        return links[name]

    def links(self, address: str) -> dict[str, str]:
        """The first link of a page to each other one, by that one's URL name."""
        if address not in self.pages:
            html = self.context.request.get(address).text()
            hrefs = [urljoin(f"{self.site.url}{address}", unescape(href)) for href in LINK.findall(html)]
            ours = [href.removeprefix(self.site.url) for href in hrefs if href.startswith(f"{self.site.url}/")]
            self.pages[address] = {name_of(href): href for href in reversed(ours)}
        return self.pages[address]


def name_of(address: str) -> str:
    """Its URL name; empty if it is none of a page."""
    try:
        return resolve(urlsplit(address).path).view_name
    except Resolver404:
        return ""


@pytest.fixture(scope="module")
def addresses(visitor: BrowserContext, the_site: Site) -> Addresses:
    return Addresses(visitor, the_site)


@pytest.mark.parametrize("name", NAMES + BELOW)
def test_a_page_is_clean_small_and_fits_every_width(name: str, page: Page, addresses: Addresses) -> None:
    """The browser's own complaints (scripts, policy, 404, another host) are asserted by the fixture."""
    page.goto(addresses.of(name))
    expect(page.locator("h1")).not_to_be_empty()
    expect(page.locator("[hx-trigger=load]")).to_have_count(0)  # which parts that arrive later replace
    page.evaluate(AXE_SCRIPT)
    assert page.evaluate(FAULTS, [TAGS, False]) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(FAULTS, [TAGS, True]) == []
    size = page.evaluate("performance.getEntriesByType('navigation')[0].encodedBodySize")
    assert 0 < size <= MOST_BYTES
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(MISFITS, [TARGETS, TARGET_PX]) == [0, [], []], width
    page.wait_for_load_state("networkidle")  # so that its complaints are its own


def test_a_theme_changes_colours_alone() -> None:
    """So that axe's rules of colour are enough for the second theme. The button to the other theme is the exception."""
    css = "".join(path.read_text() for path in sorted(THEMES.glob("*.css")))
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    blocks = re.findall(r"@media \(prefers-color-scheme: \w+\) \{((?:[^{}]*\{[^{}]*\})+)\s*\}", css)
    blocks += re.findall(r"[^{}]*\[data-theme[^{}]*\{[^{}]*\}", css)
    assert len(blocks) >= 3 and css.count("prefers-color-scheme") == 2
    declared = {
        name
        for block in blocks
        for selector, body in re.findall(r"([^{}]*)\{([^{}]*)\}", block)
        for name in re.findall(r"([\w-]+)\s*:", body)
        if ".when-" not in selector and not name.startswith("--")
    }
    assert declared == {"color-scheme"}


# Charts.


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


def test_a_tap_reads_another_chart_after_the_first(visit: Visit) -> None:
    page = visit("/requests/latency/", has_touch=True, viewport={"width": 390, "height": 844})
    figures = page.locator("figure:has(svg.chart[tabindex='0'])")
    for number in (0, 2):
        figures.nth(number).locator("svg.chart[tabindex]").tap()
        expect(figures.nth(number).locator(".readout")).to_contain_text(": ")
    expect(figures.nth(0).locator(".readout")).to_be_empty()


def test_latency_opens_small_and_explore_draws_the_same_chart_in_its_place(visit: Visit) -> None:
    page = visit("about:blank")
    sizes: list[int] = []
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto("/requests/latency/?days=30")
    page.wait_for_load_state("networkidle")
    assert page.locator("svg.chart[tabindex]").count() == 6
    assert sum(sizes) <= 60_000, sizes
    opener = page.locator("[data-explore=latency-over-time]")
    opener.focus()
    page.keyboard.press("Enter")
    panel = page.locator(".explorer[data-name=latency-over-time]")
    expect(panel.locator(".main-svg").first).to_be_visible()
    expect(panel.get_by_role("button", name="Close")).to_be_focused()
    log = panel.get_by_role("button", name="Log axis")
    expect(log).to_have_attribute("aria-pressed", "true")
    log.click()
    expect(log).to_have_attribute("aria-pressed", "false")
    assert panel.locator(".plotly[data-at]").evaluate("(box) => box.layout.yaxis.type") != "log"
    panel.get_by_role("button", name="p50").click()
    assert panel.locator(".plotly[data-at]").evaluate("(box) => box.data.map((trace) => trace.visible)")[0] is False
    for name in ("PNG", "CSV"):
        with page.expect_download() as download:
            panel.get_by_role("button", name=name).click()
        assert download.value.suggested_filename == f"latency-over-time.{name.lower()}"
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(opener).to_be_focused()


def test_a_brush_sets_the_period_in_the_address_and_a_click_leads_to_the_requests(visit: Visit) -> None:
    page = visit("/requests/latency/?days=30")
    page.locator("[data-explore=errors-over-time]").click()
    plot = page.locator(".explorer .nsewdrag")
    box = plot.bounding_box()
    assert box
    middle = box["y"] + box["height"] * 0.5
    page.mouse.move(box["x"] + box["width"] * 0.3, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile(r"from=20\d\d-\d\d-\d\d&to=20\d\d-\d\d-\d\d#explore-errors-over-time"))
    plot = page.locator(".explorer .nsewdrag")  # the page has opened the chart again, with its new period
    expect(plot).to_be_visible()
    bar = page.locator(".explorer .points path").first.bounding_box()
    assert bar
    page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    page.wait_for_url(re.compile(r"/requests/\?from=.*outcome=error"))
    expect(page.locator("tr[data-row]").first).to_be_visible()


def test_enter_on_a_point_opens_the_requests_behind_it(visit: Visit) -> None:
    page = visit("/requests/latency/?days=30")
    chart = page.locator("figure:has([data-explore=errors-over-time]) svg.chart[tabindex]")
    chart.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/requests/\?from=20\d\d-\d\d-\d\d&to=20\d\d-\d\d-\d\d&outcome=error"))


def test_a_brush_over_a_month_chooses_the_days_whose_requests_are_shown(visit: Visit) -> None:
    page = visit("/spend/")
    page.locator("[data-explore=spend-by-day]").click()
    box = page.locator(".explorer .nsewdrag").bounding_box()
    assert box
    middle = box["y"] + box["height"] * 0.5
    page.mouse.move(box["x"] + box["width"] * 0.3, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=5)
    page.mouse.up()
    expect(page.locator(".explorer [name=from]")).to_have_value(re.compile(r"20\d\d-\d\d-\d\d"))
    first, last = (page.locator(f".explorer [name={name}]").input_value() for name in ("from", "to"))
    page.wait_for_url(re.compile(f"#explore-spend-by-day={first}~{last}$"))
    page.reload()  # as whoever follows a copied link
    expect(page.locator(".explorer [name=from]")).to_have_value(first)
    expect(page.locator(".explorer [name=to]")).to_have_value(last)
    page.get_by_role("button", name="Show requests").click()
    page.wait_for_url(re.compile(r"/requests/\?from=20\d\d-\d\d-\d\d&to=20\d\d-\d\d-\d\d$"))


def test_shift_with_arrow_keys_chooses_a_span_that_enter_opens(visit: Visit) -> None:
    page = visit("/spend/")
    figure = page.locator("section[aria-labelledby=days-h] figure")
    chart, readout = figure.locator("svg.chart[tabindex]"), figure.locator(".readout")
    days = figure.locator("tbody th").all_text_contents()
    chart.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    expect(readout).to_have_text(f"{days[0]} – {days[1]} · Enter: show these requests")
    expect(readout).to_have_attribute("aria-live", "polite")
    page.keyboard.press("Escape")
    expect(chart.locator(".span")).to_have_count(0)
    page.keyboard.press("Home")
    page.keyboard.press("Shift+End")
    expect(chart.locator(".span")).to_have_count(1)
    page.keyboard.press("ArrowLeft")
    expect(chart.locator(".span")).to_have_count(0)
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/requests/\?from="))
    chosen = dict(parse_qsl(urlsplit(page.url).query))
    first, last = (date.fromisoformat(chosen[name]) for name in ("from", "to"))
    assert first.day == 1 and last - first == timedelta(days=2), "both days whole, the end is exclusive"


def test_the_mouse_chooses_a_span_of_a_drawn_chart_as_the_period_of_its_page(visit: Visit) -> None:
    page = visit("/requests/latency/?days=30&task=rag")
    chart = page.locator("figure:has([data-explore=errors-over-time]) svg.chart[tabindex]")
    point_at(page, chart, 0.3)
    page.mouse.down()
    expect(chart.locator(".span")).to_have_count(1)
    point_at(page, chart, 0.6)
    expect(chart.locator(".span")).to_have_count(1)
    page.mouse.up()
    page.wait_for_url(re.compile(r"/requests/latency/\?task=rag&from=20\d\d-\d\d-\d\d&to=20\d\d-\d\d-\d\d$"))
    chosen = dict(parse_qsl(urlsplit(page.url).query))
    between = date.fromisoformat(chosen["to"]) - date.fromisoformat(chosen["from"])
    assert timedelta(days=7) <= between <= timedelta(days=12)


def days_asked(page: Page, path: str) -> tuple[date, date]:
    """The days of the page at `path` that a point of a chart has opened."""
    page.wait_for_url(re.compile(rf"{path}\?.*from="))
    asked = dict(parse_qsl(urlsplit(page.url).query))
    return date.fromisoformat(asked["from"]), date.fromisoformat(asked["to"])


def test_a_click_on_a_point_of_a_drawn_chart_opens_its_day(visit: Visit) -> None:
    page = visit("/requests/latency/?days=30&task=rag")
    point_at(page, page.locator("figure:has([data-explore=errors-over-time]) svg.chart[tabindex]"), 0.3)
    page.mouse.down()
    page.mouse.up()
    first, end = days_asked(page, "/requests/")
    assert end - first == timedelta(days=1) and "outcome=error" in page.url and "task=rag" in page.url


def test_a_day_of_a_strip_leads_to_the_requests_of_its_deployment(visit: Visit) -> None:
    page = visit("/uptime/")
    strip = page.locator(".strips svg.chart[tabindex='0']")
    strip.focus()
    page.keyboard.press("End")
    read = page.locator(".readout.loose").inner_text()
    page.keyboard.press("Enter")
    last, end = days_asked(page, "/requests/")
    assert end - last == timedelta(days=1) and read.startswith(f"{last.day} {last:%b}: ") and "deployment=" in page.url
    page.go_back()
    page.locator("svg.spark[tabindex='0']").first.focus()
    page.keyboard.press("Enter")
    assert days_asked(page, "/requests/") == (last, end), "the last hour is of the same day"
    page.go_back()
    point_at(page, page.locator(".strips svg.chart[tabindex='0']"), 0.99)
    page.mouse.down()
    page.mouse.up()
    assert days_asked(page, "/requests/") == (last, end)


def test_a_stacked_list_is_sorted_by_its_headings_on_a_phone(visit: Visit) -> None:
    page = visit("/requests/")
    page.set_viewport_size({"width": 390, "height": 844})
    heading = page.locator("thead #sort-output")
    heading.scroll_into_view_if_needed()
    expect(heading).to_be_visible()
    heading.click()
    page.wait_for_url(re.compile(r"sort=-output"))
    expect(page.locator("thead th[aria-sort=descending] #sort-output")).to_be_visible()
