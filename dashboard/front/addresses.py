"""What each address may be sent, and by which threads it is served."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache

from django.urls import Resolver404, resolve

from dashboard.http.database_away import INTAKE as INTAKE_PREFIXES
from traffic.ingest.native import MAX_BYTES as LARGEST_NATIVE
from traffic.ingest.otlp_views import MAX_BYTES as LARGEST_EXPORT

MIB = 1 << 20
# Bytes that anybody may send. More is read of those alone who hold a live key or are logged in.
SMALL = 64 << 10
REMEMBERED_LENGTH = 120  # characters of a path: what strangers ask for must not fill the memory
FORM_AROUND_FILE = MIB  # bytes of a form's other fields and of its boundaries
READING = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of addresses.

    `pool` names the threads, `limit` is in bytes as sent, compressed or not. `by_key`: who sends more than `SMALL`
    proves it by a key, which must hold `scope`, else by a session. `files`: a form with a file, which is written to
    disk while it comes in. `cut`: as much as `limit` is read, and the rest let go. `parts`: a form may come as
    multipart/form-data, though without a file.
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
    """Bytes of the views that ask for a file, by the name of their address; a test holds it against the views.

    They are loaded by whoever asks first, not while the process starts.
    """
    from costs.bill_imports.views import LARGEST as BILL
    from costs.charges.ledger_forms import LARGEST_FILE as RATES
    from costs.charges.receipts import LARGEST as RECEIPT
    from traffic.imports.files import MAX_BYTES as IMPORT

    receipts = ("costs:charge-add", "costs:charge", "costs:recurrence", "costs:reconciliation-close")
    return {**dict.fromkeys(receipts, RECEIPT), "costs:rates": RATES, "costs:bills": BILL, "traffic:imports": IMPORT}


STRANGERS = {"/ping/": PINGS, "/alerts/unsubscribe/": ONE_CLICK}


def kind_of(method: str, path: str) -> Kind:
    """The class of an address, by its beginning alone."""
    if path.startswith("/static/"):
        return STATIC
    if method not in READING and path.startswith(INTAKE_PREFIXES):
        return intake_of(path)
    if path.startswith("/api/"):
        return API
    return next((kind for prefix, kind in STRANGERS.items() if path.startswith(prefix)), PAGES)


def intake_of(path: str) -> Kind:
    if path.startswith("/api/v1/"):
        return RATINGS if path.startswith("/api/v1/feedback") else NATIVE
    return EXPORTS


@lru_cache(maxsize=256)  # to look through all addresses takes as long as 40 KB of a body on the event loop
def view_name_of(path: str) -> str | None:
    """The name of the view that answers there; None where there is no such address."""
    try:
        return resolve(path).view_name
    except Resolver404:
        return None


def exact_kind(kind: Kind, path: str) -> Kind | None:
    """The class of an address whose caller sends a file, or much; None where there is no such address."""
    name = view_name_of(path) if len(path) <= REMEMBERED_LENGTH else view_name_of.__wrapped__(path)
    if name is None:
        return None
    if (largest := files().get(name)) is not None:
        return replace(kind, limit=largest + FORM_AROUND_FILE, files=True)
    return kind
