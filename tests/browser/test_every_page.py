"""Every page of the menu in a real browser: no complaint, no fault that axe finds, no sideways scroll, few bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dashboard.menu.tree import SECTIONS
from tests.browser.conftest import TELL_VIOLATIONS, Complaints
from tests.browser.stack import Site

NAMES = sorted({page.name for section in SECTIONS for entry in section.pages for page in entry.all_pages})
# All of axe's tags but two: AAA asks for a contrast that no theme with grey text has, and experimental rules have
# false findings by their own description.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "section508", "EN-301-549"]
MOST_BYTES = 60_000  # of the page itself, as it goes over the wire
WIDTHS = (320, 390, 720, 1440)  # 720 is 1,440 at 200 %
TARGET_PX = 24
TARGETS = "nav a, .pages-button, .menu-button, button.btn, a.btn, select, summary"
SMALL = """([targets, least]) => [...document.querySelectorAll(targets)]
  .filter((element) => element.checkVisibility() && !element.closest("nav.pagination"))
  .filter((element) => element.getBoundingClientRect().height < least)
  .map((element) => element.outerHTML.slice(0, 120))"""


FAULTS = """async (tags) => (await axe.run({runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]}))
  .violations.flatMap((fault) => fault.nodes.map((node) => `${fault.id}: ${node.html.slice(0, 160)}`))"""


@pytest.fixture(scope="module")
def visitor(browser: Browser, the_site: Site, signed_in: Any) -> Iterator[BrowserContext]:
    """One admin for all pages, whose browser reads what they share (style, scripts) once."""
    context = browser.new_context(base_url=the_site.url, storage_state=signed_in)
    context.add_init_script(TELL_VIOLATIONS)
    yield context
    context.close()


@pytest.fixture
def page(visitor: BrowserContext, complaints: Complaints) -> Iterator[Page]:
    tab = visitor.new_page()
    complaints.watch(tab)
    yield tab
    tab.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_clean_small_and_fits_every_width(name: str, page: Page) -> None:
    """The browser's own complaints (scripts, policy, 404, another host) are asserted by the fixture."""
    page.goto(reverse(name))
    expect(page.locator("h1")).not_to_be_empty()
    page.wait_for_load_state("networkidle")
    page.evaluate(AXE_SCRIPT)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(FAULTS, TAGS) == [], scheme
    size = page.evaluate("performance.getEntriesByType('navigation')[0].encodedBodySize")
    assert 0 < size <= MOST_BYTES
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{wider} px wider than {width} px"
        assert page.evaluate(SMALL, [TARGETS, TARGET_PX]) == [], width
