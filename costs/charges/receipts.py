"""Receipts: small files of few kinds, known by their content and handed out only as downloads."""

from __future__ import annotations

import hashlib
from pathlib import PurePath
from typing import Any

from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _

from costs.models import Receipt

LARGEST = 5 * 1024 * 1024  # bytes
LONGEST_NAME = 80
MAGIC = (
    (b"%PDF-", "application/pdf", (".pdf",)),
    (b"\x89PNG\r\n\x1a\n", "image/png", (".png",)),
    (b"\xff\xd8\xff", "image/jpeg", (".jpg", ".jpeg")),
)
TEXTS = {".csv": "text/csv", ".txt": "text/plain"}
ACCEPT = ".pdf,.png,.jpg,.jpeg,.csv,.txt"


class BadReceipt(ValueError):
    """Why a file is not kept, in a sentence."""


def checked(name: str, content: bytes) -> tuple[str, str]:
    """A name that is safe to save under and the kind that the content is of; raises BadReceipt."""
    if not content:
        raise BadReceipt(_("This file is empty."))
    if len(content) > LARGEST:
        raise BadReceipt(_("A receipt has at most 5 MB."))
    suffix = PurePath(name).suffix.lower()
    kind, suffixes = kind_of(content, suffix)
    stem = get_valid_filename(PurePath(name.replace("\\", "/")).stem.strip(". ") or "receipt")[:LONGEST_NAME]
    return stem + (suffix if suffix in suffixes else suffixes[0]), kind


def kind_of(content: bytes, suffix: str) -> tuple[str, tuple[str, ...]]:
    for magic, kind, suffixes in MAGIC:
        if content.startswith(magic):
            return kind, suffixes
    if suffix in TEXTS and is_text(content):
        return TEXTS[suffix], (suffix,)
    raise BadReceipt(_("A receipt is a PDF, a PNG or JPEG image, or a CSV or text file."))


def is_text(content: bytes) -> bool:
    try:
        return "\x00" not in content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False


def save_receipt(*, name: str, kind: str, content: bytes, user: Any) -> Receipt:
    """Keep a file that was `checked`."""
    digest = hashlib.sha256(content).hexdigest()
    return Receipt.objects.create(
        name=name, content_type=kind, content=content, size=len(content), sha256=digest, uploaded_by=user
    )
