"""Google's billing export, added up where it lies: one query to BigQuery, paged through."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from lib.money import COST_STEP
from providers.connectors.base import ConnectorError, CostRow
from providers.connectors.google_tokens import category_of, class_of, model_of, tier_of
from providers.connectors.http import VendorHttp, walk
from providers.connectors.parse import moment, money, rfc3339

TABLE = re.compile(r"[\w:.-]+\.\w+\.\w+")
PAGE_ROWS = 5000
PATIENCE_MS = 10_000  # how long the vendor holds a call while it still adds up

# Credits are a sub-select: a join on their rows would multiply the cost. Numbered groups are the columns before SUM.
BILL = """
SELECT TIMESTAMP_TRUNC(usage_start_time, DAY) AS day, sku.id AS sku, sku.description AS words,
  service.description AS service, project.id AS project, {resource} AS resource, invoice.month AS month,
  cost_type AS cost_type, currency AS currency, currency_conversion_rate AS rate, service.id AS service_id,
  usage.unit AS unit, SUM(CAST(cost AS NUMERIC)) AS cost, SUM(usage.amount) AS amount,
  SUM(IFNULL((SELECT SUM(CAST(c.amount AS NUMERIC)) FROM UNNEST(credits) AS c), 0)) AS credits,
  MAX(export_time) AS exported
FROM `{table}` WHERE usage_start_time >= @since AND usage_start_time < @until GROUP BY {groups}
"""


def billing_export(
    http: VendorHttp, project: str, table: str, since: datetime, until: datetime
) -> Iterator[dict[str, Any]]:
    """Rows of BILL, every value as text or None. Only the detailed export names the machine."""
    if not TABLE.fullmatch(table):
        raise ConnectorError(_("The name of the billing export must be project.dataset.table."), permanent=True)
    resource = "resource.global_name" if "_resource_" in table else "CAST(NULL AS STRING)"
    query = BILL.format(table=table, resource=resource, groups=", ".join(map(str, range(1, 13))))
    return _rows(http, f"/bigquery/v2/projects/{project}/queries", query, {"since": since, "until": until})


def _rows(http: VendorHttp, path: str, query: str, period: dict[str, datetime]) -> Iterator[dict[str, Any]]:
    named = [
        {"name": name, "parameterType": {"type": "TIMESTAMP"}, "parameterValue": {"value": rfc3339(at)}}
        for name, at in period.items()
    ]
    body = {"query": query, "useLegacySql": False, "parameterMode": "NAMED", "queryParameters": named}
    answer = http.post(path, body | {"maxResults": PAGE_ROWS, "timeoutMs": PATIENCE_MS})
    job = answer["jobReference"]
    ask = {"location": job.get("location", ""), "maxResults": PAGE_ROWS, "timeoutMs": PATIENCE_MS}

    def page(token: str | None) -> tuple[list[dict[str, Any]], str | None]:
        nonlocal answer
        if token or not answer["jobComplete"]:
            answer = http.get(f"{path}/{job['jobId']}", ask | ({"pageToken": token} if token else {}))
        if not answer["jobComplete"]:
            raise ConnectorError(_("Google Cloud is still adding up the bill."), retry_after=60)
        names = [field["name"] for field in answer["schema"]["fields"]]
        rows = [dict(zip(names, (cell["v"] for cell in row["f"]), strict=True)) for row in answer.get("rows", [])]
        return rows, answer.get("pageToken")

    return walk(http.label, page)


def bill_lines(row: dict[str, Any]) -> Iterator[CostRow]:
    """The cost and the credit of one row of BILL, in USD by the export's own rate."""
    day, rate = moment(Decimal(row["day"])), money(row["rate"] or "1")
    resource = str(row["resource"] or "").rsplit("/", 1)[-1]
    key = "/".join(str(row[name] or "-") for name in ("project", "sku", "cost_type", "month", "resource"))
    kind, words = category_of(row), str(row["words"])
    what: dict[str, Any] = {}
    if kind == "tokens":
        what = {"model": model_of(words), "token_class": class_of(words), "service_tier": tier_of(words)}
        what["workspace"] = str(row["project"] or "")
    for category, value in ((kind, row["cost"]), ("credit", row["credits"])):
        original = money(value or "0", signed=True)
        if original or category != "credit":
            yield CostRow(
                *(f"{day:%Y-%m-%d}/{key}/{category}", day, day + timedelta(days=1), category),
                amount=(original / rate).quantize(COST_STEP),
                original_amount=original,
                currency=str(row["currency"]),
                resource=resource,
                description=f"{row['service']}: {words}"[:300],
                invoice_month=f"{row['month'][:4]}-{row['month'][4:6]}",
                **(what if category == kind else {}),
            )
