"""`manage.py mails DIR`: the newest mail of every kind as files that a browser opens, to look at them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from alerts.delivery.compose import compose
from alerts.delivery.mailbox import of_message
from alerts.models import Delivery


class Command(BaseCommand):
    help = "Write the newest mail of every kind, as it would be sent now, into a directory: HTML, text, attachments."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("directory", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        directory: Path = options["directory"]
        directory.mkdir(parents=True, exist_ok=True)
        for name, delivery in newest().items():
            self.stdout.write(write(directory, name, delivery))


def write(directory: Path, name: str, delivery: Delivery) -> str:
    """One mail as files that a browser opens; what was written, in a line."""
    mail = of_message(compose(delivery).message().as_bytes())
    stem = directory / re.sub(r"[^a-z0-9-]+", "-", name)
    stem.with_suffix(".html").write_text(mail.with_pictures, encoding="utf-8")
    stem.with_suffix(".txt").write_text(f"{mail.subject}\n\n{mail.text}", encoding="utf-8")
    for file in mail.files:
        (directory / Path(file.name).name).write_bytes(file.content)
    return f"{stem.name}: {mail.subject}"


def newest() -> dict[str, Delivery]:
    """By kind and what became of it; mails that list several, and those of the calendar, by themselves."""
    by_name: dict[str, Delivery] = {}
    rows = Delivery.objects.filter(channel="email").exclude(state="folded").select_related("alert__rule", "report")
    for delivery in rows.select_related("transition").order_by("pk"):
        if delivery.report:
            name = delivery.report.kind
        elif delivery.deferred_by and delivery.folded.exists():
            name = f"held-{delivery.deferred_by}"
        else:
            name = f"{delivery.alert.rule.kind}-{delivery.transition.after}"
        by_name[name] = delivery
    return by_name
