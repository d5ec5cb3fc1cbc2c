"""Accounts: who may set them up, that a key never comes back, and what each button does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from lib.encryption import encrypt
from providers.audit.log import AuditEntry
from providers.models import Account, Feed
from providers.polling.due import claim
from providers.polling.services import poll
from sandbox.runpod import KEY as RUNPOD_KEY
from sandbox.testing import Sandbox
from tests.pages import html_of
from tests.providers.people import KEY, account, assert_access, in_role, read, text

pytestmark = pytest.mark.django_db
LIST, ADD = "/settings/accounts/", "/settings/accounts/add/runpod/"
EVERY = {"every_offers": "10", "every_leases": "1", "every_costs": "60", "every_balance": "10"}


def filled(**more: Any) -> dict[str, Any]:
    return {"name": "RunPod", "base_url": "", "secret": KEY, "action": "untested", **EVERY, **more}


def post(client: Client, to: str, **data: Any) -> tuple[int, str]:
    response = client.post(to, data)
    return response.status_code, html_of(response)


# Who may.


def test_the_list_is_for_whoever_may_see_accounts() -> None:
    assert_access(LIST, {"nobody": 403, "staff": 403, "manager": 200, "ops": 200, "admin": 200})


@pytest.mark.parametrize("url", ["/settings/accounts/add/", ADD])
def test_adding_is_for_ops(url: str) -> None:
    assert_access(url, {"nobody": 403, "staff": 403, "manager": 403, "ops": 200, "admin": 200})


def test_one_account_is_seen_by_managers_and_changed_by_ops() -> None:
    account()
    url = f"{LIST}runpod/"
    assert_access(url, {"nobody": 403, "staff": 403, "manager": 200, "ops": 200, "admin": 200})


def test_only_ops_change_an_account() -> None:
    account()
    # 422: they may, but what they sent is no form.
    assert_access(f"{LIST}runpod/", {"nobody": 403, "staff": 403, "manager": 403, "ops": 422, "admin": 422}, "post")


@pytest.mark.parametrize("action", ["poll", "disable", "enable"])
def test_only_ops_press_the_buttons(action: str) -> None:
    account()
    url = f"{LIST}runpod/{action}/"
    assert_access(url, {"nobody": 403, "staff": 403, "manager": 403, "ops": 302, "admin": 302}, "post")
    assert in_role("looker").get(url).status_code in (403, 405)


def test_a_manager_sees_how_polls_go_but_no_form() -> None:
    account()
    page = text(in_role("manager"), f"{LIST}runpod/")
    assert "Runpod</b> is read on time" in page
    assert 'name="secret"' not in page and "Poll now" not in page
    assert "Add an account" not in text(in_role("staff2"), LIST, 403)


def test_what_is_not_there_is_404() -> None:
    ops = in_role("ops")
    assert ops.get(f"{LIST}nothing/").status_code == 404
    assert ops.get("/settings/accounts/add/nobody/").status_code == 404


# The key.


def test_a_key_is_stored_encrypted_and_never_comes_back() -> None:
    ops = in_role("ops")
    assert post(ops, ADD, **filled())[0] == 302
    made = Account.objects.get()
    assert (made.slug, made.kind, made.secret.reveal()) == ("runpod", "runpod", KEY)
    assert KEY not in str(made.secret)
    assert set(made.feeds.values_list("kind", flat=True)) == {"offers", "leases", "costs", "balance"}
    for url in (LIST, f"{LIST}runpod/", "/providers/"):
        page = text(ops, url)
        assert KEY not in page and str(made.secret) not in page
    assert KEY not in "".join(entry.message for entry in AuditEntry.objects.all())


@pytest.mark.parametrize("action", ["save", "untested", "test"])
def test_a_form_with_an_error_does_not_repeat_the_key(action: str) -> None:
    status, page = post(in_role("ops"), ADD, **filled(name="", action=action))
    assert status == 422
    assert "1 error: please fix it" in page
    assert KEY not in page
    assert not Account.objects.exists()


def test_an_empty_key_keeps_the_stored_one() -> None:
    account()
    assert post(in_role("ops"), f"{LIST}runpod/", **filled(name="Pods", secret=""))[0] == 302
    changed = Account.objects.get()
    assert (changed.name, changed.secret.reveal()) == ("Pods", KEY)


def test_a_stored_key_is_never_sent_to_a_new_address(sandbox: Sandbox) -> None:
    account(local=True, base_url="http://127.0.0.1:1")
    for action in ("test", "save", "untested"):
        data = filled(secret="", base_url=f"{sandbox.url}/runpod", local="on", action=action)
        status, page = post(in_role(f"admin{action}"), f"{LIST}runpod/", **data)
        assert status == 403
    admin = in_role("admin")
    status, page = post(admin, f"{LIST}runpod/", **filled(secret="", base_url=f"{sandbox.url}/runpod", local="on"))
    assert status == 422
    assert "Enter the key again: the address that it is sent to has changed." in page


def test_an_account_without_a_key_is_not_stored() -> None:
    status, page = post(in_role("ops"), ADD, **filled(secret=""))
    assert (status, "The vendor requires a key." in page) == (422, True)


# Local.


def test_only_an_admin_says_that_an_address_is_local(sandbox: Sandbox) -> None:
    local = filled(base_url=f"{sandbox.url}/runpod", local="on", secret=RUNPOD_KEY)
    status, page = post(in_role("ops"), ADD, **local)
    assert status == 422
    assert "The base URL must be https" in page
    assert post(in_role("admin"), ADD, **local)[0] == 302
    assert Account.objects.get().local


def test_a_local_account_keeps_its_address_from_those_who_are_no_admins() -> None:
    account(local=True, base_url="http://127.0.0.1:1")
    ops = in_role("ops")
    assert 'name="local"' not in text(ops, f"{LIST}runpod/")
    assert post(ops, f"{LIST}runpod/", **filled(base_url="http://127.0.0.1:2"))[0] == 302
    assert Account.objects.get().base_url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:9", "https://10.1.2.3", "https://169.254.169.254", "ftp://example.com", "nonsense"]
)
def test_an_address_inside_our_network_is_refused_with_a_sentence(url: str) -> None:
    status, page = post(in_role("ops"), ADD, **filled(base_url=url))
    assert status == 422
    assert 'id="id_base_url_error"' in page


@pytest.mark.parametrize("minutes", ["0.9", "0", "-1", "x", "99999999"])
def test_no_list_is_read_more_than_once_a_minute(minutes: str) -> None:
    status, page = post(in_role("ops"), ADD, **filled(every_leases=minutes))
    assert status == 422
    assert 'id="id_every_leases_error"' in page


# Test and save, over real HTTP.


def at(sandbox: Sandbox, **more: Any) -> dict[str, Any]:
    return filled(base_url=f"{sandbox.url}/runpod", local="on", secret=RUNPOD_KEY) | more


def test_a_test_says_what_the_vendor_says_and_stores_nothing(sandbox: Sandbox) -> None:
    admin = in_role("admin")
    status, page = post(admin, ADD, **at(sandbox, action="test"))
    assert status == 200
    assert "The key works for a RunPod account" in page and "<h1>" in page
    status, page = post(admin, ADD, **at(sandbox, action="test", secret="rpa_wrongwrongwrong"))
    assert "rejected the key (401)" in page
    assert "rpa_wrongwrongwrong" not in page
    assert not Account.objects.exists()


def test_by_htmx_a_test_answers_with_its_result_alone(sandbox: Sandbox) -> None:
    admin = in_role("admin")
    response = admin.post(ADD, at(sandbox, action="test"), headers={"HX-Request": "true"})
    page = response.content.decode()
    assert "The key works" in page and "<html" not in page and "<form" not in page
    response = admin.post(ADD, at(sandbox, action="test", name=""), headers={"HX-Request": "true"})
    assert response.status_code == 422
    assert "1 error: please fix it" in response.content.decode()


def test_saving_asks_the_vendor_first(sandbox: Sandbox) -> None:
    admin = in_role("admin")
    status, page = post(admin, ADD, **at(sandbox, action="save", secret="rpa_wrongwrongwrong"))
    assert status == 422
    assert "rejected the key (401)" in page and "Nothing was stored." in page
    assert not Account.objects.exists()
    assert post(admin, ADD, **at(sandbox, action="save"))[0] == 302
    for feed in claim(timezone.now(), account=Account.objects.get()):
        assert poll(feed)
    page = text(admin, f"{LIST}runpod/")
    assert "All feeds up to date" in page
    assert "Last changed by admin" in page


def test_a_new_name_alone_needs_no_vendor() -> None:
    account(local=True, base_url="http://127.0.0.1:1")  # nothing listens there
    data = filled(name="Pods", secret="", base_url="http://127.0.0.1:1", local="on", action="save")
    assert post(in_role("admin"), f"{LIST}runpod/", **data)[0] == 302


# How polls go.


def test_a_poll_now_makes_every_list_due(sandbox: Sandbox) -> None:
    made = account()
    Feed.objects.update(due_at=timezone.now() + timedelta(hours=1))
    in_role("ops").post(f"{LIST}runpod/poll/")
    assert made.feeds.filter(due_at__lte=timezone.now()).count() == 4


def test_a_poll_under_way_is_not_started_twice() -> None:
    made = account()
    later = timezone.now() + timedelta(hours=1)
    Feed.objects.update(due_at=later, claimed_until=later)
    in_role("ops").post(f"{LIST}runpod/poll/")
    assert not made.feeds.filter(due_at__lt=later).exists()


def test_switching_off_stops_polls_and_is_undone_by_one_press() -> None:
    made = account()
    ops = in_role("ops")
    answer = ops.post(f"{LIST}runpod/disable/", follow=True)
    assert f"{LIST}runpod/enable/" in answer.content.decode()  # the toast's undo
    assert claim(timezone.now() + timedelta(days=1)) == []
    assert "is disabled and not read" in text(ops, f"{LIST}runpod/")
    ops.post(f"{LIST}runpod/enable/")
    made.refresh_from_db()
    assert made.enabled
    assert len(claim(timezone.now())) == 4
    said = [entry.message for entry in AuditEntry.objects.order_by("pk")]
    assert said == ["Disabled.", "Enabled."]


def test_an_account_that_was_refused_says_so_and_starts_anew_when_enabled() -> None:
    made = account(enabled=False, disabled_reason="RunPod rejected the key (401).")
    read(
        made, timedelta(hours=3), failures=3, last_error="RunPod rejected the key (401).", last_error_at=timezone.now()
    )
    ops = in_role("ops")
    page = text(ops, LIST)
    assert "Key rejected" in page and "RunPod rejected the key (401)." in page and "Replace key" in page
    assert "rejects our key, so polls stopped" in text(ops, f"{LIST}runpod/")
    ops.post(f"{LIST}runpod/enable/")
    made.refresh_from_db()
    assert (made.enabled, made.disabled_reason) == (True, "")
    assert set(made.feeds.values_list("failures", flat=True)) == {0}


def test_the_list_puts_the_worst_first_with_its_last_error() -> None:
    account("aaa", name="Fine")
    broken = account("zzz", name="Broken")
    error = {"last_error": "RunPod has a problem (502).", "last_error_at": timezone.now()}
    read(broken, timedelta(hours=2), failures=7, **error)
    page = text(in_role("ops"), LIST)
    assert "<b>1 of 2 accounts</b> are read on time. <b>Broken</b> was last read" in page
    assert page.index(">Broken<") < page.index(">Fine<")
    assert "7 in a row" in page


def test_a_key_of_another_installation_is_said_in_a_sentence() -> None:
    account(secret="gAAAAAB-not-ours")
    status, page = post(in_role("ops"), f"{LIST}runpod/", **filled(secret="", action="test"))
    assert status == 200
    assert "stored under another BREAKEVEN_KEY" in page


# What a vendor needs besides.


def test_a_vendors_own_settings_are_asked_for_and_others_are_kept() -> None:
    made = account("google", "google", settings={"projects": ["a", "b"], "kept": 1}, secret=encrypt(KEY))
    ops = in_role("ops")
    assert 'value="a, b"' in text(ops, f"{LIST}google/")
    every = {"every_offers": "1440", "every_leases": "2", "every_costs": "240", "every_usage": "240"}
    data = {"name": "Google", "base_url": "", "action": "untested", "option_billing_table": "p.d.t", **every}
    assert post(ops, f"{LIST}google/", **data, option_projects="c,  d,")[0] == 302
    made.refresh_from_db()
    assert dict(made.feeds.values_list("kind", "every_s"))["costs"] == 240 * 60
    assert made.settings == {"projects": ["c", "d"], "billing_table": "p.d.t", "kept": 1}


def test_names_may_repeat_and_slugs_do_not() -> None:
    ops = in_role("ops")
    for _n in range(3):
        assert post(ops, ADD, **filled())[0] == 302
    assert post(ops, ADD, **filled(name="add"))[0] == 302
    assert list(Account.objects.values_list("slug", flat=True)) == ["add-2", "runpod", "runpod-2", "runpod-3"]
