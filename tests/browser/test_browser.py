"""The main job as a person does it, in a real browser against the whole stack."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Complaints
from tests.browser.stack import Site

Visit = Callable[..., Page]

SECTIONS = ("/", "/spend/", "/decide/", "/uptime/", "/quality/", "/alerts/", "/settings/")
PHONE = {"viewport": {"width": 390, "height": 844}}


def text(page: Page) -> str:
    return " ".join(page.locator("#main").inner_text().split())


def test_the_months_total_on_the_page_is_the_apis(visit: Visit, the_site: Site) -> None:
    before = Decimal(the_site.api("spend")["total"])
    # In the first days of a month both pages show the closed one first; the API's total is the running month's.
    spend, overview = visit(f"/spend/?month={datetime.now(UTC):%Y-%m}"), visit("/")
    shown = [amount(spend, ".finding"), amount(overview, ".answer-row:has-text('On plan?') .lead")]
    after = Decimal(the_site.api("spend")["total"])
    # In a demo that lives a request may have come in between.
    assert before > 0
    for total in shown:
        assert round(before, 2) <= total <= round(after, 2)
    if the_site.seeded:
        assert before == after


def amount(page: Page, where: str) -> Decimal:
    found = re.search(r"\$([\d,]+\.\d\d)", page.locator(where).first.inner_text())
    assert found, page.locator(where).first.inner_text()
    return Decimal(found[1].replace(",", ""))


def test_the_bar_leads_to_every_section_of_the_product(visit: Visit) -> None:
    links = visit("/").locator("nav#pages a")
    assert [link.get_attribute("href") for link in links.all()] == list(SECTIONS)


def test_a_prompt_is_answered_side_by_side_stopped_and_kept_as_a_pair(visit: Visit) -> None:
    page = visit("/quality/playground/")
    page.get_by_label("Answered by").select_option("claude-haiku-4-5")
    page.get_by_label("Second target (optional)").select_option("claude-sonnet-4-5")
    page.locator("#id_prompt").fill("What is a break-even?\nAnswer in a sentence.")
    send, stop = page.get_by_role("button", name="Send prompt"), page.get_by_role("button", name="Stop answer")
    waiting: list[Route] = []
    page.route("**/quality/playground/", lambda route: waiting.append(route))  # an answer that never begins
    send.click()
    stop.click()
    expect(page.locator("#playground-answers .field-error")).to_have_text(["Stopped.", "Stopped."])
    for route in waiting:  # else the browser may send them on, where they would take the places of the next two
        route.abort()
    page.unroute("**/quality/playground/")
    with page.expect_response(lambda answer: "hx-request" in answer.request.headers) as use:
        send.click()  # and what is used of the caps is read anew
    assert use.value.ok and 'id="playground-use"' in use.value.text()
    facts = page.locator("#playground-answers .facts")
    expect(facts).to_have_count(2)
    for number, name in enumerate(("claude-haiku-4-5", "claude-sonnet-4-5")):
        expect(facts.nth(number)).to_contain_text(name)
        expect(facts.nth(number)).to_contain_text("First token")
        expect(facts.nth(number)).to_contain_text("$0.00")
        assert page.locator("#playground-answers .pair > section").nth(number).locator("> .answer-text").inner_text()
    page.get_by_role("button", name="Keep pair for rating").click()
    expect(page.locator("#main")).to_contain_text("Playground")
    expect(page.locator(".toast")).to_contain_text("The pair is kept.")


def test_a_prompt_that_must_wait_stays_on_the_page(visit: Visit, complaints: Complaints) -> None:
    page = visit("/quality/playground/")
    page.get_by_label("Answered by").select_option("claude-haiku-4-5")
    page.locator("#id_prompt").fill("What is a break-even?")
    page.route("**/quality/playground/", lambda route: route.fulfill(status=429, body="{}"))
    page.get_by_role("button", name="Send prompt").click()
    busy = "Too many answers are under way. Try again in a moment."
    expect(page.locator("#playground-answers .field-error")).to_have_text(busy)
    expect(page.locator("#id_prompt")).to_have_value("What is a break-even?")
    expect(page.get_by_role("button", name="Send prompt")).to_be_enabled()
    assert len(complaints.found) == 2 and all("429" in words for words in complaints.found)
    complaints.found.clear()


def test_an_answer_is_rated_by_the_keyboard_and_the_rating_taken_back(visit: Visit) -> None:
    page = visit("/quality/rate/")
    first = page.locator("input[name=request]").input_value()
    page.keyboard.press("4")
    expect(page.locator(".toast")).to_contain_text("Rated 4")
    expect(page.locator("input[name=request]")).not_to_have_value(first)
    expect(page.locator(".finding")).to_contain_text("1 of")
    page.keyboard.press("u")
    expect(page.locator("input[name=request]")).to_have_value(first)
    expect(page.locator(".finding")).to_contain_text("0 of")


def test_twenty_answers_of_a_queue_are_rated_while_a_second_rater_rates_others(
    visit: Visit, colleague: Callable[[str], Page]
) -> None:
    page = visit("/quality/queues/add/")
    for name, value in (("name", "Twenty"), ("question", "Is it right?"), ("size", "40"), ("overlap_percent", "0")):
        page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name="Add the queue").click()
    page.goto("/quality/queues/")
    page.locator("tr", has_text="Twenty").get_by_role("link", name="Rate answers").click()
    answer = page.locator("input[name=request]")
    expect(answer).to_have_count(1)
    other = colleague(page.url)
    theirs = other.locator("input[name=request]")
    seen: list[str] = []
    of_other: list[str] = []
    for n in range(20):
        seen.append(answer.input_value())
        page.keyboard.press(str(1 + n % 5))
        expect(answer).not_to_have_value(seen[-1])
        if n in (0, 10):
            of_other.append(theirs.input_value())
            other.keyboard.press("4")
            expect(theirs).not_to_have_value(of_other[-1])
    assert len({*seen, *of_other}) == 22
    expect(page.locator(".finding")).to_contain_text("22 of 40 ratings done, 20 by you")
    page.keyboard.press("u")
    expect(answer).to_have_value(seen[-1])
    page.reload()
    expect(answer).to_have_value(seen[-1])
    expect(page.locator(".finding")).to_contain_text("21 of 40 ratings done, 19 by you")


def test_the_next_answer_is_there_before_the_rating_is_stored_and_nothing_typed_is_lost(visit: Visit) -> None:
    page = visit("/quality/rate/")
    answer, ahead = page.locator("input[name=request]"), page.locator("template[data-ahead]")
    comment, lost = page.locator("#comment"), page.locator("[data-lost]")

    def loaded() -> str:
        """The answer that lies ahead."""
        script = "(box) => box.content.querySelector('[name=request]')?.value"
        deadline = time.monotonic() + 60
        while not (value := ahead.evaluate(script)) and time.monotonic() < deadline:
            page.wait_for_timeout(50)
        return str(value)

    first, second = answer.input_value(), loaded()
    rated_before = re.match(r"\d+", page.locator(".finding").inner_text())
    assert rated_before
    done = int(rated_before[0])
    page.route("**/quality/rate/", lambda route: route.fulfill(body="<p>Of a proxy</p>"))
    comment.fill("Too long")
    page.get_by_role("button", name="Nearly").click()
    expect(lost).to_be_visible()
    expect(answer).to_have_value(first)
    expect(comment).to_have_value("Too long")
    page.unroute("**/quality/rate/")

    held: list[Route] = []
    page.route("**/quality/rate/", lambda route: route.continue_() if held else held.append(route))
    page.get_by_role("button", name="Nearly").click()
    expect(answer).to_have_value(second)
    expect(comment).to_have_value("")
    expect(page.locator(".finding")).to_contain_text(f"{done} of")
    page.keyboard.press("4")  # waits for the rating before it
    held[0].continue_()
    expect(page.locator(".finding")).to_contain_text(f"{done + 2} of")
    expect(answer).not_to_have_value(second)
    third = answer.input_value()
    page.reload()
    expect(answer).to_have_value(third)

    following, other_tab = loaded(), visit(f"/quality/rate/?at={loaded()}")
    other_tab.keyboard.press("2")
    expect(other_tab.locator(".toast")).to_contain_text("Rated 2")
    page.keyboard.press("5")
    expect(page.locator("#toasts")).to_contain_text("You judged the next answer in another tab.")
    expect(answer).not_to_have_value(following)
    expect(page.locator(".finding")).to_contain_text(f"{done + 4} of")
    page.goto("/quality/my-ratings/")
    expect(page.locator("#main")).to_contain_text("Too long")


def test_answers_are_rated_without_scripts(visit: Visit) -> None:
    page = visit("/quality/rate/", java_script_enabled=False)
    first = page.locator("input[name=request]").input_value()
    page.get_by_role("button", name="Good").click()
    expect(page.locator(".toast")).to_contain_text("Rated 4")
    expect(page.locator("input[name=request]")).not_to_have_value(first)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("input[name=request]")).to_have_value(first)


def test_twenty_pairs_are_compared_by_the_arrow_keys_and_named_at_the_end(visit: Visit) -> None:
    page = visit("/quality/compare/")
    pair, arrows = page.locator("input[name=pair]"), ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown")
    seen: list[str] = []
    for n in range(20):
        seen.append(pair.input_value())
        assert not re.search(r"mistral|haiku", text(page), re.IGNORECASE)
        page.keyboard.press(arrows[n % 4])
        expect(pair).not_to_have_value(seen[-1])
    assert len(set(seen)) == 20
    expect(page.locator("#main")).to_contain_text("20 pairs compared today")
    page.keyboard.press("u")
    expect(pair).to_have_value(seen[-1])
    page.reload()
    expect(pair).to_have_value(seen[-1])
    expect(page.locator("#main")).to_contain_text("19 pairs compared today")
    page.keyboard.press("s")
    expect(pair).not_to_have_value(seen[-1])
    page.get_by_role("link", name="Show who answered").click()
    expect(page.locator("#main")).to_contain_text("Mistral")
    expect(page.locator("#main tbody tr")).to_have_count(19)


def test_pages_are_reached_by_two_keys(visit: Visit, the_site: Site) -> None:
    page = visit("/")
    page.keyboard.press("g")
    page.keyboard.press("u")
    page.wait_for_url(f"{the_site.url}/uptime/")


@pytest.mark.parametrize("path", ["/requests/", "/spend/"])
def test_labels_of_filters_stay_on_one_line_beside_a_select_that_does_not_list_all(path: str, visit: Visit) -> None:
    tops = visit(path).evaluate("""() => {
      const more = '<input placeholder="or type a name"><span class="secondary">Type one of the others.</span>';
      document.getElementById("f-model").insertAdjacentHTML("afterend", more);
      const label = (name) => document.querySelector(`label[for=f-${name}]`).getBoundingClientRect().top;
      return ["provider", "model", "application"].map(label);
    }""")
    assert max(tops) - min(tops) < 1


def test_a_key_opens_the_palette_on_the_page_and_it_finds_a_month(visit: Visit, the_site: Site) -> None:
    page = visit("/spend/")
    page.keyboard.press("/")
    expect(page.locator("#palette-q")).to_be_focused()
    page.keyboard.type("savings")
    page.locator("#palette-rows a", has_text="Spend: Savings").click()
    page.wait_for_url(f"{the_site.url}/spend/savings/")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette-rows h2").first).to_have_text("Visited last")
    page.keyboard.type("ledger")
    page.keyboard.press("Enter")  # the results of what was typed need not be there yet
    page.wait_for_url(f"{the_site.url}/spend/ledger/")


LINES_OF_TEXT = """(element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  return range.getClientRects().length;
}"""


def test_the_label_of_the_search_stays_on_one_line(visit: Visit) -> None:
    assert visit("/find/").locator("label[for=palette-q]").evaluate(LINES_OF_TEXT) == 1


def test_the_sum_of_a_scenario_never_breaks_within_its_digits(visit: Visit) -> None:
    sum_cell = visit("/break-even/kept/").locator("td.num.strong.wrap").first
    sum_cell.evaluate("(cell) => { cell.textContent = '+1,234,567,890.12'; cell.style.width = '1px'; }")
    assert sum_cell.evaluate(LINES_OF_TEXT) == 1


def test_the_overview_reads_itself_anew_in_place(visit: Visit) -> None:
    page = visit("/")
    page.evaluate("document.getElementById('overview').dataset.old = '1'")
    page.evaluate(
        "htmx.trigger('#overview', 'htmx:abort'); htmx.ajax('GET', '/', {target: '#overview', swap: 'outerHTML'})"
    )
    expect(page.locator("#overview:not([data-old])")).to_be_visible()
    expect(page.locator("#overview")).to_have_count(1)
    expect(page.locator("h1")).to_have_count(1)


def test_the_break_even_mail_arrives_over_smtp_and_leads_to_its_alert(visit: Visit) -> None:
    page = visit("/mail/")
    mails = page.get_by_role("link", name=re.compile("Break-even passed"))
    deadline = time.monotonic() + 60  # rules are evaluated every 15 seconds
    while not mails.count() and time.monotonic() < deadline:
        page.wait_for_timeout(500)
        page.reload()
    mails.first.click()
    expect(page.locator(".answer").first).to_contain_text("Break-even passed")
    body = page.locator("pre.mail-text").inner_text()
    assert "requests" in body and "$" in body
    expect(page.frame_locator("iframe.mail-frame").locator("body")).to_contain_text("Break-even")
    path = re.search(r"https?://[^/\s]+(/alerts/\d+/)\s", body + " ")
    assert path, body
    page.goto(path[1])
    expect(page.locator(".answer").first).to_contain_text("Break-even passed")
    expect(page.locator("#main")).to_contain_text("accepted")


def test_an_alert_is_acknowledged_from_the_mailbox_by_two_clicks(visit: Visit) -> None:
    page = visit("/mail/")
    deadline, path = time.monotonic() + 60, ""  # rules are evaluated every 15 seconds
    while not path and time.monotonic() < deadline:
        hrefs = page.locator("main a[href^='/mail/']").evaluate_all("(links) => links.map((link) => link.pathname)")
        # Mails to people who may acknowledge have the link, those to managers do not.
        acting = (href for href in hrefs if "/acknowledge/" in page.request.get(href).text())
        path = next(acting, "")
        if not path:
            page.wait_for_timeout(500)
            page.reload()
    assert path, "no mail has the link"
    page.goto(path)
    frame = page.frame_locator("iframe.mail-frame")
    with page.context.expect_page() as opened:
        frame.get_by_role("link", name="Acknowledge", exact=True).click()
    confirm = opened.value
    confirm.get_by_role("button", name="Acknowledge").click()
    expect(confirm.locator("body")).to_contain_text("Acknowledged")


def test_an_alert_is_acknowledged_on_the_overview(visit: Visit) -> None:
    page = visit("/")
    # Whichever is on top: on a busy machine others than the break-even's may have opened meanwhile.
    page.get_by_role("button", name=re.compile("Acknowledge: ")).first.click()
    expect(page.locator(".toast")).to_contain_text("Acknowledged")
    page.wait_for_load_state()  # the toast is there before the script that reads keys
    page.keyboard.press("u")
    expect(page.locator(".toast")).to_contain_text("Undone")


# What can be walked with the Tab key; what a closed menu holds is not.
STOPS = """() => {
  const all = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const reached = (element) => element.checkVisibility({visibilityProperty: true}) && !element.disabled;
  const stops = [...document.querySelectorAll(all)].filter((element) => reached(element) && element.tabIndex >= 0);
  const rows = [...document.querySelectorAll("#main :is(tbody tr, ul.lines li)")];
  return {rest: stops.filter((stop) => !rows.some((row) => row.contains(stop))).length,
          row: Math.max(...rows.map((row) => stops.filter((stop) => row.contains(stop)).length))};
}"""
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
LONGEST, TWO_SCREENS = 3500, 1800
MOST_STOPS = {"rest": 40, "row": 2}  # 50 with five alerts, each with its name and its menu


def height(page: Page) -> int:
    page.wait_for_load_state("networkidle")
    return int(page.evaluate("document.documentElement.scrollHeight"))


def test_no_page_of_the_menu_is_longer_than_four_screens_or_wider_than_one(visit: Visit) -> None:
    page, heights, queue = visit("/", **DESKTOP), dict[str, int](), ["/"]
    wider = []
    while queue:
        path = queue.pop(0)
        page.goto(path)
        heights[path] = height(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wider.append(path)
        links = page.evaluate("[...document.querySelectorAll('nav[aria-label] a')].map((link) => link.pathname)")
        queue += [link for link in dict.fromkeys(links) if link not in {*heights, *queue, "/find/"}]
    assert len(heights) > 50
    assert {path: pixels for path, pixels in heights.items() if pixels > LONGEST} == {}
    assert heights["/"] <= TWO_SCREENS
    assert wider == []


def test_spend_is_read_in_two_minutes(visit: Visit) -> None:
    """At four words a second, without what is folded, the options of filters and the labels of charts."""
    page = visit("/spend/", **DESKTOP)
    page.evaluate("document.querySelectorAll('main :is(select, svg)').forEach((element) => element.remove())")
    assert len(text(page).split()) <= 2 * 60 * 4


def test_the_overview_prints_on_one_sheet(visit: Visit) -> None:
    sheet = visit("/", **DESKTOP).pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1


def test_a_row_of_alerts_has_one_menu_and_the_keyboard_few_stops(visit: Visit) -> None:
    page = visit("/alerts/", **DESKTOP)
    row = page.locator("tr[data-row]").first
    expect(row.get_by_role("link", name=re.compile("Snooze"))).to_be_hidden()
    # How many alerts are open and how many mails failed changes from run to run.
    stops = page.evaluate(STOPS)
    assert all(stops[part] <= most for part, most in MOST_STOPS.items()), stops
    row.locator("summary").click()
    for action in ("Assign", "Note", "Snooze", "Silence"):
        expect(row.get_by_role("link", name=re.compile(action))).to_be_visible()
    expect(page.get_by_role("button", name="Resolve")).to_be_hidden()
    page.get_by_text("Select several alerts").click()
    expect(page.get_by_role("button", name="Resolve")).to_be_visible()
    expect(row.get_by_role("checkbox")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_is_kept_from_page_to_page(theme: str, visit: Visit) -> None:
    page = visit("/settings/", color_scheme="dark" if theme == "light" else "light")
    page.get_by_role("button", name=theme.title(), exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    page.goto("/plan/")
    expect(page.locator("html")).to_have_attribute("data-theme", theme)


def test_a_phone_folds_the_filters_behind_one_button(visit: Visit) -> None:
    page = visit("/requests/", **PHONE)
    expect(page.locator("#filters")).to_be_hidden()
    page.locator(".filters-button").click()
    expect(page.locator("#filters")).to_be_visible()


def test_a_phone_folds_the_pages_behind_one_button(visit: Visit, the_site: Site) -> None:
    page = visit("/", **PHONE)
    expect(page.locator("nav#pages a").first).to_be_hidden()
    page.get_by_role("button", name=re.compile("Menu")).click()
    page.locator("nav#pages a", has_text="Spend").click()
    page.wait_for_url(f"{the_site.url}/spend/")
