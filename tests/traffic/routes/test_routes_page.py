"""Routes are added, changed with all their conditions and fallbacks, deleted and brought back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from providers.models import Deployment
from tests.dashboard.logins import logged_in, with_role
from tests.factories import ApplicationFactory
from traffic.models import Route
from traffic.routes.forms import FALLBACKS, FOLDS

pytestmark = pytest.mark.django_db
URL = "/settings/routes/"


@pytest.fixture
def ops() -> Client:
    with_role("ops")
    return logged_in(User.objects.get(username="ops"))


@pytest.fixture
def machines() -> list[Deployment]:
    made = [
        Deployment(slug=f"m{n}", name=f"M{n}", provider="self", engine="vllm", url=f"http://m{n}:8000", model="m")
        for n in range(3)
    ]
    return Deployment.objects.bulk_create(made)


def given(**more: Any) -> dict[str, Any]:
    return {
        "name": "Long code",
        "slug": "long-code",
        "enabled": "on",
        "falls_back": "on",
        "to_provider": "self",
        **more,
    }


def test_a_rule_is_added_with_every_condition_before_the_one_for_all(ops: Client, machines: list[Deployment]) -> None:
    Route.objects.create(order=1, slug="code", name="Code", to_provider="self", tasks=["code"])
    last = Route.objects.create(order=2, slug="all", name="All else", to_provider="self")
    assert ops.get(URL + "add/").context["form"].initial["before"] == last
    sent = given(
        tasks=["code"], requested_models="claude-*\nm", self_only_model="on", over_tokens="9000", over_context="on",
        media="False", private="True", budget_states=["over"], percent="30", before=last.pk,
        fallback_1=machines[2].pk, fallback_2=machines[0].pk,
    )  # fmt: skip
    response = ops.post(URL + "add/", sent)
    assert response.status_code == 302, response.context["form"].errors
    rule = Route.objects.get(slug="long-code")
    assert (rule.requested_models, rule.media, rule.private) == (["claude-*", "m"], False, True)
    assert (rule.over_tokens, rule.over_context, rule.self_only_model, rule.percent) == (9000, True, True, 30)
    assert [one.deployment for one in rule.fallback_set.all()] == [machines[2], machines[0]]
    assert list(Route.objects.values_list("slug", flat=True))[-2:] == ["long-code", last.slug]


def test_what_is_shown_is_what_is_stored_and_saving_it_changes_nothing(ops: Client, machines: list[Deployment]) -> None:
    ops.post(URL + "add/", given(media="True", requested_models="m", fallback_1=machines[1].pk))
    form = ops.get(URL + "long-code/").context["form"]
    shown = {name: form[name].value() for name in form.fields}
    sent = {name: value.pk if isinstance(value, Deployment) else value for name, value in shown.items() if value}
    before = Route.objects.values().get(slug="long-code")
    assert ops.post(URL + "long-code/", sent).status_code == 302
    assert Route.objects.values().get(slug="long-code") == before
    assert [one.deployment for one in Route.objects.get(slug="long-code").fallback_set.all()] == [machines[1]]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"requested_models": "cl*ude"}, "requested_models"),
        ({"slug": "add"}, "slug"),
        ({"percent": "0"}, "percent"),
        ({"to_provider": ""}, "__all__"),
        ({"fallback_1": "0", "fallback_2": "0"}, "fallback_2"),
        ({"fallback_1": "0", "falls_back": ""}, "fallback_1"),
        ({"to_provider": "", "deployment": "1", "fallback_1": "1"}, "fallback_1"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(
    ops: Client, machines: list[Deployment], wrong: dict[str, str], field: str
) -> None:
    chosen = {name: machines[int(v)].pk if name in (*FALLBACKS, "deployment") else v for name, v in wrong.items()}
    response = ops.post(URL + "add/", given(**chosen))
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert not Route.objects.filter(name="Long code").exists()


def test_a_deleted_rule_comes_back_as_it_was_and_once(ops: Client, machines: list[Deployment]) -> None:
    application = ApplicationFactory.create(slug="a", name="A")
    ops.post(URL + "add/", given(applications=[application.pk], deployment=machines[0].pk, fallback_1=machines[1].pk))
    before = Route.objects.values().get(slug="long-code") | {"id": 0}
    assert b'action="/settings/routes/long-code/delete/"' in ops.get(URL).content  # the list has it, too
    response = ops.post(URL + "long-code/delete/", follow=True)
    assert b"/settings/routes/undo/" in response.content
    assert not Route.objects.filter(slug="long-code").exists()
    ops.post(URL + "undo/")
    rule = Route.objects.get(slug="long-code")
    assert Route.objects.values().get(slug="long-code") | {"id": 0} == before
    assert list(rule.applications.all()) == [application]
    assert [one.deployment for one in rule.fallback_set.all()] == [machines[1]]
    assert b"no deleted route" in ops.post(URL + "undo/", follow=True).content


def test_a_rule_for_an_application_that_is_gone_comes_back_out_of_use(ops: Client, machines: list[Deployment]) -> None:
    application = ApplicationFactory.create(slug="a", name="A")
    ops.post(URL + "add/", given(applications=[application.pk]))
    ops.post(URL + "long-code/delete/")
    application.delete()
    ops.post(URL + "undo/")
    assert not Route.objects.get(slug="long-code").enabled


def open_folds(response: Any) -> list[str]:
    return re.findall(r'<details class="fold" open>\s*<summary>(.+?) <span', response.content.decode())


def test_what_most_routes_leave_alone_is_folded_away_and_nothing_is_shown_twice(
    ops: Client, machines: list[Deployment]
) -> None:
    response = ops.get(URL + "add/")
    form = response.context["form"]
    shown = [field.name for field in form.always()] + [field.name for fold in form.folds() for field in fold.fields]
    assert sorted(shown) == sorted(form.fields)
    assert response.content.count(b'<details class="fold">') == len(FOLDS)
    assert open_folds(response) == []
    page = re.sub(r"<[^>]+>", " ", response.content.decode().partition("<main")[2])
    assert not re.search(r"\brules?\b", page, re.IGNORECASE)


@pytest.mark.parametrize(
    ("more", "title"),
    [
        ({"percent": "30"}, "More conditions"),
        ({"media": "False"}, "More conditions"),
        ({"falls_back": ""}, "Fallbacks"),
        ({"fallback_2": "1"}, "Fallbacks"),
        ({"strategy": "least_busy"}, "Equal deployments"),
        ({"canary": "1", "canary_percent": "5"}, "Canary"),
        ({"shadow": "1", "shadow_usd": "2"}, "Shadow"),
    ],
)
def test_a_fold_with_a_value_is_open(ops: Client, machines: list[Deployment], more: dict[str, str], title: str) -> None:
    chosen = {name: machines[1].pk if value == "1" else value for name, value in more.items()}
    assert ops.post(URL + "add/", given(**chosen)).status_code == 302
    assert open_folds(ops.get(URL + "long-code/")) == [title]
    assert open_folds(ops.post(URL + "long-code/", given(name="", **chosen))) == [title]


def test_a_fold_with_an_error_is_open(ops: Client, machines: list[Deployment]) -> None:
    response = ops.post(URL + "add/", given(shadow=machines[1].pk))
    assert list(response.context["form"].errors) == ["shadow_usd"]
    assert open_folds(response) == ["Shadow"]
