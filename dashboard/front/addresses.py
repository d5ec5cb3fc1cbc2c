"""The limits of each address: how much may be sent to it, by whom, and which threads serve it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache

from django.urls import Resolver404, resolve

from dashboard.http.database_away import INTAKE as INTAKE_PREFIXES
from traffic.ingest.native import MAX_BYTES as LARGEST_NATIVE
from traffic.ingest.otlp_views import MAX_BYTES as LARGEST_EXPORT

MIB = 1 << 20
# Bytes that anybody may send. A larger body is read only from callers with a valid key or a session.
SMALL = 64 << 10
REMEMBERED_LENGTH = 120  # characters of a path that is cached; longer ones of strangers could fill the memory
FORM_AROUND_FILE = MIB  # bytes allowed for a form's other fields and its boundaries
READING = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of addresses.

    `pool` names the threads, `limit` is in bytes as sent (compressed). `by_key`: a body above `SMALL` needs a key with
    the scope `scope`; otherwise it needs a session. `files`: a form with a file, which is written to disk while it is
    received. `cut`: the first `limit` bytes are read, the rest is dropped. `parts`: a form without a file may come as
    multipart/form-data.
    """

    pool: str
    limit: int
    by_key: bool = False
    files: bool = False
    cut: bool = False
    parts: bool = False
    scope: str = ""


EXPORTS = Kind("intake", LARGEST_EXPORT, by_key=True, scope="ingest")
NATIVE = Kind("intake", LARGEST_NATIVE, by_key=True, scope="ingest")
RATINGS = Kind("intake", MIB, by_key=True, scope="rate")
API = Kind("pages", 5 * MIB // 2, by_key=True)
PAGES = Kind("pages", 5 * MIB // 2)
PINGS = Kind("pages", SMALL, cut=True)
ONE_CLICK = Kind("pages", SMALL, parts=True)  # RFC 8058 lets a mail program choose either encoding
STATIC = Kind("static", 0)


@cache
def files() -> dict[str, int]:
    """Largest file in bytes of each view that takes one, by URL name; a test compares it with the views.

    The views are imported at the first call and not while the process starts, because that takes seconds.
    """
    from costs.bill_imports.views import LARGEST as BILL
    from costs.charges.ledger_forms import LARGEST_FILE as RATES
    from costs.charges.receipts import LARGEST as RECEIPT
    from traffic.imports.files import MAX_BYTES as IMPORT
    from traffic.trials.prompts import MOST_FILE as PROMPTS
    from traffic.trials.sets import MOST_FILE as SETS

    receipts = ("costs:charge-add", "costs:charge", "costs:recurrence", "costs:reconciliation-close")
    return {**dict.fromkeys(receipts, RECEIPT), "costs:rates": RATES, "costs:bills": BILL, "traffic:imports": IMPORT,
            "traffic:trial-add": PROMPTS, "traffic:sets": SETS}  # fmt: skip


# Read with a key: an application's reads take turns with its others, not with whoever comes from its address.
BY_KEY = ("/api/", "/metrics")
STRANGERS = {"/ping/": PINGS, "/alerts/unsubscribe/": ONE_CLICK}


def kind_of(method: str, path: str) -> Kind:
    """The class of an address, found by the beginning of its path."""
    if path.startswith("/static/"):
        return STATIC
    if method not in READING and path.startswith(INTAKE_PREFIXES):
        return intake_of(path)
    if path.startswith(BY_KEY):
        return API
    return next((kind for prefix, kind in STRANGERS.items() if path.startswith(prefix)), PAGES)


def intake_of(path: str) -> Kind:
    if path.startswith("/api/v1/"):
        return RATINGS if path.startswith("/api/v1/feedback") else NATIVE
    return EXPORTS


@lru_cache(maxsize=256)  # resolving takes as long on the event loop as reading 40 KB of a body
def view_name_of(path: str) -> str | None:
    """The URL name of a path; None if there is no such address."""
    try:
        return resolve(path).view_name
    except Resolver404:
        return None


def exact_kind(kind: Kind, path: str) -> Kind | None:
    """The class of an address to which a file or a large body is sent; None if there is no such address."""
    name = view_name_of(path) if len(path) <= REMEMBERED_LENGTH else view_name_of.__wrapped__(path)
    if name is None:
        return None
    if (largest := files().get(name)) is not None:
        return replace(kind, limit=largest + FORM_AROUND_FILE, files=True)
    return kind
