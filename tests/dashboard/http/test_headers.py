"""Headers and hosts: nothing of people is kept, https stays https, pages answer at the names that were set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client, override_settings

from dashboard.http.headers import page_hosts
from tests.dashboard.logins import logged_in, with_role
from tests.servers import free_environment

BASE = Path(__file__).resolve().parents[3]


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["/", "/settings/", "/api/v1/spend", "/nothing/here/", "/login/"])
def test_pages_and_json_are_kept_nowhere(url: str) -> None:
    assert (
        logged_in(with_role("admin")).get(url)["Cache-Control"].startswith(("no-store", "max-age=0, no-cache, no-st"))
    )


def test_static_files_are_kept() -> None:
    answer = Client().get("/static/css/page.css")
    assert answer.status_code == 200 and "no-store" not in answer.get("Cache-Control", "")


@pytest.mark.django_db
def test_https_once_is_https_from_then_on() -> None:
    with override_settings(HTTPS=True):
        assert Client().get("/login/")["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in Client().get("/login/")


def settings_with(url: str, tmp_path: Path) -> dict[str, object]:
    """Some settings of a process that was started with this public URL."""
    names = "SESSION_COOKIE_NAME CSRF_COOKIE_NAME SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE HTTPS PAGE_HOSTS"
    code = (
        "import json; from dashboard import settings as s;"
        f"print(json.dumps({{n: getattr(s, n) for n in '{names}'.split()}}, default=sorted))"
    )
    environment = free_environment(BREAKEVEN_URL=url, BREAKEVEN_DATA=str(tmp_path))
    run = [sys.executable, "-c", code]
    return dict(json.loads(subprocess.check_output(run, cwd=BASE, env=environment | {"PYTHONPATH": str(BASE)})))


def test_behind_https_cookies_are_this_hosts_alone(tmp_path: Path) -> None:
    behind = settings_with("https://breakeven.example.com", tmp_path)
    assert behind["SESSION_COOKIE_NAME"] == "__Host-sessionid" and behind["CSRF_COOKIE_NAME"] == "__Host-csrftoken"
    assert behind["SESSION_COOKIE_SECURE"] and behind["CSRF_COOKIE_SECURE"] and behind["HTTPS"]
    assert "breakeven.example.com" in str(behind["PAGE_HOSTS"])
    plain = settings_with("http://127.0.0.1:8000", tmp_path)
    assert plain["SESSION_COOKIE_NAME"] == "sessionid" and not plain["HTTPS"]
    assert os.environ.get("BREAKEVEN_URL") is None


@pytest.mark.parametrize(
    ("url", "more", "expected"),
    [
        ("", "", set()),
        ("http://127.0.0.1:8000", "*", set()),
        ("https://a.example", "", {"a.example", "localhost", "127.0.0.1", "[::1]"}),
        ("", "b.example, C.example", {"b.example", "c.example", "localhost", "127.0.0.1", "[::1]"}),
    ],
)
def test_pages_have_the_names_that_were_set(url: str, more: str, expected: set[str]) -> None:
    assert page_hosts(url, more) == expected


@pytest.mark.django_db
def test_pages_answer_at_their_hosts_and_programs_at_any() -> None:
    with override_settings(PAGE_HOSTS=page_hosts("https://a.example", "")):
        for host, page in (("a.example", 200), ("a.example:8443", 200), ("127.0.0.1:8000", 200), ("evil.example", 400)):
            assert Client(HTTP_HOST=host).get("/login/").status_code == page, host
            assert Client(HTTP_HOST=host).get("/healthz").status_code == 200, host
            assert Client(HTTP_HOST=host).get("/metrics").status_code == 401, host
    assert Client(HTTP_HOST="evil.example").get("/login/").status_code == 200
