"""What an invoice says: an amount that a person wrote, or the lines of a vendor's CSV. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext as _

from lib.money import ZERO

COLUMNS = {
    "amount": (
        "amount", "total", "line amount", "net amount", "cost", "cost usd", "amount usd", "billedcost", "betrag",
        "importo", "montant", "importe",
    ),
    "currency": ("currency", "billingcurrency", "währung", "valuta", "devise", "moneda"),
    "kind": ("type", "category", "kind", "chargecategory", "cost type"),
    "what": ("description", "item", "chargedescription", "product", "service", "descrizione", "beschreibung"),
    "when": (
        "month", "invoice month", "billing period", "period", "date", "usage date", "billingperiodstart", "start date",
        "usage date utc",
    ),
    "account": ("account", "account id", "organization", "organization id", "billingaccountid", "customer id"),
}  # fmt: skip
TAXES = re.compile(r"\b(tax|vat|gst|iva|mwst|ust|tva|sales tax)\b", re.IGNORECASE)
CREDITS = re.compile(r"\b(credit|credits|discount|promotion|refund)\b", re.IGNORECASE)
SUMS = re.compile(r"^(sub|grand )?\s*total$", re.IGNORECASE)
MONTH = re.compile(r"(20\d{2})-(0[1-9]|1[0-2])")
SPACES = str.maketrans("", "", " \u00a0\u202f'’")
SIGNS = re.compile(r"^(US\$|[A-Z]{3}|[$€£])|(US\$|[A-Z]{3}|[$€£])$")
NUMBER = re.compile(r"^[+-]?\d[\d.,]*$|^[+-]?[.,]\d+$")


class UnreadableInvoice(ValueError):
    """Why a file is no invoice to us, in a sentence."""


@dataclass(frozen=True)
class Invoice:
    """Amounts in the invoice's own currency; an empty set says nothing."""

    amount: Decimal
    named: Mapping[str, Decimal] = field(default_factory=dict)  # of it, `tax` and `credit`
    lines: int = 1
    currencies: frozenset[str] = frozenset()
    months: frozenset[str] = frozenset()  # YYYY-MM
    accounts: frozenset[str] = frozenset()


def read_invoice(content: bytes) -> Invoice:
    """Add up a CSV's lines. Raises UnreadableInvoice."""
    text = decoded(content)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text)))
    header, body = header_of(rows)
    lines = [line for line in (dict(zip(header, row, strict=False)) for row in body) if line.get("amount", "").strip()]
    lines = [line for line in lines if not SUMS.match(line.get("what", "").strip())]
    if not lines:
        raise UnreadableInvoice(_("The file has no line with an amount."))
    amounts = numbers([line["amount"] for line in lines])
    named: dict[str, Decimal] = {}
    for line, amount in zip(lines, amounts, strict=True):
        kind = kind_of(line)
        if kind:
            named[kind] = named.get(kind, ZERO) + amount
    return Invoice(
        amount=sum(amounts, ZERO),
        named=named,
        lines=len(lines),
        currencies=frozenset(values_of(lines, "currency", str.upper)),
        months=frozenset(
            f"{match[1]}-{match[2]}" for text in values_of(lines, "when") if (match := MONTH.search(text))
        ),
        accounts=frozenset(values_of(lines, "account")),
    )


def decoded(content: bytes) -> str:
    encodings = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise UnreadableInvoice(_("This is not a text file. Choose the vendor’s CSV."))


def delimiter_of(text: str) -> str:
    """The most frequent candidate in the header line, which has no decimal commas."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(";\t,", key=first.count)


def header_of(rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Our names of the columns, found in the first row that has an amount's; and the rows after it."""
    names = {name: ours for ours, many in COLUMNS.items() for name in many}
    for place, row in enumerate(rows[:20]):
        header = [names.get(plain_words(cell), "") for cell in row]
        if "amount" in header:
            # Two columns may mean the same, such as amount and total: the first one counts.
            once = [name if name not in header[:at] else "" for at, name in enumerate(header)]
            return once, rows[place + 1 :]
    raise UnreadableInvoice(_("No column is called amount, total or cost."))


def plain_words(cell: str) -> str:
    return " ".join(re.sub(r"[_()$.-]+", " ", cell).split()).lower()


def values_of(lines: list[dict[str, str]], name: str, change: object = None) -> set[str]:
    values = {line.get(name, "").strip() for line in lines} - {""}
    return {value.upper() for value in values} if change is str.upper else values


def kind_of(line: Mapping[str, str]) -> str:
    words = f"{line.get('kind', '')} {line.get('what', '')}"
    return "tax" if TAXES.search(words) else "credit" if CREDITS.search(words) else ""


def numbers(texts: list[str]) -> list[Decimal]:
    """Amounts whose decimal sign the file itself tells: 1.234,56 and 1,234.56 are both read, a lone 1,234 is not."""
    amounts = [bare(text) for text in texts]
    # A program writes all amounts of a file in the same way, so a clear amount decides about those that are ambiguous.
    signs = {sign for text in amounts if (sign := decimal_sign(text))}
    if len(signs) > 1:
        raise UnreadableInvoice(_("Some amounts use a decimal comma, others a decimal point."))
    sign = signs.pop() if signs else None
    unclear = next((text for text in amounts if sign is None and re.search(r"[.,]", text)), None)
    if unclear is not None:
        raise UnreadableInvoice(
            _("The decimal sign of %(text)s is not clear. Write amounts with two decimals.") % {"text": unclear}
        )
    return [decimal(text, sign or ".") for text in amounts]


def bare(text: str) -> str:
    """Without spaces and currency; (12.00) and 12.00- are below zero."""
    number = text.translate(SPACES)
    below = (number.startswith("(") and number.endswith(")")) or number.endswith("-")
    number = SIGNS.sub("", number.strip("()").rstrip("-"))
    if number.startswith("-"):
        number = "-" + SIGNS.sub("", number[1:])
    number = f"-{number}" if below else number
    if not NUMBER.match(number):
        raise UnreadableInvoice(_("%(text)s is not an amount.") % {"text": text.strip()[:40] or "“”"})
    return number


def decimal_sign(text: str) -> str | None:
    """The sign of this number's decimals; None where it has none, or where it may be one of thousands."""
    last = max(text.rfind("."), text.rfind(","))
    if last < 0:
        return None
    sign, other = text[last], "," if text[last] == "." else "."
    if other in text:
        return sign
    if text.count(sign) > 1:
        return other  # 1,234,567: the sign separates thousands
    # Three digits after a single sign are ambiguous: 1,234 may be a thousand or one and a bit. 0,234 and 12345,678 are
    # not, because thousands are never written so.
    after = len(text) - last - 1
    whole = text[:last].lstrip("+-")
    return None if after == 3 and whole not in ("", "0") and len(whole) <= 3 else sign


def decimal(text: str, sign: str) -> Decimal:
    thousands = "," if sign == "." else "."
    try:
        return Decimal(text.replace(thousands, "").replace(sign, "."))
    except InvalidOperation:
        raise UnreadableInvoice(_("%(text)s is not an amount.") % {"text": text}) from None
