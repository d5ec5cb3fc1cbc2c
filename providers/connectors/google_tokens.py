"""What a line of Google's billing export is for, by the words of its SKU; of model tokens also model, class and count.

The export has no column for the model. SKUs name it, and the class of its tokens, in their description:
"Generate content output token count gemini 2.5 flash short input text" (Gemini API), "Gemini 2.5 Pro Text Input -
Predictions" (Vertex AI). Source: cloud.google.com/billing/docs/how-to/export-data-bigquery-tables, both SKU lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from providers.connectors.parse import moment, whole
from providers.connectors.rows import UsageRow

Row = dict[str, Any]

MODEL_SERVICES = {"AEFD-7695-64FA", "C7E2-9256-1C43"}  # Gemini API, Vertex AI
SERVICE_WORDS = re.compile(r"gemini|generative language|vertex", re.IGNORECASE)
FAMILY = re.compile(r"\b(gemini|gemma|claude|imagen|veo|llama|mistral|text[ -]embedding)\b", re.IGNORECASE)
VARIANTS = {"flash", "pro", "lite", "ultra", "nano", "embedding", "opus", "sonnet", "haiku", "fast"}
VERSION = re.compile(r"v?\d+(\.\d+)*b?")
OUTPUT = re.compile(r"output|thinking", re.IGNORECASE)
CACHED = re.compile(r"cach", re.IGNORECASE)
COUNTED = re.compile(r"token|input|output|thinking|cach", re.IGNORECASE)
TIER = re.compile(r"\b(batch|flex|priority)\b", re.IGNORECASE)
CATEGORIES = (
    ("web_search", re.compile(r"Grounding|Google Search", re.IGNORECASE)),
    ("gpu", re.compile(r"\bGPU\b")),
    ("disk", re.compile(r"PD Capacity|Storage|Snapshot|Local SSD|Hyperdisk")),
    ("network", re.compile(r"Network|Egress|Data Transfer|External IP")),
    ("cpu", re.compile(r"\b(Core|Ram|RAM|CPU|vCPU)\b")),
)
LONGEST_MODEL = 100


def category_of(row: Row) -> str:
    """The category of a line of the billing export; `other` where its words say nothing that we know."""
    if row["cost_type"] in ("tax", "adjustment", "rounding_error"):
        return "tax" if row["cost_type"] == "tax" else "adjustment"
    words = str(row["words"])
    first = next((category for category, pattern in CATEGORIES if pattern.search(words)), "other")
    return "tokens" if first in ("other", "cpu") and of_tokens(row) else first


def of_tokens(row: Row) -> bool:
    service = str(row["service_id"] or "") in MODEL_SERVICES or SERVICE_WORDS.search(str(row["service"]))
    return bool(service and COUNTED.search(str(row["words"])) and FAMILY.search(str(row["words"])))


def model_of(words: str) -> str:
    """The model as price books write it, `gemini-2.5-flash`; empty where the words name none."""
    family = FAMILY.search(words)
    if family is None:
        return ""
    parts = [family[1].lower().replace(" ", "-")]
    for word in re.split(r"[\s-]+", words[family.end() :].lower().lstrip(" -")):
        if word not in VARIANTS and not VERSION.fullmatch(word):
            break
        parts.append(word)
    name = "-".join(parts)[:LONGEST_MODEL]
    return name.replace(".", "-") if parts[0] == "claude" else name


def class_of(words: str) -> str:
    """One of TOKEN_CLASSES. A cache that is written is billed as input; what is stored by the hour is no token."""
    if OUTPUT.search(words):
        return "output"
    return "cache_read" if CACHED.search(words) else "uncached_input"


def tier_of(words: str) -> str:
    tier = TIER.search(words)
    return tier[1].lower() if tier else "standard"


def usage_rows(rows: Iterable[Row]) -> list[UsageRow]:
    """Tokens by day, project, model and tier. Only amounts that are counts: characters and seconds are no tokens."""
    counts: dict[tuple[datetime, str, str, str], dict[str, int]] = {}
    for row in rows:
        if category_of(row) == "tokens" and row["unit"] == "count" and row["cost_type"] == "regular":
            words = str(row["words"])
            key = (moment(Decimal(row["day"])), model_of(words), str(row["project"] or ""), tier_of(words))
            classes = counts.setdefault(key, {})
            name = class_of(words)
            classes[name] = classes.get(name, 0) + whole(Decimal(row["amount"] or 0))
    return [
        UsageRow(
            *(day, day + timedelta(days=1), model, project, "", tier),
            requests=None,
            uncached_input=classes.get("uncached_input", 0),
            cache_read=classes.get("cache_read", 0),
            cache_write_5m=0,
            cache_write_1h=0,
            output=classes.get("output", 0),
            web_searches=0,
        )
        for (day, model, project, tier), classes in counts.items()
    ]
