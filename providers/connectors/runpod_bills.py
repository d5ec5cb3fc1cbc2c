"""RunPod's bills: one record for a pod, an endpoint or a volume and an hour, with its parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from providers.connectors.base import CostRow
from providers.connectors.parse import moment, money, rfc3339

# What is billed apart -> how its records name what they are of.
BILLS = {"pods": "podId", "serverless": "serverlessId", "networkvolumes": "networkVolumeId"}


def bill_lines(record: dict[str, Any], what: str, resource: str) -> Iterator[CostRow]:
    starts_at, ends_at = moment(record["startTime"]), moment(record["endTime"])
    parts = {part: f"{part}Amount" for part in ("gpu", "disk", "cpu", "fee")}
    for part, field in ({"disk": "totalAmount"} if what == "networkvolumes" else parts).items():
        if amount := money(record.get(field, 0), signed=True):
            key, description = f"{what}/{resource}/{rfc3339(starts_at)}/{part}", f"{what} {resource} {part}"
            category = "adjustment" if part == "fee" else part
            yield CostRow.usd(key, starts_at, ends_at, category, amount, resource=resource, description=description)
