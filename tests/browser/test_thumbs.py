"""Feedback of end users in a real browser: the snippet as it stands in the how-to, and the link for one answer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.embedded.servers import free_port
from tests.browser.seed import response_id
from tests.browser.stack import BASE, Site
from tests.documents import BLOCK

HOW_TO = BASE / "docs" / "how-to" / "collect-feedback.md"
ANSWER = response_id(301)  # of the application whose key rates; the seed has no rating of it
PATH_AND_CLOCK = {name: os.environ[name] for name in os.environ if re.match(r"PATH$|LD_PRELOAD$|FAKETIME", name)}


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Page]:
    """A page of somebody who is not signed in."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def thumbs(the_site: Site, tmp_path: Path) -> Iterator[str]:
    """The address of the snippet's server, with the two files of the how-to."""
    code = dict(BLOCK.findall(HOW_TO.read_text())[:2])
    (tmp_path / "thumbs.html").write_text(code["html"].replace("ID OF THE ANSWER", ANSWER))
    (tmp_path / "thumbs.py").write_text(code["python"])
    port = free_port()
    variables = {"BREAKEVEN": the_site.url, "KEY": the_site.rate_key, "PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "thumbs.py"], cwd=tmp_path, env=PATH_AND_CLOCK | variables, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while not answers(url):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def test_a_thumb_of_the_snippet_and_a_link_become_ratings_of_the_answer(
    thumbs: str, visitor: Page, the_site: Site, visit: Callable[..., Page]
) -> None:
    visitor.goto(thumbs)
    visitor.get_by_role("button", name="Bad answer").click()
    expect(visitor.locator("output")).to_have_text("Thank you.")
    made = httpx.post(
        f"{the_site.url}/api/v1/feedback-links", json={"request_id": ANSWER},
        headers={"authorization": f"Bearer {the_site.rate_key}"}, timeout=30,
    )  # fmt: skip
    assert made.status_code == 201, made.text
    path = "/feedback/" + made.json()["url"].partition("/feedback/")[2]
    visitor.goto(f"{the_site.url}{path}")
    visitor.get_by_label("Comment, if any").fill("It was right.")
    visitor.get_by_role("button", name="Yes, it helped").click()
    expect(visitor.locator(".finding")).to_have_text("Your feedback is saved.")
    visitor.goto(f"{the_site.url}{path}")
    expect(visitor.locator(".finding")).to_contain_text("works once")
    ratings = visit(f"/requests/{made.json()['request_id']}/").locator("section[aria-labelledby=rated-h]")
    expect(ratings).to_contain_text(re.compile(r"visitor\s*-1"))
    expect(ratings).to_contain_text("It was right.")
