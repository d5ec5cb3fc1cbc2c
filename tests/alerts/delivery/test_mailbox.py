"""The demo's mailbox reads its Maildir and lets no mail do anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from alerts.delivery import mailbox
from tests.alerts.conftest import person


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.DEMO, settings.DATA_DIR = True, tmp_path
    for part in ("new", "cur", "tmp"):
        (tmp_path / "mail" / part).mkdir(parents=True)
    return tmp_path / "mail"


@pytest.fixture
def reader(db: Any) -> Client:
    user = person("rita", None)
    user.user_permissions.add(Permission.objects.get(codename="view_alert"))
    client = Client()
    client.force_login(user)
    return client


def put(folder: Path, name: str, subject: str = "Down: mistral-7b", html: str = "<p>hello</p>") -> None:
    message = EmailMultiAlternatives(subject, "See http://x.example/alerts/1/ <b>now</b>", to=["olga@example.com"])
    message.attach_alternative(html, "text/html")
    (folder / "new" / name).write_bytes(message.message().as_bytes())


def test_mails_are_listed_newest_first_and_their_names_are_only_text(folder: Path, reader: Client) -> None:
    put(folder, "1.a")
    put(folder, "2.b", subject="<script>x</script> grün")
    html = reader.get("/mail/").content.decode()
    assert "2 mails, the newest" in html
    assert "&lt;script&gt;x&lt;/script&gt; grün" in html


def test_a_mail_shows_its_text_and_its_html_in_a_frame_that_can_do_nothing(folder: Path, reader: Client) -> None:
    put(folder, "1.a", html="<script>parent.x()</script>")
    page = reader.get("/mail/1.a/")
    assert 'href="http://x.example/alerts/1/"' in page.content.decode()
    assert "&lt;b&gt;now&lt;/b&gt;" in page.content.decode()
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    assert "<script>parent" not in page.content.decode()
    framed = reader.get("/mail/1.a/html/")
    policy = framed["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert framed["X-Frame-Options"] == "SAMEORIGIN"


def test_links_of_a_mail_open_in_a_new_tab_for_its_frame_shows_no_page(folder: Path, reader: Client) -> None:
    put(folder, "1.a", html='<!doctype html><html><head><title>x</title></head><a href="http://x.example/">go</a>')
    put(folder, "2.b", html='<a href="http://x.example/">go</a>')
    assert b'<head><base target="_blank"><title>' in reader.get("/mail/1.a/html/").content
    assert reader.get("/mail/2.b/html/").content.startswith(b'<base target="_blank"><a ')


@pytest.mark.parametrize("name", ["..", ".hidden", "../../secret.key", "%2e%2e%2fsecret.key", "a/b", "nope"])
def test_no_name_leads_out_of_the_mailbox(folder: Path, reader: Client, name: str) -> None:
    (folder.parent / "secret.key").write_text("secret")
    assert mailbox.find(name) is None
    assert reader.get(f"/mail/{name}/").status_code in (301, 302, 404)


def test_what_is_no_mail_is_shown_as_far_as_it_can_be(folder: Path, reader: Client) -> None:
    (folder / "new" / "1.bad").write_bytes(b"\xff\xfe not a mail \x00\r\nDate: never\r\n\r\n\x80")
    assert reader.get("/mail/").status_code == 200
    assert reader.get("/mail/1.bad/").status_code == 200
    assert reader.get("/mail/1.bad/html/").status_code == 404


def test_an_empty_mailbox_says_so_and_outside_the_demo_there_is_none(
    folder: Path, reader: Client, settings: Any
) -> None:
    assert b"The demo mailbox is empty" in reader.get("/mail/").content
    settings.DEMO = False
    assert reader.get("/mail/").status_code == 404
    assert Client().get("/mail/").status_code == 302
