"""One stack and one login for all browser tests, and a page that complains of whatever a browser complains of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)
from psycopg import sql

from tests.browser.stack import Site, site
from tests.database import conninfo
from tests.emptying import migrated

TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


# What does not happen within it never will, however busy the machine is: Playwright's own are 30 seconds, and 5.
PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)


def context_of(browser: Browser, site: Site, **options: Any) -> BrowserContext:
    """A visitor's browser; options are Playwright's."""
    context = browser.new_context(base_url=site.url, **options)
    context.set_default_timeout(PATIENCE_MS)
    return context


@dataclass
class Complaints:
    """What a visitor's browser found wrong, with the address where it did."""

    host: str
    found: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self.console(page, message))
        page.on("pageerror", lambda error: self.found.append(f"{page.url} script: {error}"))
        page.on("request", self.request)
        page.on("response", self.response)

    def console(self, page: Page, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"{page.url} {message.type}: {message.text}")

    def request(self, request: Request) -> None:
        if request.url.startswith("http") and urlsplit(request.url).netloc != self.host:
            self.found.append(f"{request.frame.url} asks another host: {request.url}")

    def response(self, response: Response) -> None:
        if response.status >= 400:
            self.found.append(f"{response.url} answers {response.status}")


@pytest.fixture(scope="module")
def browser(browser_type_launch_args: dict[str, Any]) -> Iterator[Browser]:
    """Closed with its module: the plugin's own keeps an event loop running in this process until the session ends, and
    tests that run one of their own would find it."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(**browser_type_launch_args)
        yield launched
        launched.close()


@pytest.fixture(scope="module", autouse=True)
def database(django_db_setup: None) -> Iterator[str]:
    """The URL of a database of the stack's own, with its tables."""
    name = f"site_{token_hex(4)}"
    with psycopg.connect(conninfo(), dbname="postgres", autocommit=True) as own:
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        own.execute(copy.format(sql.Identifier(name), sql.Identifier(migrated())))
        info = own.info
        yield f"postgresql://{info.user}:{info.password}@{info.host}:{info.port}/{name}"
        own.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def the_site(browser: Browser, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Asks for the browser first: without one there is no need to start anything."""
    with site(tmp_path_factory.mktemp("site"), database) as found:
        yield found


@pytest.fixture(scope="module")
def signed_in(browser: Browser, the_site: Site) -> Any:
    """Cookies of the admin, who signed in by the form."""
    context = context_of(browser, the_site)
    page = context.new_page()
    page.goto("/spend/")
    page.get_by_label("User name").or_(page.get_by_label("Username")).fill(the_site.username)
    page.get_by_label("Password").fill(the_site.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{the_site.url}/spend/")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def complaints(the_site: Site) -> Iterator[Complaints]:
    """Empty at the end of each test, or the test fails with what was found."""
    kept = Complaints(urlsplit(the_site.url).netloc)
    yield kept
    assert kept.found == []


@pytest.fixture
def visit(browser: Browser, the_site: Site, signed_in: Any, complaints: Complaints) -> Iterator[Callable[..., Page]]:
    """`visit("/spend/")`: a page as the admin sees it; options are those of a browser context."""
    contexts: list[BrowserContext] = []

    def open_page(path: str, **options: Any) -> Page:
        context = context_of(browser, the_site, storage_state=signed_in, **options)
        contexts.append(context)
        context.add_init_script(TELL_VIOLATIONS)
        page = context.new_page()
        complaints.watch(page)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def colleague(
    browser: Browser, the_site: Site, visit: Callable[..., Page], complaints: Complaints
) -> Iterator[Callable[[str], Page]]:
    """`colleague("/quality/rate/")`: a page as a rater of the company sees it, with a password of their own."""
    context = context_of(browser, the_site)

    def open_page(path: str) -> Page:
        admin = visit("/settings/people/")
        admin.get_by_role("link", name="noor").first.click()
        admin.get_by_role("button", name="Make a link for a new password").click()
        page, password = context.new_page(), token_hex(12)
        complaints.watch(page)
        page.goto(urlsplit(admin.locator("#link").inner_text()).path)
        for number in (1, 2):
            page.locator(f"[name=new_password{number}]").fill(password)
        page.get_by_role("button", name="Save password").click()
        page.wait_for_url("**/login/**")
        page.goto(path)
        page.locator("[name=username]").fill("noor")
        page.locator("[name=password]").fill(password)
        page.keyboard.press("Enter")
        page.wait_for_url(path)
        return page

    yield open_page
    context.close()
