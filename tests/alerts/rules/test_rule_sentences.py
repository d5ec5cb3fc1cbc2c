"""Rules that people make by sentence: what they watch, what the form refuses, what the past would have done."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from alerts.context.evaluation import EvaluationContext
from alerts.defaults import ensure_defaults
from alerts.delivery.compose import compose
from alerts.evaluation import services
from alerts.kinds import KINDS
from alerts.kinds.finding import Finding
from alerts.kinds.sentences import sentence
from alerts.lifecycle.states import Policy
from alerts.metrics import METRICS
from alerts.metrics.metric import Series
from alerts.metrics.scopes import DIMENSIONS, Missing
from alerts.metrics.thresholds import BadThreshold
from alerts.metrics.units import DURATION, PERCENT, REQUESTS, TOKENS, USD, read_amount
from alerts.metrics.watch import Watch
from alerts.models import Alert, Delivery, Rule
from alerts.rules.explain import explain
from alerts.rules.preview import fired, preview
from costs.models import Budget, subject_fields
from providers.audit.log import AuditEntry
from providers.models import Balance, CheckHour
from tests.alerts.conditions import NOW, TODAY, use
from tests.dashboard.logins import logged_in, with_role
from tests.factories import AccountFactory, ApplicationFactory, DeploymentFactory, OutageFactory, PhaseFactory
from tests.query_ceilings import ceiling
from traffic.models import Application, LatencyHour, Rating, UsageHour


@dataclass
class Names:
    """Filters of the API by name."""

    application: list[str] = field(default_factory=list)
    task: list[str] = field(default_factory=list)
    provider: list[str] = field(default_factory=list)
    model: list[str] = field(default_factory=list)
    deployment: list[str] = field(default_factory=list)


pytestmark = pytest.mark.django_db


def watching(figure: str, line: str, window: str = "month", side: str = "over", **scope: str) -> dict[str, Any]:
    return {"figure": figure, "window": window, "scope": scope, "side": side, "line": line}


def found(given: dict[str, Any], now: datetime = NOW) -> Finding:
    kind = KINDS["figure"]
    [finding] = kind.evaluate(EvaluationContext(now), kind.read(given), frozenset())
    return finding


def rule(given: dict[str, Any], slug: str = "ours", **more: Any) -> Rule:
    fields: dict[str, Any] = {"kind": "figure", "name": slug, "thresholds": given, "groups": ["ops"]}
    return Rule.objects.create(slug=slug, **{**fields, **more})


def application(slug: str, owner: Any = None) -> Application:
    return ApplicationFactory.create(slug=slug, owner=owner)


def evaluate(now: datetime = NOW) -> None:
    done = services.evaluate(now=now, kinds=["figure"], wait=True)
    assert not done.errors, done.errors


def test_every_figure_can_be_read_now_and_for_each_thing_that_it_is_known_by(ops: Any) -> None:
    application("bot", ops)
    DeploymentFactory.create(slug="d", url="http://x", model="m")
    PhaseFactory.create(slug="p", name="P", budget_low=1, budget_high=2, starts_on=TODAY)
    use(TODAY, 10)
    for kind_of, subject in (("application", "bot"), ("provider", "anthropic"), ("task", "rag"), ("owner", "olga")):
        Budget.objects.create(
            slug=subject,
            name=subject,
            **subject_fields(kind_of, subject),
            low=1,
            high=2,
            starts_on=TODAY.replace(day=1),
        )
    names = {
        "application": "bot", "provider": "anthropic", "model": "claude-sonnet-5-5", "deployment": "d",
        "task": "rag", "owner": "olga", "phase": "p",
    }  # fmt: skip
    assert names.keys() == DIMENSIONS.keys()
    figures = EvaluationContext(NOW)
    kind = KINDS["figure"]
    for key, figure in METRICS.items():
        scopes: list[dict[str, str]] = [{}, *({one: names[one]} for one in figure.scopes)]
        for place, window in enumerate(figure.windows):
            for scope in scopes:
                given = watching(key, "5", window.value, **scope)
                [finding] = kind.evaluate(figures, kind.read(given), frozenset())
                assert finding.title, (key, window, scope)
            seen = preview(
                Watch.of(watching(key, "5", window.value, **scopes[-1 - place % len(scopes)])), Policy(), NOW
            )
            assert seen.sentence and (seen.series or figure.why_no_history), (key, window)


def test_spend_of_one_application_crosses_its_own_line_and_no_other(ops: Any) -> None:
    one, other = application("one", ops), application("other")
    use(TODAY, 10, application_id=one.pk, cost=Decimal(30))
    use(TODAY, 10, application_id=other.pk, cost=Decimal(90))
    assert found(watching("spend", "29", application="one")).title == (
        "Spend of application one this month: $30, over $29"
    )
    assert not found(watching("spend", "30", application="one")).crossed
    assert found(watching("spend", "80", application="other")).crossed
    assert found(watching("spend", "119", "today")).value == "120"
    assert found(watching("spend", "29", owner="olga")).crossed
    assert not found(watching("spend", "31", owner="olga")).crossed
    assert not found(watching("spend", "1", application="one", task="code")).crossed


def test_the_use_of_a_budget_is_that_of_the_thing_named_and_without_one_says_so(ops_client: Client) -> None:
    bot = application("bot")
    Budget.objects.create(
        slug="b", name="Bot", **subject_fields("application", "bot"), low=10, high=40, starts_on=date(2026, 9, 1)
    )
    use(TODAY, 10, application_id=bot.pk, cost=Decimal(30))
    use(date(2026, 10, 5), 10, application_id=bot.pk, cost=Decimal(38))
    given = watching("budget-use", "70", application="bot")
    title = found(given).title.replace("\N{NO-BREAK SPACE}", " ")
    assert title == "Use of the budget of application bot this month: 75 %, over 70 %"
    seen = preview(Watch.of({**given, "line": "90"}), Policy(), NOW)
    assert [(one.opened_at.date(), one.ended_at and one.ended_at.date()) for one in seen.firings] == [
        (date(2026, 10, 5), date(2026, 11, 1))
    ]
    with pytest.raises(Missing, match="There is no budget in total this month"):
        found(watching("budget-use", "70"))
    refused = ops_client.post(reverse("alerts:rule-new"), sent(figure="budget-use", line="80 %"))
    assert "There is no budget in total this month" in refused.content.decode()


def test_a_lower_bound_is_under_no_line_and_over_those_that_it_has_passed() -> None:
    use(TODAY, 10, cost=Decimal(30), unpriced=1)
    assert not found(watching("spend", "100", side="under")).crossed
    assert "at least $30" in found(watching("spend", "20")).title


def test_what_is_unknown_crosses_nothing() -> None:
    for figure in ("error-rate", "latency-p95"):
        for side in ("over", "under"):
            finding = found(watching(figure, "5", "hour", side))
            assert (finding.crossed, finding.clear, finding.value) == (False, True, ""), (figure, side)


def test_requests_errors_latency_ratings_and_balance_are_those_of_the_rollups() -> None:
    at = NOW - timedelta(hours=1)
    use(TODAY, 0)
    UsageHour.objects.update(hour=at, requests=200, errors=5, output=4000, cost=Decimal(2))
    key = {"application_id": 0, "deployment_id": 0, "provider": "anthropic", "model": "m", "task": "rag"}
    LatencyHour.objects.create(hour=at, metric=1, bucket=350, n=99, **key)
    account = AccountFactory.create(slug="r", name="R", kind="runpod")
    Balance.objects.create(account=account, amount=48, spend_per_hour=1, at=NOW)
    for n in range(40):
        Rating.objects.create(day=TODAY, by=f"p{n}", score=1 if n < 30 else -1, task="rag")
    assert found(watching("requests", "5", "hour")).value == "200"
    title = "Error rate in the last hour: 2.5 %, over 2 %"
    assert found(watching("error-rate", "2", "hour")).title.replace("\N{NO-BREAK SPACE}", " ") == title
    assert found(watching("tokens", "5", "24h")).value == "4000"
    assert found(watching("cost-per-request", "1", "24h")).value == "0.01"
    assert Decimal(1000) < Decimal(found(watching("latency-p95", "1", "hour")).value) < Decimal(1050)
    assert found(watching("balance-days", "3", "now", "under", provider="runpod")).value == "2"
    assert found(watching("quality", "80", "30d", "under", task="rag")).value == "75"


def test_uptime_is_that_of_the_checks() -> None:
    made = DeploymentFactory.create(slug="d", url="http://x", model="m")
    hour = NOW - timedelta(hours=2)
    CheckHour.objects.create(deployment=made, hour=hour, checks=10, failed=5, observed_s=3600)
    OutageFactory.create(
        deployment=made, started_at=hour, confirmed_at=hour, ended_at=hour + timedelta(minutes=36), cause="x"
    )
    assert found(watching("uptime", "99", "today", "under", deployment="d")).value == "40"


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("$1,500", USD, "1500"), ("400 usd", USD, "400"), ("80 %", PERCENT, "80"), ("2 s", DURATION, "2000"),
        ("800ms", DURATION, "800"), ("2M tokens", TOKENS, "2000000"), ("50k", REQUESTS, "50000"), ("0.5", USD, "0.5"),
    ],
)  # fmt: skip
def test_an_amount_is_read_as_people_write_it(text: str, unit: Any, amount: str) -> None:
    assert read_amount(text, unit, "Spend") == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("80 %", "Spend is measured in dollars, not in per cent (“80 %”). Write for instance $400."),
        ("5 parsecs", "Spend is measured in dollars, not in parsecs (“5 parsecs”). Write for instance $400."),
        ("1,5", "“1,5” is not an amount. Write for instance $400."),
        ("-5", "“-5” is not an amount. Write for instance $400."),
        ("nan", "“nan” is not an amount. Write for instance $400."),
        ("9" * 30, f"{'9' * 30} is larger than any possible value."),
    ],
)
def test_a_wrong_unit_is_a_sentence(text: str, said: str) -> None:
    with pytest.raises(BadThreshold) as raised:
        read_amount(text, USD, "Spend")
    assert str(raised.value) == said


def test_a_rule_on_something_deleted_says_so_and_its_alert_ends(ops: Any) -> None:
    made = application("bot")
    use(TODAY, 10, application_id=made.pk, cost=Decimal(30))
    ours = rule(watching("spend", "20", application="bot"))
    evaluate()
    assert Alert.objects.get(rule=ours).state == "open"
    assert Delivery.objects.get().recipient == "olga@example.com"
    made.delete()
    evaluate(NOW + timedelta(minutes=2))
    ours.refresh_from_db()
    assert Alert.objects.get(rule=ours).state == "resolved"
    assert ours.last_error.startswith("The application “bot” was removed")
    assert ours.evaluated_at == NOW + timedelta(minutes=2), "it was looked at, so it is not late"
    assert any("The application “bot” was removed" in line for line in explain(ours, NOW))
    with pytest.raises(Missing):
        found(watching("spend", "20", application="bot"))


def test_an_alert_is_found_by_what_its_rule_names_and_its_mail_says_the_rule(ops: Any) -> None:
    made = application("bot")
    use(TODAY, 10, application_id=made.pk, cost=Decimal(30))
    rule(watching("spend", "20", application="bot", task="rag"))
    evaluate()
    for names, n in ((Names(application=["bot"]), 1), (Names(task=["rag"]), 1), (Names(application=["bo"]), 0)):
        assert Alert.objects.about(names).count() == n, names
    message = compose(Delivery.objects.get())
    assert Alert.objects.get().title == "Spend of application bot and task RAG this month: $30, over $20"
    assert message.subject == "Spend of application bot...RAG this month: $30, over $20"
    assert "spend of application bot and task RAG this month is over $20" in message.body
    assert "/spend/?application=bot&task=rag" in message.body


def test_rules_alerts_and_mails_have_the_names_that_people_gave_and_not_the_slugs(ops: Any) -> None:
    made = ApplicationFactory.create(slug="site-chat", name="Website chat", owner=ops)
    get_user_model().objects.filter(pk=ops.pk).update(first_name="Olga", last_name="Fern")
    use(TODAY, 10, application_id=made.pk, cost=Decimal(30))
    ours = rule(watching("spend", "20", application="site-chat"))
    of_owner = rule(watching("spend", "20", owner="olga"), slug="owners")
    ours.recipients.set([ops])
    evaluate()
    assert sentence(ours).startswith(
        "When spend of application Website chat this month is over $20, notify ops and Olga"
    )
    assert "spend of owner Olga Fern this month" in sentence(of_owner)
    alert = Alert.objects.get(rule=ours)
    assert alert.title == "Spend of application Website chat this month: $30, over $20"
    assert alert.subject == "spend/application:site-chat", "programs know it by its slug"
    message = compose(Delivery.objects.filter(alert=alert).latest("pk"))
    assert "site-chat" not in re.sub(r"https?://\S+", "", f"{message.subject}\n{message.body}")
    seen = preview(Watch.of(ours.thresholds), Policy(), NOW)
    assert seen.chart["series"][0]["name"] == "Spend of application Website chat this month"
    made.delete()
    assert "spend of application “site-chat” (removed) this month" in sentence(ours)


def test_the_sentences_of_many_rules_read_each_table_of_names_once(
    ops_client: Client, django_assert_max_num_queries: Any
) -> None:
    for n in range(12):
        ApplicationFactory.create(slug=f"bot-{n}", name=f"Bot {n}")
        rule(watching("spend", "20", application=f"bot-{n}"), slug=f"r{n}")
    with django_assert_max_num_queries(ceiling("/alerts/rules/ with names of applications")):
        page = ops_client.get(reverse("alerts:rules")).content.decode()
    assert all(f"spend of application Bot {n} this month" in page for n in range(12))


def test_a_deleted_rule_is_silent_and_one_brought_back_speaks_again(ops: Any) -> None:
    use(TODAY, 10, cost=Decimal(30))
    ours = rule(watching("spend", "20"))
    evaluate()
    Rule.objects.update(deleted_at=NOW)
    evaluate(NOW + timedelta(minutes=2))
    assert [alert.state for alert in Alert.objects.all()] == ["resolved"]
    Rule.objects.update(deleted_at=None)
    evaluate(NOW + timedelta(minutes=4))
    assert Alert.objects.filter(rule=ours, state="open").count() == 1


def test_any_number_of_rules_of_one_shape_costs_the_same_queries(ops: Any, django_assert_num_queries: Any) -> None:
    for n in range(30):
        application(f"app-{n}")
        rule(watching("spend", "500", application=f"app-{n}"), f"spend-{n}")
        rule(watching("error-rate", "5", "hour", application=f"app-{n}"), f"errors-{n}")
    evaluate()
    with django_assert_num_queries(ceiling("evaluation of rules of two shapes")):
        evaluate(NOW + timedelta(minutes=1))
    assert Rule.objects.filter(took_us__gt=0, evaluated_at=NOW + timedelta(minutes=1)).count() == 60


def test_a_rule_is_said_as_a_sentence_and_explained(ops: Any) -> None:
    use(TODAY, 10, cost=Decimal(30))
    ours = rule(watching("spend", "20"), for_s=3600)
    said = "When spend this month is over $20 for 1 h, notify ops by e-mail."
    assert sentence(ours) == said
    lines = "\n".join(explain(ours, NOW))
    assert said in lines and "value 30, limit 20: limit exceeded." in lines
    ours.thresholds = watching("nothing", "20")
    assert sentence(ours) == "There is no figure “nothing”. Choose another."


def test_the_preview_says_when_it_would_have_fired_and_for_how_long() -> None:
    use(TODAY - timedelta(days=40), 5, cost=Decimal(50))
    use(TODAY - timedelta(days=20), 5, cost=Decimal(70))
    seen = preview(Watch.of(watching("spend", "40", "today")), Policy(), NOW)
    assert [firing.opened_at.date() for firing in seen.firings] == [date(2026, 10, 15), date(2026, 11, 4)]
    assert seen.sentence == (
        "In the last 90 days it would have fired 2 times, last on 4 Nov. Total 1 d 22 h, the longest 23 h."
    )
    assert len(seen.chart["shades"]) == 2
    calm = preview(Watch.of(watching("spend", "90", "today")), Policy(), NOW)
    assert calm.sentence == "In the last 90 days it would not have fired. The highest value was $70."
    month = preview(Watch.of(watching("spend", "60")), Policy(), NOW)
    assert month.firings[-1].ended_at is None and month.sentence.endswith("It would be open now.")


def test_the_preview_has_the_patience_of_the_rule() -> None:
    hours = [datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(24)]
    watch = Watch.of(watching("error-rate", "5", "hour"))
    values = [Decimal(9) if 2 <= n < 4 or 8 <= n < 14 else Decimal(1) for n in range(24)]
    series: Series = list(zip(hours, values, strict=True))
    patience = Policy(timedelta(hours=3), timedelta(hours=1))
    [one] = fired(watch, patience, series, hours[-1])
    assert (one.opened_at, one.ended_at) == (hours[11], hours[15])
    assert len(list(fired(watch, Policy(), series, hours[-1]))) == 2


# The pages.


@pytest.fixture
def ops_client() -> Client:
    return logged_in(with_role("ops"))


def sent(**more: Any) -> dict[str, Any]:
    form = {
        "figure": "spend", "window": "month", "side": "over", "line": "$400", "for_s": "3600", "severity": "warning",
        "groups": ["ops"],
    }  # fmt: skip
    return {**form, **more}


def test_an_error_rate_of_too_few_requests_is_unknown_now_and_in_the_past(ops: Any) -> None:
    use(TODAY, 4, errors=1)
    rate = watching("error-rate", "5", "24h")
    assert found(rate).crossed, "a rule without the number counts every request, as it did"
    assert not found(rate | {"least": 20}).crossed and found(rate | {"least": 20}).value == ""
    assert found(rate | {"least": 4}).crossed
    assert preview(Watch.of(rate | {"least": 4}), Policy(), NOW).firings
    assert not preview(Watch.of(rate | {"least": 5}), Policy(), NOW).firings
    assert Watch.of(rate | {"least": 5}).json == rate | {"least": 5}
    assert sentence(rule(rate | {"least": 20}, for_s=0)).startswith(
        "When error rate in the last 24 hours is over 5\N{NO-BREAK SPACE}% of at least 20 requests, notify ops"
    )


def test_a_new_rule_about_a_rate_waits_for_20_requests_unless_told_otherwise(ops_client: Client) -> None:
    new, rate = reverse("alerts:rule-new"), {"figure": "error-rate", "window": "hour", "line": "5 %"}
    for entered, stored in (({}, 20), ({"least": "50"}, 50), ({"least": "1"}, 1)):
        ops_client.post(new, sent(**rate, **entered))
        assert Rule.objects.latest("pk").thresholds["least"] == stored
    ops_client.post(new, sent(least="50"))
    assert "least" not in Rule.objects.latest("pk").thresholds, "spend is no share of requests"
    assert ops_client.post(new, sent(**rate, least="0")).status_code == 422


def test_the_sentence_is_shown_while_a_rule_is_written(ops_client: Client) -> None:
    new = reverse("alerts:rule-new")
    shown = ops_client.post(new, sent(sentence="1")).content.decode()
    made = ops_client.post(new, sent(), follow=True).content.decode()
    text = "When spend this month is over $400 for 1 h, notify ops by e-mail."
    assert text in shown and text in made and Rule.objects.count() == 1
    assert "Not complete yet." in ops_client.post(new, sent(line="", sentence="1")).content.decode()


def test_a_rule_is_made_tried_changed_copied_switched_off_deleted_and_brought_back(ops_client: Client) -> None:
    application("bot")
    new = reverse("alerts:rule-new")
    tried = ops_client.post(new, sent(application="bot", preview="1"))
    assert "In the last 90 days" in tried.content.decode() and not Rule.objects.exists()
    made = ops_client.post(new, sent(application="bot"), follow=True)
    assert (
        "When spend of application bot this month is over $400 for 1 h, notify ops by e-mail." in made.content.decode()
    )
    ours = Rule.objects.get()
    assert ours.slug == "spend-of-application-bot-this-month-over-400"
    page = reverse("alerts:rule", args=[ours.slug])
    assert "In the last 90 days" in ops_client.get(page + "?preview=1").content.decode()
    ops_client.post(page, sent(application="bot", line="$500", name="Bot"))
    ours.refresh_from_db()
    assert (ours.thresholds["line"], ours.name) == ("500", "Bot")
    copy = ops_client.get(new + f"?from={ours.slug}").content.decode()
    assert 'value="$500"' in copy and '<option value="bot" selected>' in copy
    ops_client.post(reverse("alerts:rule-switch", args=[ours.slug]))
    ours.refresh_from_db()
    assert not ours.enabled
    gone = ops_client.post(reverse("alerts:rule-delete", args=[ours.slug]), follow=True).content.decode()
    assert reverse("alerts:rule-restore", args=[ours.slug]) in gone
    assert ops_client.get(page).status_code == 404
    ops_client.post(reverse("alerts:rule-restore", args=[ours.slug]))
    assert ops_client.get(page).status_code == 200
    assert AuditEntry.objects.filter(object_id=str(ours.pk)).count() == 5


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"line": "80 %"}, "Spend is measured in dollars"),
        ({"window": "hour"}, "Spend is only available “today” or “this month”"),
        ({"figure": "uptime", "line": "99 %", "task": "rag"}, "Uptime is not available by task, only by provider or"),
        ({"figure": "run-rate", "window": "now", "line": "5", "task": "rag"}, "only available as a total"),
        ({"groups": []}, "Choose at least one group or person"),
        ({"application": "bot", "owner": "olga"}, "Choose an application or an owner"),
        ({"application": "gone"}, "gone is not one of the available choices"),
    ],
)
def test_what_cannot_be_watched_is_a_sentence_at_the_field(
    ops_client: Client, ops: Any, more: dict[str, Any], said: str
) -> None:
    application("bot")
    answer = ops_client.post(reverse("alerts:rule-new"), sent(**more))
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Rule.objects.exists()


def test_a_form_of_a_rule_on_something_deleted_still_shows_its_name(ops_client: Client) -> None:
    ours = rule(watching("spend", "20", application="bot"), last_error="The application “bot” was removed.")
    shown = ops_client.get(reverse("alerts:rule", args=[ours.slug])).content.decode()
    assert "“bot” (removed)" in shown and "was removed" in shown


def test_the_list_costs_the_same_for_any_number_of_rules(
    ops_client: Client, django_assert_max_num_queries: Any
) -> None:
    for n in range(60):
        rule(watching("spend", "500"), f"spend-{n}")
    with django_assert_max_num_queries(ceiling("/alerts/rules/")):
        shown = ops_client.get(reverse("alerts:rules")).content.decode()
    assert "Custom rules (60)" in shown and shown.count("/alerts/rules/spend-") == 50
    assert "spend-7" in ops_client.get(reverse("alerts:rules") + "?q=spend-7").content.decode()


def test_a_shipped_rule_can_be_switched_off_but_not_deleted(ops_client: Client) -> None:
    ensure_defaults()
    assert ops_client.post(reverse("alerts:rule-delete", args=["budget"])).status_code == 404
    assert ops_client.post(reverse("alerts:rule-switch", args=["budget"])).status_code == 302
    assert not Rule.objects.get(slug="budget").enabled


def test_names_are_only_ever_text(ops_client: Client) -> None:
    evil = "<script>alert(1)</script>"
    get_user_model().objects.create_user(evil, "e@example.com")
    rule(watching("requests", "5", model=evil), name=evil)
    for page in (reverse("alerts:rules"), reverse("alerts:rule", args=["ours"]), reverse("alerts:rule-new")):
        assert evil not in ops_client.get(page).content.decode(), page
