"""The palette: what it finds for whom, and that hostile words find nothing and break nothing."""

from __future__ import annotations

import re
from html import unescape

import psycopg
import pytest
from django.test import Client
from django.urls import reverse

from alerts.models import Rule
from dashboard.menu.queries import MOST
from tests.dashboard.logins import logged_in, with_role
from tests.factories import AccountFactory, DeploymentFactory, TokenPriceFactory
from tests.pages import html_of
from tests.query_ceilings import ceiling
from tests.traffic.people import application, arrive

pytestmark = pytest.mark.django_db

URL = "/find/"


@pytest.fixture
def admin() -> Client:
    return logged_in(with_role("admin"))


def results(client: Client, q: str = "", **more: str) -> dict[str, list[tuple[str, str]]]:
    """What the page finds: label and address, by kind."""
    page = html_of(client.get(URL, {"q": q, **more}))
    body = page[page.index('id="palette-rows"') : page.index("</nav>", page.index('id="palette-rows"'))]
    found = {}
    for part in body.split("<section")[1:]:
        kind = re.search(r"<h2>(.*?)</h2>", part)
        assert kind
        links = re.findall(r'<a href="(.*?)">(.*?)</a>', part)
        found[unescape(kind[1])] = [(unescape(label), unescape(url)) for url, label in links]
    return found


def test_pages_are_found_by_their_names_and_by_older_ones(admin: Client) -> None:
    assert results(admin, "savings")["Pages"] == [("Spend: Savings", "/spend/savings/")]
    for words, url in (
        ("reconciliation", "/spend/reconciliation/"), ("decide", "/decide/"), ("focus", "/spend/exports/"),
        ("exchange rates", "/spend/rates/"), ("audit", "/settings/audit/"), ("leases", "/providers/leases/"),
    ):  # fmt: skip
        assert url in [found for _label, found in results(admin, words)["Pages"]], words


@pytest.mark.parametrize(
    ("typed", "kind", "url"),
    [
        ("re-price", "Pages", "/settings/repricings/"),
        ("reconcile", "Pages", "/spend/reconciliation/"),
        ("people", "Pages", "/settings/people/"),
        ("exports", "Pages", "/spend/exports/"),
        ("silence bge", "Actions", "/alerts/silences/?labels=deployment%3Abge-m3#add"),
        ("silence", "Actions", "/alerts/silences/"),
    ],
)
def test_a_thing_is_found_from_its_fourth_letter_on(admin: Client, typed: str, kind: str, url: str) -> None:
    DeploymentFactory.create(slug="bge-m3", name="bge-m3")
    start = typed.find(" ") + 2 if " " in typed else 4
    for end in range(start, len(typed) + 1):
        assert url in [address for _label, address in results(admin, typed[:end])[kind]], typed[:end]


@pytest.mark.parametrize("typed", ["idle gpu rule", "gpu", "unused rules", "lease alert rule"])
def test_a_rule_is_found_by_what_people_call_the_thing_that_it_watches(admin: Client, typed: str) -> None:
    Rule.objects.create(slug="lease", name="Lease idle or stopped", kind="lease")
    Rule.objects.create(slug="outage", name="Deployment down", kind="outage")
    assert results(admin, typed)["Alert rules"] == [("Lease idle or stopped", "/alerts/rules/lease/")]


def test_a_month_is_found_as_its_name_is_typed(admin: Client) -> None:
    label, url = results(admin, "statement")["Months"][0]
    typed = f"{label.split()[0]} statement"
    for end in range(3, len(typed) + 1):
        assert url in [address for _label, address in results(admin, typed[:end])["Months"]], typed[:end]


def test_the_form_that_a_silence_opens_has_the_deployment_in_it(admin: Client) -> None:
    DeploymentFactory.create(slug="bge-m3", name="bge-m3")
    label, url = results(admin, "silence bge")["Actions"][0]
    assert label == "Silence bge-m3" and 'value="deployment:bge-m3"' in html_of(admin.get(url))


def test_without_words_it_lists_every_page(admin: Client) -> None:
    found = results(admin)
    assert next(iter(found)) == "Overview" and ("Ledger: Bill files", "/spend/bills/") in found["Spend"]


def test_names_lead_to_their_things(admin: Client) -> None:
    application("shop")
    AccountFactory.create(slug="vast-two", name="Vast two")
    DeploymentFactory.create(slug="mistral", name="Mistral 7B")
    TokenPriceFactory.create(model="mistral-large", uncached_input=1, output=1)
    rule = Rule.objects.create(slug="mistral-slow", name="Mistral is slow", kind="latency")
    assert results(admin, "shop")["Applications"] == [("Shop", "/settings/applications/shop/")]
    assert results(admin, "two vast")["Vendor accounts"] == [("Vast two", "/settings/accounts/vast-two/")]
    found = results(admin, "mistral")
    assert found["Deployments"] == [("Mistral 7B", "/settings/deployments/mistral/")]
    assert found["Models"] == [("mistral-large", "/settings/prices/?q=mistral-large")]
    assert ("Mistral is slow", reverse("alerts:rule", args=[rule.slug])) in found["Alert rules"]


def test_a_month_has_its_statement(admin: Client) -> None:
    kinds = results(admin, "statement")["Months"]
    assert len(kinds) >= 1 and all(": statement" in label for label, _url in kinds)
    label, url = kinds[0]
    month = url.partition("month=")[2]
    assert url == f"/spend/statements/?month={month}" and month[:4] in label
    assert results(admin, f"{label.split()[0]} statement")["Months"][0] == kinds[0]


def test_a_request_is_found_by_its_id_by_whoever_may_open_it(admin: Client, conn: psycopg.Connection) -> None:
    row = arrive(conn, {"application_id": application("shop").pk})[0]
    assert results(admin, str(row.id))["Request"] == [(str(row.id), f"/requests/{row.id}/")]
    assert "Request" not in results(logged_in(with_role("staff")), str(row.id))


def test_actions_are_those_that_the_role_may_do(admin: Client) -> None:
    assert results(admin, "silence website chat")["Actions"] == [("Silence alerts", "/alerts/silences/")]
    manager = logged_in(with_role("manager"))
    assert (
        "Actions" not in results(manager, "silence") and results(manager, "rate")["Actions"][0][1] == "/quality/rate/"
    )


def test_staff_find_their_pages_and_their_applications_alone() -> None:
    staff = with_role("staff")
    application("shop", staff)
    application("shopping")
    AccountFactory.create(slug="shop-account", name="Shop account")
    found = results(logged_in(staff), "shop")
    assert found == {"Applications": [("Shop", "/requests/?application=shop")]}
    assert "Spend" not in results(logged_in(staff))


def test_what_was_visited_last_comes_first_and_is_bounded(admin: Client) -> None:
    for name in ("costs:savings", "costs:charge-add", "nonsense", "costs:savings"):
        found = results(admin, "", opened_on=name)
    assert found["Visited last"] == [
        ("Spend: Savings", "/spend/savings/"), ("Spend: Ledger: One-off costs", "/spend/charges/"),
    ]  # fmt: skip
    for name in ("people", "audit", "storage", "legend", "costs:spend", "costs:decide", "alerts:list", "alerts:rules"):
        found = results(admin, "", opened_on=name)
    assert len(found["Visited last"]) == MOST == len(admin.session["visited"])


def test_the_page_that_it_was_opened_on_is_no_filter_of_a_list(admin: Client) -> None:
    opener = re.search(r'hx-get="(.*?find.*?)"', html_of(admin.get("/spend/")))
    assert opener
    links = re.findall(r'href="(/requests/[^"]*)"', html_of(admin.get(opener[1])))
    assert links and all("from=" not in link and "costs" not in link for link in links)


def test_words_are_bounded_and_names_escaped(admin: Client) -> None:
    AccountFactory.create(slug="evil", name="<script>alert(1)</script>")
    page = html_of(admin.get(URL, {"q": "<script>"}))
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page
    for number in range(MOST + 3):
        AccountFactory.create(slug=f"many-{number}", name=f"Many {number}")
    assert len(results(admin, "many")["Vendor accounts"]) == MOST
    for hostile in ("x" * 100_000, "% _ \\", "' OR 1=1 --", "a " * 5000, "ffffffff-ffff-ffff-ffff-ffffffffffff"):
        assert admin.get(URL, {"q": hostile}).status_code == 200
    assert "No results" in html_of(admin.get(URL, {"q": "zzzz"}))


def test_a_question_takes_a_fixed_number_of_statements(admin: Client, django_assert_max_num_queries: object) -> None:
    with django_assert_max_num_queries(ceiling(URL)):  # type: ignore[operator]  # a fixture of pytest-django
        admin.get(URL, {"q": "many", "opened_on": "costs:savings"})
