"""`manage.py mails` writes every kind of mail as files."""

from __future__ import annotations

from pathlib import Path

from django.core.management import call_command

from alerts.models import Delivery


def test_the_newest_mail_of_each_kind_is_written_with_its_picture_in_it(grown: Delivery, tmp_path: Path) -> None:
    call_command("mails", str(tmp_path))
    html = (tmp_path / "outage-open.html").read_text()
    assert 'src="data:image/png;base64,' in html and "cid:" not in html
    assert (tmp_path / "outage-open.txt").read_text().startswith("Still open: Down: a, $12.50\n")
