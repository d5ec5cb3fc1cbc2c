"""Requests as files: what is in them, what is kept out, and that they are written while they are read."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.test import Client
from pyarrow import parquet

from tests.traffic.people import application, arrive, logged_in, person
from tests.traffic.request_rows import NOON
from traffic.authentication.keys import create_key
from traffic.requests import export as module
from traffic.requests.export import KINDS, export
from traffic.requests.request_filter import RequestFilter

URL = "/requests/export."
DAY = timedelta(days=1)
QUOTED = 'ä, "b"'


def content(response: Any) -> bytes:
    assert response.status_code == 200, response.content
    assert response.streaming
    return b"".join(response.streaming_content)


@pytest.fixture
def viewer(db: None) -> Client:
    return logged_in(person("jorun", "traffic.view_request", "costs.view_charge"))


@pytest.fixture
def some(conn: psycopg.Connection, price: object) -> None:
    arrive(
        conn,
        {"started_at": NOON},
        {"started_at": NOON - DAY, "model": "=HYPERLINK(1)", "tokens": None, "error_type": QUOTED, "outcome": "error"},
        {"started_at": NOON - 9 * DAY, "provider": "-1+1"},
    )  # fmt: skip


@pytest.mark.usefixtures("some")
def test_a_spreadsheet_gets_every_row_and_no_formula(viewer: Client) -> None:
    response = viewer.get(f"{URL}csv")
    written = content(response)
    assert response["Content-Disposition"].startswith('attachment; filename="requests-')
    assert written.startswith(b"\xef\xbb\xbfid,started_at,")
    first, second, third = csv.DictReader(io.StringIO(written.decode("utf-8-sig")))
    assert (first["cost_usd"], first["started_at"]) == ("0.003420000000", NOON.isoformat())
    assert (second["model"], second["error_type"], second["uncached_input"]) == ("'=HYPERLINK(1)", QUOTED, "")
    assert third["provider"] == "'-1+1"


@pytest.mark.usefixtures("some")
def test_lines_of_json_say_unknown_as_null_and_money_as_text(viewer: Client) -> None:
    lines = [json.loads(line) for line in content(viewer.get(f"{URL}jsonl")).splitlines()]
    assert [line["cost_usd"] for line in lines] == ["0.003420000000", None, None]
    assert [line["uncached_input"] for line in lines] == [100, None, 100]
    assert lines[1]["model"] == "=HYPERLINK(1)"


@pytest.mark.usefixtures("some")
def test_parquet_has_types_and_as_many_rows(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROW_GROUP", 2)
    table = parquet.read_table(io.BytesIO(content(viewer.get(f"{URL}parquet"))))
    assert table.num_rows == 3
    assert str(table.schema.field("cost_usd").type) == "decimal128(20, 12)"
    assert table.column("cost_usd").to_pylist() == [Decimal("0.003420000000"), None, None]
    assert table.column("started_at").to_pylist()[0] == NOON


@pytest.mark.usefixtures("some")
def test_without_its_package_parquet_is_a_sentence_on_the_page_and_in_the_api(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traffic.requests.export.find_spec", lambda name: None)
    response = viewer.get(f"{URL}parquet", {"task": "rag"}, follow=True)
    assert response.redirect_chain == [("/requests/?task=rag", 302)]
    assert "install breakeven[parquet]" in response.content.decode()
    answer = api(format="parquet")
    assert answer.status_code == 422 and "breakeven[parquet]" in answer.json()["detail"]


def api(**query: Any) -> Any:
    secret = create_key(name="reader", scopes=["read"], application=None)[1]
    return Client().get("/api/v1/export/requests", query, headers={"authorization": f"Bearer {secret}"})


@pytest.mark.usefixtures("some")
def test_the_api_gives_the_same_rows_by_the_same_filters(viewer: Client) -> None:
    asked = {"outcome": "error", "from": f"{NOON - 2 * DAY:%Y-%m-%d}", "to": f"{NOON + DAY:%Y-%m-%d}"}
    found = content(api(**asked))
    assert found.count(b"\n") == 1 and found == content(viewer.get(f"{URL}jsonl", asked))
    assert content(api(cost_from="0.003", latency_to="800")).count(b"\n") == 1
    assert content(api(format="csv", model="claude-test")).count(b"\r\n") == 3
    assert api(format="xlsx").status_code == api(cost_from="much").status_code == 422
    assert api(**{"from": "2026-02-31"}).status_code == 422


@pytest.mark.usefixtures("some")
def test_who_sees_no_figures_gets_no_money_and_only_what_is_theirs(conn: psycopg.Connection) -> None:
    noor = person("noor")
    shop = application("shop", noor)
    arrive(conn, {"external_id": "own", "application_id": shop.pk, "prompt": "a secret", "answer": "kept"})
    written = content(logged_in(noor).get(f"{URL}csv")).decode("utf-8-sig")
    assert written.count("\r\n") == 2 and "shop" in written
    assert "cost" not in written and "price" not in written and "secret" not in written
    assert Client().get(f"{URL}csv").status_code == 302


@pytest.mark.usefixtures("some")
def test_what_cannot_be_exported_is_said(viewer: Client) -> None:
    page = viewer.get(f"{URL}csv", {"cost_from": "x"}, follow=True).content.decode()
    assert "“x” is not a number" in page
    assert viewer.get(f"{URL}xlsx").status_code == 404


def test_a_file_is_written_while_it_is_read(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    arrive(conn, *({"started_at": NOON - DAY * (n // 3)} for n in range(7)))
    parts = export(KINDS["jsonl"], RequestFilter(), retention_days=400, money=False)
    first = next(parts)
    assert first.count(b"\n") == 2
    assert sum(part.count(b"\n") for part in parts) == 5
