"""Help holds every document of the installed version; its links lead to pages that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import resolve

from dashboard.api import api
from dashboard.api_docs.views import operations, type_words
from dashboard.help.documents import DOCS, FOLDERS, Document, anchor, body_of, documents, find, page_of
from tests.traffic.people import logged_in, person, text

TEMPLATES = Path(settings.BASE_DIR, "templates")


@pytest.fixture
def somebody(db: None) -> Client:
    return logged_in(person("tilda"))


def test_every_document_has_a_page_and_no_two_share_an_address() -> None:
    files = [path for folder in FOLDERS for path in (DOCS / folder).glob("*.md")]
    assert len(files) == len(documents()) > 30
    assert all(page.title and "#" not in page.title for page in documents().values())


@pytest.mark.parametrize("slug", sorted(documents()))
def test_a_page_has_no_raw_html_and_its_links_lead_somewhere(slug: str) -> None:
    body = body_of(slug)
    assert "<script" not in body and "style=" not in body
    anchors = {page: set(re.findall(r'<h[1-6] id="([^"]*)"', body_of(page))) for page in documents()}
    for href in re.findall(r'<a href="([^"]*)"', body):
        if href.startswith("https://"):
            continue
        path, _hash, fragment = href.partition("#")
        target = resolve(path).kwargs["slug"] if path else slug
        assert not fragment or fragment in anchors[target], href


def test_a_long_document_is_folded_below_its_headings(monkeypatch: pytest.MonkeyPatch) -> None:
    part = "## Part {}\n\n" + "word " * 1_000 + "\n\n"
    pages = {
        str(n): Document(str(n), "", "X", "# X\n\nAt first.\n\n" + part.format(1) + part.format(2) * n) for n in (0, 1)
    }
    monkeypatch.setattr("dashboard.help.documents.documents", lambda: pages)
    long, short = body_of.__wrapped__("1"), body_of.__wrapped__("0")
    assert "<details" not in short and long.startswith("<p>At first.</p>")
    assert re.findall(r'<details><summary><h2 id="([\w-]+)">Part \d</h2></summary>', long) == ["part-1", "part-2"]
    assert long.count("</details>") == 2


@pytest.mark.parametrize("slug", sorted(documents()))
def test_no_heading_has_the_id_of_a_part_of_the_page(slug: str) -> None:
    frame = "".join((TEMPLATES / name).read_text() for name in ("base.html", "_keys.html", "_messages.html"))
    assert {*re.findall(r'<h[1-6] id="([^"]*)"', body_of(slug))} & {*re.findall(r'id="([\w-]+)"', frame)} == set()


def test_links_to_files_without_a_page_are_plain_text() -> None:
    assert page_of("../decisions/0005-limits-of-keys-are-kept-in-memory.md", "reference") == ""
    assert page_of("../../traffic/gateway/routes.py", "how-to") == ""
    assert page_of("../reference/limits.md#storing", "how-to") == "/help/limits/#storing"
    assert page_of("keys.md", "reference") == "/help/keys/"
    assert page_of("../benchmarks.md", "reference") == "/help/benchmarks/"
    assert page_of("javascript:alert(1)", "how-to") == ""


def test_html_in_a_document_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Document("x", "how-to", "X", "# X\n\n<script>alert(1)</script> [a](javascript:alert(1)) <b onclick=x>\n")
    monkeypatch.setattr("dashboard.help.documents.documents", lambda: {"x": page})
    body = body_of.__wrapped__("x")
    assert "<script" not in body and "<b " not in body and 'href="javascript' not in body


def test_a_heading_has_the_id_that_code_hosts_give_it() -> None:
    assert anchor("Share an engine's slots") == "share-an-engines-slots"


def test_search_finds_words_in_text_titles_first(somebody: Client) -> None:
    assert find("rotate")[0].slug == "rotate-keys"
    assert find("no-such-word-anywhere") == []
    page = text(somebody, "/help/", q="gateway litellm")
    assert "Send requests" in page and "Plan maintenance" not in page
    assert "No page contains these words." in text(somebody, "/help/", q="no-such-word-anywhere")
    assert "&lt;b&gt;" in text(somebody, "/help/", q="<b>")


def test_a_page_opens_and_an_unknown_one_is_404(somebody: Client) -> None:
    page = text(somebody, "/help/send-requests/")
    assert "<h2" in page and 'data-copy="#code-1"' in page
    assert somebody.get("/help/nothing/").status_code == 404


def test_the_api_page_names_every_operation_with_its_fields(somebody: Client) -> None:
    page = text(somebody, "/help/api/")
    schema = api.get_openapi_schema()
    listed = operations(schema)
    assert len(listed) == sum(len(methods) for methods in schema["paths"].values()) > 40
    assert all(it.path in page for it in listed)
    (send,) = [it for it in listed if (it.method, it.path) == ("POST", "/api/v1/requests")]
    assert {field.name for field in send.inputs} == {"requests"}
    assert "accepted" in {field.name for field in send.outputs}
    assert "uncached_input" in send.inputs[0].type


def test_types_in_words() -> None:
    schema = {"components": {"schemas": {"A": {"type": "object", "properties": {"n": {"type": "integer"}}}}}}
    assert (
        type_words(schema, {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]})
        == "string (date) or null"
    )
    assert type_words(schema, {"type": "array", "items": {"$ref": "#/components/schemas/A"}}) == "list of {n: integer}"
    assert type_words(schema, {"enum": ["day", "month"]}) == "day, month"


def test_the_image_holds_the_documents() -> None:
    ignored = (Path(DOCS).parent / ".dockerignore").read_text().splitlines()
    assert not any(line.strip("/").startswith("docs") for line in ignored)
