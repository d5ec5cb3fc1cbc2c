"""Deployments: who may set them up, the check before saving, switching off, maintenance."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from lib.encryption import encrypt
from providers.audit.log import AuditEntry
from providers.models import Deployment, Maintenance, Outage
from providers.uptime.due_checks import check_now
from tests.factories import MaintenanceFactory, OutageFactory
from tests.pages import html_of
from tests.providers.people import KEY, account, assert_access, deployment, in_role, lease, text

pytestmark = pytest.mark.django_db
LIST, ADD, ONE = "/settings/deployments/", "/settings/deployments/add/", "/settings/deployments/llama/"
SILENCES = "/alerts/silences/"  # whose form plans maintenance too
PLANNED = {"deployment": "llama", "hours": "24"}


def filled(**more: Any) -> dict[str, Any]:
    given = {
        "name": "Llama",
        "engine": "llamacpp",
        "url": "http://127.0.0.1:1",
        "local": "on",
        "model": "tiny",
        "provider": "self",
        "checked": "on",
        "check_every_s": "30",
        "timeout_s": "10",
        "failures_to_confirm": "3",
        "successes_to_recover": "2",
    }
    return {**given, **more}


def post(client: Client, to: str, **data: Any) -> tuple[int, str]:
    response = client.post(to, data)
    return response.status_code, html_of(response)


# Who may.


def test_the_list_is_for_whoever_may_see_deployments() -> None:
    assert_access(LIST, {"nobody": 403, "staff": 403, "manager": 200, "ops": 200, "admin": 200})


def test_adding_is_for_ops() -> None:
    assert_access(ADD, {"nobody": 403, "staff": 403, "manager": 403, "ops": 200, "admin": 200})


def test_one_deployment_is_seen_by_managers_and_changed_by_ops() -> None:
    deployment()
    assert_access(ONE, {"nobody": 403, "staff": 403, "manager": 200, "ops": 200, "admin": 200})


def test_only_ops_change_a_deployment() -> None:
    deployment()
    assert_access(ONE, {"nobody": 403, "staff": 403, "manager": 403, "ops": 422, "admin": 422}, "post")


@pytest.mark.parametrize(("action", "answer"), [("disable", 302), ("enable", 302)])
def test_only_ops_press_the_buttons(action: str, answer: int) -> None:
    deployment()
    expected = {"nobody": 403, "staff": 403, "manager": 403, "ops": answer, "admin": answer}
    assert_access(f"{ONE}{action}/", expected, "post")


def test_only_ops_end_maintenance() -> None:
    now = timezone.now()
    window = MaintenanceFactory.create(
        deployment=deployment(), starts_at=now, ends_at=now + timedelta(hours=1), reason="disk"
    )
    url = f"{ONE}maintenance/{window.pk}/end/"
    assert_access(url, {"nobody": 403, "staff": 403, "manager": 403, "ops": 302, "admin": 302}, "post")
    other = deployment("other")
    assert in_role("ops2").post(f"{LIST}{other.slug}/maintenance/{window.pk}/end/").status_code == 403


def test_a_manager_sees_no_form_and_no_key() -> None:
    made = deployment(api_key="gAAAAAB-something")
    page = text(in_role("manager"), ONE)
    assert "llama.cpp serves tiny" in page
    assert 'name="api_key"' not in page and "Disable" not in page and str(made.api_key) not in page


# Adding and changing.


def test_a_deployment_is_added_and_checked_at_once() -> None:
    assert post(in_role("admin"), ADD, **filled(api_key=KEY))[0] == 302
    made = Deployment.objects.get()
    assert (made.slug, made.api_key.reveal(), made.local) == ("llama", KEY, True)
    assert list(Deployment.objects.due(timezone.now())) == [made]
    assert KEY not in text(in_role("ops"), f"{LIST}llama/")
    assert "All" not in text(in_role("manager"), LIST).split('class="finding">')[1].split("</p>")[0]


EXPOSED = "The key is not sent, because http is not encrypted."


def test_a_key_is_taken_for_http_only_where_an_admin_says_local() -> None:
    public = filled(api_key=KEY, url="http://93.184.216.34:8000")
    status, page = post(in_role("admin"), ADD, **{name: value for name, value in public.items() if name != "local"})
    assert status == 422 and EXPOSED in page
    assert not Deployment.objects.exists()
    deployment(url="https://93.184.216.34", local=False, api_key=encrypt(KEY))
    status, page = post(in_role("ops"), ONE, **filled(url="http://93.184.216.34"))
    assert status == 422 and EXPOSED in page


def test_a_stored_key_is_not_sent_over_http_and_the_page_says_why() -> None:
    """Of a deployment that an earlier version let in."""
    made = deployment(url="http://93.184.216.34:8000", local=False, api_key=encrypt(KEY), checked=False)
    result = check_now(deployment=made)
    assert not result.ok and result.cause.startswith(EXPOSED) and result.latency_ms == 0
    assert "Its key is not sent" in text(in_role("manager"), LIST)


def test_a_form_with_an_error_does_not_repeat_the_key() -> None:
    status, page = post(in_role("admin"), ADD, **filled(api_key=KEY, name=""))
    assert status == 422
    assert KEY not in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("check_every_s", "1"),
        ("timeout_s", "0"),
        ("timeout_s", "600"),
        ("timeout_s", "nan"),
        ("failures_to_confirm", "0"),
        ("successes_to_recover", "1000"),
        ("engine", "abacus"),
        ("url", "file:///etc/passwd"),
        ("url", "http://169.254.169.254/"),
        ("url", "http://user:secret@127.0.0.1:1/"),
        ("provider", "Not A Slug"),
        ("slug", "add"),
        ("context_tokens", "-1"),
        ("max_concurrency", "0"),
        ("max_concurrency", "10001"),
        ("connect_timeout_s", "0"),
        ("total_timeout_s", "1e6"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(field: str, value: str) -> None:
    status, page = post(in_role("admin"), ADD, **filled(**{field: value}))
    assert status == 422
    assert f'id="id_{field}_error"' in page
    assert not Deployment.objects.exists()


def test_only_an_admin_says_that_an_address_is_local() -> None:
    status, page = post(in_role("ops"), ADD, **filled())
    assert status == 422
    assert "Only addresses marked as local may do that" in page
    deployment()
    ops = in_role("ops2")
    assert ops.get(ONE).status_code == 403  # no role of that name


def test_a_local_deployment_keeps_its_address_from_those_who_are_no_admins() -> None:
    deployment()
    assert post(in_role("ops"), ONE, **filled(url="http://127.0.0.1:2", name="Renamed"))[0] == 302
    changed = Deployment.objects.get()
    assert (changed.url, changed.name, changed.local) == ("http://127.0.0.1:1", "Renamed", True)


def test_a_stored_key_is_never_sent_to_a_new_address() -> None:
    admin = in_role("admin")
    post(admin, ADD, **filled(api_key=KEY))
    for action in ("test", "save"):
        status, page = post(admin, ONE, **filled(url="http://127.0.0.1:2", action=action))
        assert status == 422
        assert "Enter the key again" in page
    assert post(admin, ONE, **filled(url="http://127.0.0.1:2", api_key="another-key-1234"))[0] == 302
    assert Deployment.objects.get().api_key.reveal() == "another-key-1234"


def test_saving_leaves_alone_what_a_check_wrote_meanwhile() -> None:
    made = deployment(state="up")
    admin = in_role("admin")
    stale = Deployment.objects.get(pk=made.pk)
    Deployment.objects.filter(pk=made.pk).update(state="down", streak=3)
    from providers.deployments.services import save_deployment

    stale.name = "Renamed"
    save_deployment(deployment=stale, moved=False, was_checked=True, now=timezone.now())
    made.refresh_from_db()
    assert (made.name, made.state, made.streak) == ("Renamed", "down", 3)
    assert admin.get(ONE).status_code == 200


def test_how_many_calls_it_serves_at_once_is_set_here_else_told_by_the_engine() -> None:
    made = deployment()
    admin = in_role("admin")
    assert "no limit set or reported" in text(admin, ONE)
    Deployment.objects.filter(pk=made.pk).update(engine_slots=4)
    assert "4, reported by the engine" in text(admin, ONE)
    assert post(admin, ONE, **filled(max_concurrency="2"))[0] == 302
    page = text(admin, ONE)
    assert "2, as set here" in page
    assert 'name="max_concurrency" value="2"' in page
    assert "More requests wait at the gateway." in page
    assert post(admin, ONE, **filled(max_concurrency=""))[0] == 302
    made.refresh_from_db()
    assert (made.max_concurrency, made.engine_slots) == (None, 4)
    assert post(admin, ONE, **filled(url="http://127.0.0.1:2"))[0] == 302
    made.refresh_from_db()
    assert made.engine_slots is None  # what another engine said


def test_its_time_outs_at_the_gateway_are_set_here_and_audited() -> None:
    made = deployment()
    admin = in_role("admin")
    names = ("connect_timeout_s", "first_byte_timeout_s", "idle_timeout_s", "total_timeout_s")
    assert post(admin, ONE, **filled(**dict.fromkeys(names, "2.5")))[0] == 302
    made.refresh_from_db()
    assert [getattr(made, name) for name in names] == [2.5] * 4
    changes = AuditEntry.objects.filter(object_type="providers.deployment").latest("pk").changes
    assert changes["Time for the whole answer"] == [None, "2.5"]
    assert post(admin, ONE, **filled())[0] == 302
    made.refresh_from_db()
    assert [getattr(made, name) for name in names] == [None] * 4


def test_its_lease_can_be_chosen_and_an_ended_one_stays_with_its_own() -> None:
    where = account()
    running = lease(where, 1)
    ended = lease(where, 2, state="ended", ended_at=timezone.now())
    deployment(lease=ended)
    page = text(in_role("ops"), ONE)
    assert f'<option value="{ended.pk}" selected' in page and f'<option value="{running.pk}"' in page
    assert f'value="{ended.pk}"' not in text(in_role("ops3"), LIST, 403)
    post(in_role("admin"), ONE, **filled(lease=running.pk))
    assert Deployment.objects.get().lease_id == running.pk


# The check before saving, against a real engine.


def test_a_check_climbs_the_ladder_of_a_real_engine(engine_url: str) -> None:
    admin = in_role("admin")
    status, page = post(admin, ADD, **filled(url=engine_url, action="test", probe_completion="on"))
    assert status == 200
    assert "Check succeeded in" in page
    assert "It serves tiny." in page
    assert "Reports metrics" in page
    assert page.count('class="state ok"') >= 4
    assert not Deployment.objects.exists()


def test_a_check_of_the_wrong_model_says_where_it_ended(engine_url: str) -> None:
    _status, page = post(in_role("admin"), ADD, **filled(url=engine_url, model="gpt-7", action="test"))
    assert "Check failed" in page
    assert "3 Serves the model" in page and 'class="state bad"' in page
    assert "tiny" in page


def test_by_htmx_a_check_answers_with_its_result_alone() -> None:
    response = in_role("admin").post(ADD, filled(action="test"), headers={"HX-Request": "true"})
    page = response.content.decode()
    assert "nothing listens there" in page
    assert "<html" not in page and "<form" not in page


# Switching off and maintenance.


def test_switching_off_ends_an_outage_and_keeps_whether_to_check() -> None:
    made = deployment(state="down")
    since = timezone.now() - timedelta(hours=1)
    OutageFactory.create(deployment=made, started_at=since, confirmed_at=since, cause="gone")
    ops = in_role("ops")
    answer = ops.post(f"{ONE}disable/", follow=True)
    assert f"{ONE}enable/" in answer.content.decode()  # the toast's undo
    made.refresh_from_db()
    assert (made.enabled, made.checked, made.state) == (False, True, "unknown")
    assert not Outage.objects.open().exists()
    assert not Deployment.objects.due(timezone.now()).exists()
    assert "All deployments are disabled" in text(ops, LIST)
    ops.post(f"{ONE}enable/")
    assert list(Deployment.objects.due(timezone.now())) == [made]
    assert [entry.message for entry in AuditEntry.objects.order_by("pk")] == ["Disabled.", "Enabled."]


def test_a_deployment_that_is_checked_no_more_is_unknown() -> None:
    deployment()
    data = filled()
    del data["checked"]
    post(in_role("admin"), ONE, **data)
    changed = Deployment.objects.get()
    assert (changed.checked, changed.state) == (False, "unknown")


def test_maintenance_is_planned_seen_and_ended() -> None:
    deployment()
    ops, now = in_role("ops"), timezone.now().replace(second=0, microsecond=0)
    window = {"starts_at": f"{now:%Y-%m-%dT%H:%M}", "ends_at": f"{now + timedelta(hours=2):%Y-%m-%dT%H:%M}"}
    assert post(ops, SILENCES, **PLANNED, **window, reason="new disk")[0] == 302
    made = Maintenance.objects.get()
    assert (made.starts_at, made.ends_at) == (now, now + timedelta(hours=2))
    assert "new disk" in text(ops, ONE)
    ops.post(f"{ONE}maintenance/{made.pk}/end/")
    made.refresh_from_db()
    assert made.ends_at <= timezone.now()


def test_the_old_address_of_the_form_leads_to_the_silences_with_the_deployment_chosen() -> None:
    made, ops = deployment(), in_role("ops")
    answer: Any = ops.get(f"{ONE}maintenance/", follow=True)
    assert answer.redirect_chain == [(f"{SILENCES}?deployment={made.slug}#add", 302)]
    assert f'<option value="{made.slug}" selected>' in answer.content.decode()


def test_a_silence_without_a_deployment_plans_no_maintenance() -> None:
    made, ops = deployment(), in_role("ops")
    assert post(ops, SILENCES, hours="2", reason="x", subject=f"deployment:{made.slug}")[0] == 302
    assert not Maintenance.objects.exists()


def test_a_window_that_has_not_begun_is_taken_back() -> None:
    start = timezone.now() + timedelta(days=1)
    made = MaintenanceFactory.create(
        deployment=deployment(), starts_at=start, ends_at=start + timedelta(hours=1), reason="x"
    )
    in_role("ops").post(f"{ONE}maintenance/{made.pk}/end/")
    assert not Maintenance.objects.exists()


@pytest.mark.parametrize(("start", "end"), [(2, 1), (-5, -4), (1, 1)])
def test_a_window_that_cannot_be_is_refused(start: int, end: int) -> None:
    deployment()
    now = timezone.now()
    window = {
        "starts_at": f"{now + timedelta(hours=start):%Y-%m-%dT%H:%M}",
        "ends_at": f"{now + timedelta(hours=end):%Y-%m-%dT%H:%M}",
    }
    status, page = post(in_role("ops"), SILENCES, **PLANNED, **window, reason="x")
    assert status == 422
    assert 'id="id_ends_at_error"' in page or 'id="id_starts_at_error"' in page
    assert not Maintenance.objects.exists()


def test_the_list_puts_what_is_down_first() -> None:
    deployment("aaa", name="Fine")
    deployment("zzz", name="Broken", state="down", last_cause="It refuses the connection.")
    page = text(in_role("manager"), LIST)
    assert "<b>1 of 2 deployments</b> are up. <b>Broken</b> is down." in page
    assert page.index(">Broken<") < page.index(">Fine<")


def test_maintenance_that_comes_every_week_is_planned_seen_and_ended_for_good() -> None:
    one, ops = deployment(), in_role("ops")
    window = {
        "starts_at": "2026-01-04T02:00",
        "ends_at": "2026-01-04T04:00",
        "zone": "Europe/Berlin",
        "repeats": "week",
    }
    assert post(ops, SILENCES, **PLANNED, **window, reason="backup")[0] == 302, "it comes again, so it is not over"
    made = Maintenance.objects.get()
    assert "every Sunday 02:00–04:00 Europe/Berlin" in text(ops, ONE)
    inside = datetime(2026, 7, 5, 1, tzinfo=UTC)  # 03:00 in summer
    assert Maintenance.objects.spans([one.pk], inside, inside + timedelta(seconds=1))
    assert not Maintenance.objects.spans([one.pk], inside + timedelta(hours=1), inside + timedelta(hours=2))
    ops.post(f"{ONE}maintenance/{made.pk}/end/")
    made.refresh_from_db()
    assert made.repeats_until and made.repeats_until <= timezone.now()
    assert Maintenance.objects.spans([one.pk], inside, inside + timedelta(seconds=1)), "what was planned stays planned"
    assert post(ops, SILENCES, **PLANNED, **window | {"ends_at": "2026-01-12T04:00"}, reason="x")[0] == 422


def test_a_window_that_comes_again_does_not_begin_on_a_night_whose_clock_skips_its_hour() -> None:
    deployment()
    ops = in_role("ops")
    eighth = date(timezone.now().year + 1, 3, 8)
    day = eighth + timedelta(days=6 - eighth.weekday())  # the second Sunday of March
    window = {"starts_at": f"{day}T02:00", "ends_at": f"{day}T03:00", "zone": "America/New_York", "reason": "x"}
    status, page = post(ops, SILENCES, **PLANNED, **window, repeats="day")
    assert status == 422 and "does not exist on that day" in page
    assert post(ops, SILENCES, **PLANNED, **window)[0] == 302
    made = Maintenance.objects.get()
    seven = datetime(day.year, 3, day.day, 7, tzinfo=UTC)  # 03:00 in summer
    assert (made.starts_at, made.ends_at) == (seven, seven + timedelta(hours=1))
