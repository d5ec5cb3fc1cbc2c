"""Kinds of rule about pace, speed, failures, quality, models and what runs out: when each opens and when it is over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from alerts.context.evaluation import EvaluationContext
from alerts.evaluation import services
from alerts.kinds import KINDS
from alerts.kinds.finding import Finding
from alerts.models import Alert, Rule
from alerts.rules.explain import explain
from costs.ledger.expiring_days import ExpiringDays, expiring_days
from costs.models import ExportTarget, Phase, Posting, Stage
from lib.disk import Disk, floor_of
from providers.connectors.base import ConnectorError
from providers.models import Feed, Model, Outage, TokenPrice
from providers.polling.services import record_failure, record_success
from tests.alerts.conditions import (
    DAY,
    HOUR,
    NOW,
    TODAY,
    account,
    break_down,
    bucket_of,
    deployment,
    feed,
    findings,
    hour,
    only,
    rated,
    sends,
    spend,
    timed,
    use,
)
from tests.factories import ApplicationFactory, LeaseFactory, PhaseFactory, TokenPriceFactory
from tests.query_ceilings import ceiling
from traffic.authentication.keys import create_key, rotate_key
from traffic.models import Key, LatencyDay, LatencyHour, SealedDay, UsageDay, UsageHour


def over(kind: str, subject: str, **thresholds: Any) -> Finding:
    """How a subject that has an alert stands once what caused it has gone."""
    return only(kind, live=frozenset({subject}), **thresholds)


# Pace and stages.


@pytest.fixture
def phase(db: Any) -> Phase:
    return PhaseFactory.create(
        slug="scale-up", name="Scale-up", budget_low=300, budget_high=720, volume_from=100_000, volume_to=500_000,
        starts_on=date(2026, 10, 1), ends_on=date(2027, 1, 1),
    )  # fmt: skip


def test_a_budget_burns_only_where_both_the_day_and_the_last_hour_are_too_fast(phase: Phase) -> None:
    hour(NOW - HOUR, 10, cost=Decimal(24))  # $24 in the last hour: 24 times the pace; over the day only once
    found = only("burn-rate")
    assert (found.crossed, found.clear, found.value) == (False, False, "1.00")
    hour(NOW - 5 * HOUR, 10, cost=Decimal(72))
    found = only("burn-rate")
    assert (found.crossed, found.title) == (True, "Spending 4.0 times too fast: Scale-up, $4.00 an hour")
    assert found.subject == "burn:phase:scale-up:2026-11"
    assert found.words["detail"].startswith("At this rate the remaining $720.00 lasts 7 d 12 h, until ")
    UsageHour.objects.filter(hour=NOW - HOUR).delete()
    found = only("burn-rate")
    assert (found.crossed, found.clear) == (False, True), "the last hour is calm again, whatever the day was"


def test_the_machines_that_are_rented_burn_a_budget_too(phase: Phase) -> None:
    LeaseFactory.create(
        account=account(), external_id="pod1", gpu="H100", price_per_hour=Decimal(5), state="running",
        started_at=NOW, seen_at=NOW,
    )  # fmt: skip
    found = only("burn-rate")
    assert (found.crossed, found.value) == (True, "5.00")


def test_a_stage_is_told_at_its_end_and_when_it_costs_more_than_its_total(db: Any) -> None:
    stage = Stage.objects.create(
        slug="poc", name="Proof of concept", starts_on=TODAY - 20 * DAY, ends_on=TODAY + DAY, budget=120
    )
    spend("100", TODAY - DAY)
    assert only("stage").clear
    spend("25")
    found = only("stage")
    assert (found.title, found.severity) == ("Over its total: Proof of concept, $125.00 of $120", "warning")
    Stage.objects.update(budget=200, ends_on=TODAY)
    found = only("stage")
    assert (found.crossed, found.title) == (True, "Stage ended: Proof of concept, $100.00 of $200")
    assert found.words["detail"] == "It ran from 4 November 2026 to 23 November 2026."
    stage.refresh_from_db()
    Stage.objects.update(ends_on=TODAY - 14 * DAY)
    assert over("stage", "stage:poc").clear, "two weeks later it is no news"


# How requests fare.


def test_a_deployment_that_is_several_times_slower_than_usual_is_told(db: Any) -> None:
    one = deployment()
    for n in range(1, 8):
        timed(LatencyDay, TODAY - n * DAY, one.pk, bucket_of(500), 100)
    timed(LatencyHour, NOW - HOUR, one.pk, bucket_of(1400), 30)
    found = only("latency")
    assert (found.crossed, found.clear) == (False, False), "between the clear line of 1.2 s and the line of 1.5 s"
    LatencyHour.objects.update(bucket=bucket_of(1600))
    found = only("latency")
    assert (found.crossed, found.title) == (True, "Slow: mistral-7b, p95 1.6 s, usually 497 ms")
    assert found.depends_on == ("deployment:mistral-7b", "provider:self")
    LatencyHour.objects.update(n=19)
    assert over("latency", "latency:mistral-7b").clear, "too few to tell"
    LatencyHour.objects.update(n=30, bucket=bucket_of(600))
    assert only("latency").clear


def test_without_a_past_a_first_token_after_ten_seconds_is_slow_all_the_same(db: Any) -> None:
    one = deployment()
    timed(LatencyHour, NOW - HOUR, one.pk, bucket_of(9_000), 30)
    assert not only("latency").crossed
    LatencyHour.objects.update(bucket=bucket_of(12_000))
    found = only("latency")
    assert (found.crossed, found.words["facts"][1][1]) == (True, "unknown")


def test_failing_requests_are_told_by_deployment_with_the_applications_that_feel_it(db: Any) -> None:
    one, rag = deployment(), ApplicationFactory.create(slug="rag", name="Rag")
    hour(NOW - HOUR, 80, deployment_id=one.pk, application_id=rag.pk, errors=8, provider="self", model="m")
    found = only("error-rate")
    assert (found.crossed, found.title) == (True, "Errors: mistral-7b, 10\N{NO-BREAK SPACE}%, 8 of 80 requests fail")
    assert found.words["drivers"] == [["Rag", "8", "100\N{NO-BREAK SPACE}%"]]
    assert found.words["page"] == "/requests/?deployment=mistral-7b&outcome=error"
    UsageHour.objects.update(errors=5)
    assert (only("error-rate").crossed, only("error-rate").clear) == (False, False)
    UsageHour.objects.update(errors=4)
    assert only("error-rate").clear
    UsageHour.objects.update(hour=NOW - 5 * HOUR)
    assert over("error-rate", "errors:mistral-7b").title == "No requests to fail: mistral-7b"


def test_a_few_failures_of_few_requests_are_no_error_rate(db: Any) -> None:
    hour(NOW - HOUR, 4, errors=4, model="claude-sonnet-5-5")
    found = only("error-rate")
    assert (found.crossed, found.subject) == (False, "errors:anthropic/claude-sonnet-5-5")


def test_quality_falls_when_ratings_say_so_beyond_chance(db: Any) -> None:
    rated(100, 90, TODAY - 30 * DAY)
    rated(29, 10, TODAY - DAY)
    assert findings("quality") == [], "29 ratings say nothing"
    rated(21, 15, TODAY - DAY)
    found = only("quality")
    assert (found.crossed, found.title) == (
        True, "Quality fell: mistral-7b, 50\N{NO-BREAK SPACE}% accepted, before 90\N{NO-BREAK SPACE}%",
    )  # fmt: skip
    rated(300, 285, TODAY)
    assert only("quality").clear


# Models.


def price(output: int, starts_at: datetime) -> TokenPrice:
    return TokenPriceFactory.create(
        model="claude-sonnet-5-5", starts_at=starts_at, uncached_input=Decimal(3),
        output=Decimal(output), source="the vendor's list", seen_at=starts_at,
    )  # fmt: skip


def test_a_price_that_changed_is_told_with_what_it_costs_a_month(db: Any) -> None:
    use(TODAY, 10, uncached_input=1_000_000, output=2_000_000)
    price(15, NOW - 100 * DAY)
    assert findings("price") == [], "it has had one price for long"
    new = price(18, NOW - DAY)
    found = only("price")
    assert (found.crossed, found.title) == (True, "Price changed: claude-sonnet-5-5, +$6.00 a month since 23 Nov")
    assert found.words["facts"][0] == ["Output", "$15 → $18", "USD per 1M tokens"]
    assert found.severity == "warning"
    TokenPrice.objects.filter(pk=new.pk).update(starts_at=NOW + 3 * DAY)
    assert only("price").title == "Price will change: claude-sonnet-5-5, +$6.00 a month from 27 Nov"
    TokenPrice.objects.filter(pk=new.pk).update(starts_at=NOW - 8 * DAY)
    assert over("price", found.subject).clear


def test_the_price_of_a_model_that_nobody_uses_is_no_news(db: Any) -> None:
    price(15, NOW - 100 * DAY)
    price(18, NOW - DAY)
    assert findings("price") == []


def test_a_model_that_retires_is_told_with_who_still_uses_it(db: Any) -> None:
    analyst = ApplicationFactory.create(slug="analyst", name="Analyst")
    Model.objects.create(provider="anthropic", name="claude-sonnet-4-5", retires_on=date(2026, 11, 30))
    assert findings("retiring") == [], "nobody uses it"
    use(TODAY, 40, model="claude-sonnet-4-5-20250929", application_id=analyst.pk)
    found = only("retiring")
    assert (found.crossed, found.title) == (True, "Retires in 6 days: claude-sonnet-4-5, 40 requests in 7 days")
    assert (found.severity, found.words["drivers"][0][0]) == ("critical", "analyst")
    assert found.words["page"] == "/requests/?provider=anthropic&model=claude-sonnet-4-5-20250929"
    assert only("retiring", now=NOW + 6 * DAY).title.startswith("Retired: claude-sonnet-4-5 on 30 November 2026")
    UsageDay.objects.update(day=TODAY - 8 * DAY)
    assert over("retiring", found.subject).clear


def test_a_vendors_spend_limit_is_told_once_and_not_as_a_failing_poll(db: Any) -> None:
    one = feed(account(), failures=2)
    record_failure(one, ConnectorError("Claude's spend limit is reached.", retry_after=6 * 86_400, capped=True), NOW)
    found = only("spend-cap")
    assert (found.crossed, found.title) == (True, "Limit reached: Claude org, until 30 Nov 2026, 12:00 UTC")
    late = next(found for found in findings("late") if found.subject == "account:claude")
    assert late.covered_by == found.subject
    record_success(Feed.objects.get(), 1, None, NOW)
    assert over("spend-cap", found.subject).clear


# What should come and does not.


def test_an_application_is_silent_only_against_its_own_rhythm(db: Any) -> None:
    app = ApplicationFactory.create(slug="docs-qa", name="Docs")
    sends(app, weeks=3, requests=30, hours=range(6, 20))
    assert findings("late-ingest", now=NOW.replace(hour=10, minute=30)) == [], "an hour and a half"
    found = only("late-ingest")
    assert found.title == "Silent: Docs, nothing for 3 h, usually 90 requests"
    assert (found.since, found.labels) == (NOW.replace(hour=9), {"application": "docs-qa"})
    assert findings("late-ingest", requests=91) == []
    hour(NOW - HOUR, 1, application_id=app.pk)
    assert over("late-ingest", found.subject).title == "Sends as usual: Docs"


def test_nights_weekends_and_newcomers_are_not_silent(db: Any) -> None:
    app = ApplicationFactory.create(slug="docs-qa", name="Docs")
    sends(app, weeks=3, requests=30, hours=range(6, 9))
    assert findings("late-ingest", now=NOW.replace(hour=23)) == [], "it never sends after nine"
    UsageHour.objects.filter(hour__lt=NOW - 8 * DAY).delete()
    assert findings("late-ingest", now=NOW + DAY) == [], "a week of history says too little"


# What runs out.


def on_disk(used: int, total: int = 1000, params: dict[str, Any] | None = None) -> list[Finding]:
    figures, gb = EvaluationContext(NOW), 1024**3
    sizes = Disk(total * gb, used * gb, (total - used) * gb, floor_of(total * gb))
    figures.__dict__["disk"] = sizes  # read at most once: as if it had been
    kind = KINDS["system-disk"]
    return list(kind.evaluate(figures, kind.read(params or {}), frozenset()))


@pytest.mark.parametrize(
    ("used", "crossed", "clear", "severity"),
    [(819, False, True, ""), (840, False, False, ""), (850, True, False, ""), (960, True, False, "critical")],
)
def test_a_disk_that_fills_up_is_told_before_it_is_full(
    db: Any, used: int, crossed: bool, clear: bool, severity: str
) -> None:
    [found] = on_disk(used)
    assert (found.crossed, found.clear, found.severity) == (crossed, clear, severity)


@pytest.mark.parametrize(
    ("used", "crossed", "clear", "severity"),
    [(90, False, True, ""), (93, False, False, ""), (95, True, False, "critical"), (98, True, False, "critical")],
)
def test_the_floor_is_told_before_it_is_reached_whatever_the_rule_says(
    db: Any, used: int, crossed: bool, clear: bool, severity: str
) -> None:
    """On 100 GB nothing is taken in with less than 3 GB free."""
    [finding] = on_disk(used, total=100, params={"percent": "100", "gb": "0.1"})
    assert (finding.crossed, finding.clear, finding.severity) == (crossed, clear, severity)
    assert ("Below 3.0 GB free" in finding.words["detail"]) == crossed


def test_a_small_disk_is_told_by_what_is_free(db: Any) -> None:
    [found] = on_disk(8, total=9)
    assert (found.crossed, found.title) == (True, "Disk fills up: 89\N{NO-BREAK SPACE}% used, 1.0 GB free")


def keeps(**more: Any) -> list[Finding]:
    figures = EvaluationContext(NOW)
    kept: dict[str, Any] = {
        "days": 400,
        "first": date(2025, 10, 24),
        "goes_in": 5,
        "overdue": [],
        "unbilled": [],
        "approaching": False,
    }
    figures.kept_days = lambda ahead: ExpiringDays(**(kept | more))  # type: ignore[method-assign]  # as if days had passed
    kind = KINDS["system-retention"]
    live = frozenset(f"retention:{name}" for name in ("overdue", "unbilled", "first"))
    return list(kind.evaluate(figures, kind.read({}), live))


def test_days_that_go_before_their_bill_is_whole_are_told(db: Any) -> None:
    crossed = {found.subject: found.title for found in keeps(
        overdue=[date(2025, 10, 1)], unbilled=[(date(2025, 10, 24), "anthropic")], approaching=True
    ) if found.crossed}  # fmt: skip
    assert crossed == {
        "retention:overdue": "Retention late: 1 day of requests to delete",
        "retention:unbilled": "Days deleted before their bill: anthropic, until 24 Oct",
        "retention:first": "First requests deleted: those of 24 Oct, in 5 days",
    }
    assert all(found.clear for found in keeps())


def test_which_days_go_is_read_from_the_partitions_and_the_bills(transactional_db: Any, settings: Any) -> None:
    from lib.partitions import drop_partition, make_partitions
    from traffic.ingest.context import raw_connection

    settings.RETENTION_DAYS = 30
    soon, late = TODAY - 27 * DAY, TODAY - 40 * DAY
    use(soon, 3, cost=Decimal(1))
    with raw_connection() as conn:
        make_partitions(conn, "traffic_request", [soon, late])
    kept = expiring_days(TODAY, 7)
    assert (kept.first, kept.overdue, kept.unbilled, kept.approaching) == (late, [late], [], False)
    Posting.objects.create(at=NOW, complete={"anthropic": soon.isoformat()})
    assert expiring_days(TODAY, 7).unbilled == [(soon, "anthropic")]
    Posting.objects.update(complete={"anthropic": (soon + DAY).isoformat()})
    assert expiring_days(TODAY, 7).unbilled == []
    with raw_connection() as conn:
        drop_partition(conn, "traffic_request", late)
    kept = expiring_days(TODAY, 7)
    assert (kept.goes_in, kept.approaching) == (4, True)
    SealedDay.objects.create(day=late, totals={})
    assert not expiring_days(TODAY, 7).approaching, "days go every day by now"


def test_a_key_that_expires_is_told_until_it_is_replaced(db: Any) -> None:
    app = ApplicationFactory.create(slug="docs-qa", name="Docs")
    key, _secret = create_key(name="prod", scopes=["ingest"], application=app, expires_at=NOW + 20 * DAY)
    assert findings("system-key") == []
    Key.objects.update(expires_at=NOW + 6 * DAY + 5 * HOUR)
    found = only("system-key")
    assert found.title == f"Key expires in 6 d 5 h: prod ({key.hint}…) of Docs"
    assert found.words["page"] == "/settings/applications/docs-qa/"
    Key.objects.update(expires_at=NOW - 2 * HOUR)
    found = only("system-key")
    assert (found.title, found.severity) == (f"Key expired 2 h ago: prod ({key.hint}…) of Docs", "critical")
    Key.objects.update(created_at=NOW - 300 * DAY, expires_at=NOW + DAY)
    rotate_key(key=key, overlap=DAY, now=NOW)
    assert over("system-key", found.subject).clear


def test_a_certificate_that_ends_is_told_until_a_check_sees_a_new_one(db: Any) -> None:
    one = deployment(tls_expires_at=NOW + 15 * DAY)
    assert findings("system-certificate") == []
    one.tls_expires_at = NOW + 3 * DAY
    one.save()
    found = only("system-certificate")
    assert (found.title, found.value) == ("Certificate expires in 3 d: mistral-7b", "3")
    one.tls_expires_at = NOW + 90 * DAY
    one.save()
    assert over("system-certificate", found.subject).title == "Certificate renewed: mistral-7b, until 22 February 2027"


def target(**given: Any) -> ExportTarget:
    """One that is written daily and was until yesterday noon."""
    values = {"name": "Lake", "kind": "folder", "folder": "finance", "since": date(2026, 10, 1), **given}
    made = ExportTarget.objects.create(**{"succeeded_at": NOW - DAY, "files": 6, **values})
    ExportTarget.objects.update(created_at=NOW - 30 * DAY)
    return made


def test_an_export_that_keeps_failing_is_told_with_its_error_until_its_files_arrive(db: Any) -> None:
    one = target(error="/exports/finance cannot be written to: No space left on device.", tried_at=NOW)
    begun = NOW.replace(hour=0)
    assert findings("late-export", now=begun + 2.9 * HOUR) == []
    found = only("late-export", now=begun + 3 * HOUR)
    assert (found.subject, found.title) == (f"export:{one.pk}", "Export failing: Lake, no success for 3 h")
    assert (found.crossed, found.value, found.threshold, found.since) == (True, "3.0", "3", begun)
    assert found.words["facts"][1][1] == one.error
    assert found.words["todo"].startswith("Fix the folder’s space")
    live = frozenset({found.subject})
    one.succeeded_at, one.error = begun + 4 * HOUR, ""
    one.save()
    again = only("late-export", live=live)
    assert (again.clear, again.title) == (True, "Export works again: Lake, 6 files")
    one.delete()
    assert findings("late-export", live=live) == []


def test_an_export_that_fails_by_hand_after_its_files_arrived_is_neither_late_nor_well(db: Any) -> None:
    one = target(succeeded_at=NOW, error="no")
    assert findings("late-export") == []
    [found] = findings("late-export", live=frozenset({f"export:{one.pk}"}))
    assert (found.crossed, found.clear) == (False, False)


def test_an_export_that_nobody_runs_is_ours_to_mend_and_one_that_is_off_is_no_news(db: Any) -> None:
    one = target(kind="s3", succeeded_at=None)
    found = only("late-export")
    assert found.title == "Export overdue: Lake, not run for 30 d"
    assert "worker and beat" in found.words["todo"]
    ExportTarget.objects.update(error="The store refused it: SignatureDoesNotMatch.")
    assert "bucket or keys" in only("late-export").words["todo"]
    ExportTarget.objects.update(enabled=False)
    assert findings("late-export") == []
    assert over("late-export", f"export:{one.pk}").title == "Export switched off: Lake, 0 files are due"


def test_a_monthly_export_is_late_from_the_first_of_the_next_month(db: Any) -> None:
    target(every="month", succeeded_at=datetime(2026, 11, 1, 1, tzinfo=UTC), error="no")
    assert findings("late-export", now=datetime(2026, 11, 30, 23, tzinfo=UTC)) == []
    assert only("late-export", now=datetime(2026, 12, 1, 3, tzinfo=UTC)).crossed


def test_an_exports_alert_opens_after_its_patience_and_resolves(db: Any) -> None:
    one = target(error="no")
    for minutes in (0, 16):
        services.evaluate(now=NOW + timedelta(minutes=minutes), kinds=["late-export"], wait=True)
    assert Alert.objects.get().state == "open"
    ExportTarget.objects.filter(pk=one.pk).update(succeeded_at=NOW + HOUR / 2, error="")
    services.evaluate(now=NOW + HOUR, kinds=["late-export"], wait=True)
    assert Alert.objects.get().state == "resolved"


NEW = (
    "burn-rate", "stage", "latency", "error-rate", "quality", "price", "retiring", "spend-cap", "late-ingest",
    "system-disk", "system-restarts", "system-retention", "system-key", "system-certificate",
    "late-export",
)  # fmt: skip


def test_a_kinds_life_from_its_mail_to_its_end_goes_through_the_same_states(phase: Phase) -> None:
    hour(NOW - HOUR, 10, cost=Decimal(24))
    hour(NOW - 5 * HOUR, 10, cost=Decimal(72))
    services.evaluate(now=NOW, kinds=["burn-rate"], wait=True)
    assert Alert.objects.get().state == "open"
    assert any("limit exceeded" in line for line in explain(Rule.objects.get(slug="burn-rate"), NOW))
    UsageHour.objects.filter(hour=NOW - HOUR).delete()
    for minutes in (1, 17):
        services.evaluate(now=NOW + timedelta(minutes=minutes), kinds=["burn-rate"], wait=True)
    assert Alert.objects.get().state == "resolved"


def test_no_kind_asks_more_of_the_database_for_more_applications(db: Any, django_assert_max_num_queries: Any) -> None:
    from django.db import connection

    def ask() -> dict[str, int]:
        counts = {}
        for kind in NEW:
            with CaptureQueriesContext(connection) as queries:
                findings(kind)
            counts[kind] = len(queries)
        return counts

    def fill(first: int, last: int) -> None:
        for n in range(first, last):
            app = ApplicationFactory.create(slug=f"app-{n}", name=f"App {n}")
            one = deployment(f"d{n}", tls_expires_at=NOW + DAY)
            more = {"application_id": app.pk, "deployment_id": one.pk, "provider": "self", "model": f"m{n}"}
            hour(NOW - HOUR, 100, errors=50, **more)
            hour(NOW - 20 * HOUR, 100, **more)
            timed(LatencyHour, NOW - HOUR, one.pk, bucket_of(3_000), 30)
            create_key(name="k", scopes=["ingest"], application=app, expires_at=NOW + DAY)
            use(TODAY, 100, **more)
            Model.objects.create(provider="self", name=f"m{n}", retires_on=TODAY)

    fill(0, 2)
    few = ask()
    fill(2, 8)
    assert ask() == few
    assert max(few.values()) <= ceiling("findings of any other kind")


def test_deployments_go_by_their_names_in_titles_and_sentences(db: Any) -> None:
    pods = [deployment(f"d{n}", "runpod", name=f"Pod {n}", tls_expires_at=NOW + 2 * DAY) for n in range(3)]
    for pod in pods:
        break_down(pod)
    vendor = next(found for found in findings("outage") if found.subject == "provider:runpod")
    assert vendor.words["detail"] == "These are down: Pod 0, Pod 1 and Pod 2."
    titles = [found.title for found in findings("outage") if found.subject != "provider:runpod"]
    assert titles == [f"Down: Pod {n}, for 3 min so far" for n in range(3)]
    Outage.objects.update(ended_at=NOW)
    up = next(found for found in findings("outage", live=frozenset({"deployment:d1"})))
    assert (up.title, up.words["over"]) == ("Up again: Pod 1, after 3 min", "Was down: Pod 1, for 3 min")
    assert findings("system-certificate")[0].title == "Certificate expires in 2 d: Pod 0"
    hour(NOW - HOUR, 40, deployment_id=pods[0].pk, errors=30)
    [failing] = findings("error-rate")
    assert failing.title.startswith("Errors: Pod 0, 75")
    assert (failing.subject, failing.labels["deployment"]) == ("errors:d0", "d0")
    [over] = findings("error-rate", now=NOW + 3 * HOUR, live=frozenset({"errors:d0"}))
    assert over.title == "No requests to fail: Pod 0"
    [few] = findings("latency", live=frozenset({"latency:d2"}))
    assert few.title == "Too few requests to judge: Pod 2"
