"""What five people come for, with the clicks and the words that lie on the way; see `docs/reference/five-jobs.md`.

Words are those of the main part that stand on the screen (1,280 x 900) after each click, read at 230 a minute, which is
a usual pace for prose; a table is read no slower here than a sentence. So the seconds say how much lies on the way, not
how fast somebody is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.stack import Site

Visit = Callable[..., Page]

WORDS_A_MINUTE = 230
SCREEN = {"viewport": {"width": 1280, "height": 900}}
# Words of the elements of the main part that begin on the screen; what is folded away is not read.
ON_SCREEN = """() => {
  const walker = document.createTreeWalker(document.getElementById("main"), NodeFilter.SHOW_TEXT);
  let words = 0;
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!parent.checkVisibility({visibilityProperty: true}) || parent.closest(".hidden, script, style, option")) continue;
    const box = parent.getBoundingClientRect();
    if (box.top < innerHeight && box.bottom > 0) words += (walker.currentNode.textContent.match(/\\S+/g) || []).length;
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

    def read(self) -> None:
        """Count what stands on the screen now."""
        self.page.wait_for_load_state()
        self.words += self.page.evaluate(ON_SCREEN)
        self.pages.append(urlsplit(self.page.url).path)

    def click(self, target: Locator) -> None:
        """One click, and what it leads to is read."""
        target.click()
        self.clicks += 1
        self.read()

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.keys += 1

    @property
    def seconds(self) -> float:
        """Of reading."""
        return self.words / WORDS_A_MINUTE * 60


@pytest.fixture
def way(visit: Visit, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Way]]:
    """`way("/")`: a job that begins at this page; its line of the table is printed at the end (`pytest -rP`)."""
    begun: list[Way] = []

    def begin(path: str) -> Way:
        begun.append(Way(visit(path, **SCREEN)))
        begun[-1].read()
        return begun[-1]

    yield begin
    for job in begun:
        print(f"{request.node.name}: {job.clicks} clicks, {job.keys} keys, {job.words} words, {job.seconds:.0f} s")  # noqa: T201
        print("  " + " > ".join(job.pages))  # noqa: T201


def menu(page: Page, name: str) -> Locator:
    """A link of the bars of the menu."""
    return page.locator("nav").get_by_role("link", name=name, exact=True).first


def test_a_manager_checks_the_month_in_two_minutes_and_four_clicks(way: Callable[[str], Way]) -> None:
    job = way("/")
    expect(job.page.locator(".answer-row", has_text="On plan?")).to_be_visible()
    expect(
        job.page.locator(".answer-row", has_text="Is self-hosting cheaper?").or_(job.page.locator(".answer-row").last)
    )
    job.click(menu(job.page, "Spend"))
    job.click(menu(job.page, "What changed"))
    expect(job.page.locator("h1")).to_contain_text(re.compile("hang|differ|ompar"))
    job.click(menu(job.page, "Reconciliation"))
    job.click(menu(job.page, "Statements"))
    expect(job.page.get_by_role("link", name=re.compile("PDF")).first).to_be_visible()
    assert job.clicks <= 4
    assert job.seconds <= 120


def test_a_statement_is_two_clicks_from_the_overview(way: Callable[[str], Way]) -> None:
    job = way("/")
    job.click(menu(job.page, "Spend"))
    job.click(menu(job.page, "Statements"))
    expect(job.page.get_by_role("link", name="PDF").first).to_be_visible()
    assert job.clicks == 2


def test_a_developers_first_row_appears_on_the_page_of_the_key(way: Callable[[str], Way], the_site: Site) -> None:
    job = way("/")
    job.click(menu(job.page, "Set up"))
    job.click(job.page.locator("#main").get_by_role("link", name="Keys").or_(menu(job.page, "Keys")).first)
    job.page.get_by_label(re.compile("Name")).first.fill("first minute")
    job.click(job.page.get_by_role("button", name=re.compile("(Make|Create|Add).*key")).first)
    secret = re.search(r"be_[A-Za-z0-9_-]{20,}", job.page.locator("#main").inner_text())
    assert secret, job.page.locator("#main").inner_text()[:500]
    row = {"provider": "anthropic", "model": "claude-sonnet-4-5", "tokens": {"uncached_input": 10, "output": 5}}
    answer = httpx.post(
        f"{the_site.url}/api/v1/requests",
        content=json.dumps({"requests": [row]}),
        headers={"authorization": f"Bearer {secret[0]}", "content-type": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    expect(job.page.locator("#first-request")).to_contain_text("claude-sonnet-4-5", timeout=30_000)
    assert job.clicks <= 4


def test_staff_rate_five_answers_by_keyboard(way: Callable[[str], Way]) -> None:
    job = way("/quality/rate/")
    for number in range(1, 6):
        shown = job.page.locator("input[name=request]").input_value()
        job.press("4")
        expect(job.page.locator("input[name=request]")).not_to_have_value(shown)
        expect(job.page.locator(".finding")).to_contain_text(f"{number} of")
        job.read()
    assert (job.clicks, job.keys) == (0, 5)
    for _undo in range(5):  # the queue is as it was for the tests beside this one
        job.press("u")
