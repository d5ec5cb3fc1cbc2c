"""What people come for, with the clicks and the words that lie on the way.

Words are those that the job needs on each page: its heading, the line under it, and what the test names (a row, a
table, a panel), read at 230 a minute, a usual pace for prose; a table is read no slower here than a sentence. So the
seconds say how much lies on the way, not how fast somebody is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.stack import Site

Visit = Callable[..., Page]

WORDS_A_MINUTE = 230
MODEL = "claude-opus-4-5"  # of which the seed has no request
SCREEN = {"viewport": {"width": 1280, "height": 900}}
# Words that are shown of the elements; what is folded away is not read.
WORDS = """(selectors) => {
  let words = 0;
  for (const selector of selectors) for (const element of document.querySelectorAll(selector)) {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement;
      if (!parent.checkVisibility({visibilityProperty: true})) continue;
      if (parent.closest(".hidden, script, style, option")) continue;
      words += (walker.currentNode.textContent.match(/\\S+/g) || []).length;
    }
  }
  return words;
}"""


@dataclass
class Way:
    """The clicks, keys and words of one job on one page object."""

    page: Page
    clicks: int = 0
    keys: int = 0
    words: int = 0
    pages: list[str] = field(default_factory=list)

    def read(self, *selectors: str) -> None:
        """Count the heading with its line, and what the selectors name besides."""
        self.page.wait_for_load_state()
        self.words += self.page.evaluate(WORDS, ["h1, .finding", *selectors])
        self.pages.append(urlsplit(self.page.url).path)

    def click(self, target: Locator, *selectors: str) -> None:
        """One click, and what it leads to is read."""
        target.click()
        self.clicks += 1
        self.read(*selectors)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.keys += 1

    @property
    def seconds(self) -> float:
        """Of reading."""
        return self.words / WORDS_A_MINUTE * 60


@pytest.fixture
def way(visit: Visit, request: pytest.FixtureRequest) -> Iterator[Callable[..., Way]]:
    """`way("/")`: a job that begins at this page; its line of the table is printed at the end (`pytest -rP`)."""
    begun: list[Way] = []

    def begin(path: str, *selectors: str) -> Way:
        begun.append(Way(visit(path, **SCREEN)))
        begun[-1].read(*selectors)
        return begun[-1]

    yield begin
    for job in begun:
        print(f"{request.node.name}: {job.clicks} clicks, {job.keys} keys, {job.words} words, {job.seconds:.0f} s")  # noqa: T201
        print("  " + " > ".join(job.pages))  # noqa: T201


def menu(page: Page, name: str) -> Locator:
    """A link of the bars of the menu."""
    return page.locator("nav").get_by_role("link", name=name, exact=True).first


def test_a_manager_checks_the_month_in_two_minutes_and_four_clicks(way: Callable[..., Way]) -> None:
    job = way("/", "section.answer-row")
    expect(job.page.locator(".answer-row", has_text="On plan?")).to_be_visible()
    job.click(menu(job.page, "Spend"))
    job.click(menu(job.page, "What changed"), "main section:first-of-type")
    job.click(menu(job.page, "Bills"), "section[aria-labelledby=bills-h]")
    job.click(menu(job.page, "Statements"), "section[aria-labelledby=statements-h]")
    expect(job.page.get_by_role("link", name=re.compile("PDF")).first).to_be_visible()
    assert job.clicks <= 4
    assert job.seconds <= 120


def test_a_statement_is_two_clicks_from_the_overview(way: Callable[..., Way]) -> None:
    job = way("/")
    job.click(menu(job.page, "Spend"))
    job.click(menu(job.page, "Statements"), "section[aria-labelledby=statements-h]")
    expect(job.page.get_by_role("link", name="PDF").first).to_be_visible()
    assert job.clicks == 2


def test_a_developers_first_row_appears_on_the_page_of_the_key(way: Callable[..., Way], the_site: Site) -> None:
    job = way("/settings/keys/")
    job.click(job.page.get_by_role("link", name=re.compile("Create key")))
    job.page.locator("input[name=name]").fill("first minute")
    job.page.locator("select[name=application]").select_option(index=1)
    job.page.locator("input[name=scopes][value=ingest]").check()
    job.click(job.page.get_by_role("button", name="Create key"), "#secret", "#first-request", "details[open]")
    secret = job.page.locator("#secret").inner_text()
    row = {"started_at": datetime.now(UTC).isoformat(), "provider": "anthropic", "model": MODEL,
           "tokens": {"uncached_input": 10, "output": 5}}  # fmt: skip
    answer = httpx.post(
        f"{the_site.url}/api/v1/requests", json={"requests": [row]}, headers={"authorization": f"Bearer {secret}"}
    )
    assert answer.json()["accepted"] == 1, answer.text
    expect(job.page.locator("#first-request")).to_contain_text(MODEL)
    assert job.clicks <= 3
    assert job.seconds <= 60


def test_ops_acknowledge_an_alert_from_the_overview_in_one_click(way: Callable[..., Way]) -> None:
    job = way("/")
    job.click(job.page.get_by_role("button", name=re.compile("Acknowledge: ")).first)
    expect(job.page.locator(".toast")).to_contain_text("Acknowledged")
    assert job.clicks == 1
    job.press("u")
    expect(job.page.locator(".toast")).to_contain_text("Undone")


def test_staff_rate_five_answers_by_keyboard(way: Callable[..., Way]) -> None:
    job = way("/quality/rate/", "main section:first-of-type")
    for number in range(1, 6):
        shown = job.page.locator("input[name=request]").input_value()
        job.press("4")
        expect(job.page.locator("input[name=request]")).not_to_have_value(shown)
        expect(job.page.locator(".finding")).to_contain_text(f"{number} of")
        job.read("main section:first-of-type")
    assert (job.clicks, job.keys) == (0, 5)
