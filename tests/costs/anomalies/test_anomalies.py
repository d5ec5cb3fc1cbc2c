"""Anomalies: what is planted in a generated series is found with its driver, and what is only noise is not."""

from __future__ import annotations

import logging
import math
import random
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext

from alerts.evaluation import services as alerts
from alerts.models import Alert
from costs.anomalies import dismiss, look, look_back, restore
from costs.anomalies.find import AnomalyFound, Windows, find, news, too_little
from costs.anomalies.history import DAYS, begun, judge
from costs.anomalies.page import AnomaliesPage
from costs.anomalies.reads import SHORT_H
from costs.anomalies.sums import COLUMNS, METRICS, Sums
from costs.anomalies.wording import sentence
from costs.models import Anomaly, AnomalyLook
from providers.audit.log import AuditEntry
from tests.alerts.conftest import person
from tests.costs.usage_rows import usage
from tests.factories import ApplicationFactory, PhaseFactory, TokenPriceFactory
from tests.query_ceilings import ceiling
from traffic.models import Application, UsageDay, UsageHour

NOW = datetime(2026, 11, 24, 12, 20, tzinfo=UTC)
END = NOW.replace(minute=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEIGHT = (1, 1, 1, 1, 1, 3, 10, 34, 70, 88, 92, 84, 52, 66, 90, 92, 84, 60, 28, 12, 7, 5, 3, 2)
RATES = {
    "uncached_input": Decimal(3), "cache_read": Decimal("0.3"), "cache_write_5m": Decimal("3.75"),
    "cache_write_1h": Decimal(6), "output": Decimal(15),
}  # fmt: skip
BOOK = {"big": RATES, "small": {name: rate / 3 for name, rate in RATES.items()}}

Shape = dict[str, float]
Change = Callable[[str, str, datetime, Shape], None]


def shape(now: datetime, at: datetime) -> Shape:
    """What an hour is like before anything is planted: busy days, quiet weekends, growth of a tenth a month."""
    weekend = 0.3 if at.weekday() >= 5 else 1.0
    growth = 1.1 ** ((at - now) / timedelta(days=30))
    return {
        "requests": WEIGHT[at.hour] * weekend * growth, "prompt": 2400, "hit": 0.85, "output": 250, "failing": 0.01,
        "ms": 2500, "big": 0.3,
    }  # fmt: skip


def hours_of(
    rng: random.Random, app: str, now: datetime, days: int, plant: Change | None = None
) -> Mapping[tuple[str, datetime], Sums]:
    """Hours of one application by model."""
    found: dict[tuple[str, datetime], Sums] = {}
    for n in range(days * 24):
        at = now - (n + 1) * HOUR
        for model in ("big", "small"):
            like = shape(now, at)
            if plant:
                plant(app, model, at, like)
            mean = like["requests"] * (like["big"] if model == "big" else 1 - like["big"])
            requests = max(0, round(rng.gauss(mean, math.sqrt(mean) + 0.1 * mean)))
            if requests:
                found[model, at] = one_hour(rng, requests, like, model)
    return found


def one_hour(rng: random.Random, requests: int, like: Shape, model: str) -> Sums:
    def about(mean: float, each: float) -> float:
        return mean * math.exp(rng.gauss(0, each / math.sqrt(requests)))

    hit = min(1.0, max(0.0, rng.gauss(like["hit"], 0.4 / math.sqrt(requests))))
    prompt = round(requests * about(like["prompt"], 0.5))
    read = round(prompt * hit * 0.9)
    tokens = {
        "uncached_input": prompt - read,
        "cache_read": read,
        "output": round(requests * about(like["output"], 0.6)),
    }
    cost = sum((n * BOOK[model][name] / 1_000_000 for name, n in tokens.items()), Decimal(0))
    errors = sum(rng.random() < like["failing"] for _ in range(requests))
    took = round(requests * about(like["ms"], 0.6) * 1000)
    return Sums(requests=requests, errors=errors, cost=cost, latency_us=took, timed=requests, **tokens)


class Series:
    """Hours of some applications, added up from the first on so that any window is a difference."""

    def __init__(self, now: datetime, days: int, seed: int, plant: Change | None = None, apps: int = 2) -> None:
        self.now, self.days = now, days
        rng = random.Random(seed)
        self.so_far: dict[tuple[int, str], list[tuple[Any, ...]]] = {}
        for app in range(1, apps + 1):
            hours = hours_of(rng, f"app-{app}", now, days, plant)
            for model in ("big", "small"):
                total: list[Any] = [0] * len(COLUMNS)
                rows = [tuple(total)]
                for n in range(days * 24, 0, -1):
                    sums = hours.get((model, now - n * HOUR))
                    if sums:
                        total = [old + getattr(sums, name) for old, name in zip(total, COLUMNS, strict=True)]
                    rows.append(tuple(total))
                self.so_far[app, model] = rows

    def windows(self, end: datetime) -> Windows:
        last = self.days * 24 - round((self.now - end) / HOUR)
        days: dict[tuple[int, str], dict[int, Sums]] = defaultdict(dict)
        hours: dict[tuple[int, str], dict[int, Sums]] = defaultdict(dict)
        for key, rows in self.so_far.items():
            for n in range(min(DAYS + 1, last // 24)):
                for found, length in ((days, 24), (hours, SHORT_H)):
                    high, low = rows[last - n * 24], rows[last - n * 24 - length]
                    if high[0] > low[0]:
                        found[key][n] = Sums(*(a - b for a, b in zip(high, low, strict=True)))
        return Windows(days, hours)

    def found(self, end: datetime | None = None) -> list[AnomalyFound]:
        return find(self.windows(end or self.now), BOOK)


def since(start: datetime, app: str, model: str = "", **changes: float) -> Change:
    """Of one application, from a moment on: factors of its usual shape."""

    def plant(of: str, on: str, at: datetime, like: Shape) -> None:
        if of == app and model in ("", on) and at >= start:
            for name, factor in changes.items():
                like[name] *= factor

    return plant


PLANTED = {
    "cache": since(END - 30 * HOUR, "app-1", hit=0.12),
    "size": since(END - 30 * HOUR, "app-1", prompt=2.2, output=2.2),
    "errors": since(END - 30 * HOUR, "app-1", failing=15),
    "latency": since(END - 30 * HOUR, "app-1", ms=2.5),
    "volume": since(END - 30 * HOUR, "app-1", requests=3),
    "mix": since(END - 30 * HOUR, "app-1", big=3.0),
}


@pytest.mark.parametrize("driver", PLANTED)
def test_what_is_planted_is_one_finding_with_the_right_driver(driver: str) -> None:
    [one] = Series(END, 58, seed=7, plant=PLANTED[driver]).found()
    assert (one.application, one.driver) == (1, driver)
    if driver in ("cache", "size", "volume", "mix"):
        assert one.costs is not None
        assert one.costs > 1
        assert one.effects.largest == driver
    else:
        assert one.costs is None


def test_longer_answers_are_not_slower_ones() -> None:
    [one] = Series(END, 58, seed=7, plant=since(END - 30 * HOUR, "app-1", output=2.4, ms=2.4)).found()
    assert one.driver == "size"


def test_effects_add_up_to_the_difference_exactly() -> None:
    series = Series(END, 58, seed=7, plant=PLANTED["cache"])
    [one] = series.found()
    why = one.effects
    assert why.volume + why.mix + why.cache + why.size + why.rest == why.total
    now = sum((days[0].cost for (app, _m), days in series.windows(END).days.items() if app == 1), Decimal(0))
    week = sum((days[7].cost for (app, _m), days in series.windows(END).days.items() if app == 1), Decimal(0))
    assert abs(float(now - why.total - week)) < float(week) * 0.3, "what it would have cost is near the week before's"
    assert abs(one.before - 0.765) < 0.03
    assert one.after < 0.2


def test_a_change_of_one_model_is_the_applications_finding_and_names_the_model() -> None:
    [one] = Series(END, 58, seed=7, plant=since(END - 30 * HOUR, "app-1", "small", hit=0.1)).found()
    assert (one.application, one.driver, one.models) == (1, "cache", ("small",))


def test_what_several_applications_feel_on_one_model_is_the_models() -> None:
    def plant(of: str, on: str, at: datetime, like: Shape) -> None:
        if on == "big" and at >= END - 30 * HOUR:
            like["failing"] *= 20

    [one] = Series(END, 58, seed=7, plant=plant).found()
    assert (one.application, one.model, one.driver, one.applications) == (0, "big", "errors", (1, 2))


def test_a_plain_change_is_found_within_hours() -> None:
    [one] = Series(END, 58, seed=7, plant=since(END - 4 * HOUR, "app-1", hit=0.05)).found()
    assert one.driver == "cache"


@pytest.mark.parametrize("seed", range(3))
def test_eight_weeks_of_noise_weekends_and_growth_raise_no_alarm(seed: int) -> None:
    series = Series(END, 57 + 56, seed=seed)
    rng = random.Random(seed)
    for day in range(56):
        end = END - day * DAY - rng.randrange(24) * HOUR
        assert series.found(end) == [], end


def test_a_short_history_says_too_little_and_finds_nothing() -> None:
    series = Series(END, 15, seed=7, plant=PLANTED["cache"])
    assert series.found() == []
    assert too_little(series.windows(END)) == {1: 14, 2: 14}


def moved(n_days: int, like: float) -> Windows:
    """Of one application, 57 days of the model `fast`; in the last days another one takes most of its requests, whose
    answers take `like` times as long."""

    def day(requests: int, each: float, cost: int) -> Sums:
        took = round(requests * each * 1_000_000)
        return Sums(requests=requests, output=200 * requests, cost=Decimal(cost), latency_us=took, timed=requests)

    fast = {n: day(40 if n < n_days else 1000, 1, 1 if n < n_days else 20) for n in range(DAYS + 1)}
    return Windows({(1, "fast"): fast, (1, "slow"): {n: day(960, like, 60) for n in range(n_days)}}, {})


def test_a_model_that_an_application_did_not_use_before_is_a_fact_and_no_anomaly() -> None:
    windows = moved(2, 3.0)
    assert find(windows, BOOK) == []
    assert [(one.application, one.model, one.days, one.costs) for one in news(windows)] == [(1, "slow", 1, Decimal(60))]
    whole = Windows({(2, "slow"): {n: windows.days[1, "slow"][n] for n in range(2)}, **windows.days}, {})
    assert [(one.application, one.model) for one in news(whole)] == [(1, "slow"), (2, "")]


def test_what_was_usual_a_month_ago_says_nothing_of_a_model_that_is_used_again() -> None:
    before = {n: Sums(requests=200, latency_us=200 * 1_000_000, timed=200) for n in range(20, DAYS + 1)}
    again = {0: Sums(requests=200, latency_us=200 * 3_000_000, timed=200)}
    assert judge(METRICS["latency"], before | again) is None
    late = dict.fromkeys(range(1, 8), before[20])
    judged = judge(METRICS["latency"], before | late | again)
    assert judged is not None
    assert judged.z > 4


def test_a_slow_mean_is_an_anomaly_only_with_many_requests() -> None:
    days = {n: Sums(requests=40, latency_us=40 * 1_000_000, timed=40) for n in range(1, DAYS + 1)}
    few, many = (
        Sums(requests=40, latency_us=40 * 1_800_000, timed=40),
        Sums(requests=4000, latency_us=7_200_000_000, timed=4000),
    )
    for now, found in ((few, False), (many, True)):
        judged = judge(METRICS["latency"], days | {0: now})
        assert judged is not None
        assert (judged.z > 4) is found


def test_a_cause_that_is_known_is_kept_until_it_is_well_inside_the_usual() -> None:
    mild = Series(END, 58, seed=7, plant=since(END - 30 * HOUR, "app-1", hit=0.87))
    assert mild.found() == []
    [held] = find(mild.windows(END), BOOK, {(1, "", "cache")})
    assert held.driver == "cache"


def test_the_begin_is_where_the_sum_past_the_middle_was_lowest() -> None:
    assert begun([(1, 10)] * 5 + [(8, 10)] * 3, 0.4, 1) == 5
    assert begun([(9, 10)] * 5 + [(2, 10)] * 3, 0.5, -1) == 5
    assert begun([(8, 10)] * 3, 0.4, 1) == 0


# With the database.


def store(app: Application, plant: Change | None = None, days: int = 40) -> None:
    """Hours of one application, of the model `big`."""
    zeros = {field.attname: 0 for field in UsageHour._meta.concrete_fields if field.attname != "hour"}
    texts = {"provider": "anthropic", "task": "rag", "application_id": app.pk, "deployment_id": 0}
    rows = []
    for (model, at), sums in hours_of(random.Random(5), app.slug, END, days, plant).items():
        if model == "big":
            known = {name: getattr(sums, name) for name in COLUMNS}
            rows.append(UsageHour(hour=at, **zeros | texts | known | {"model": model}))
    UsageHour.objects.bulk_create(rows)
    last = {name: getattr(rows[0], name) for name in zeros | texts | {"model": ""}}
    once = last | dict.fromkeys(COLUMNS, 0) | {"requests": 1}  # who serves the model is read from the days
    UsageDay.objects.bulk_create(UsageDay(day=END.date() - n * DAY, **once) for n in range(days))


@pytest.fixture
def helper(db: Any) -> Application:
    TokenPriceFactory.create(model="big", starts_at=NOW - 300 * DAY, source="list", seen_at=NOW, **RATES)
    TokenPriceFactory.create(
        provider="reseller",
        model="big",
        starts_at=NOW - 300 * DAY,
        source="list",
        seen_at=NOW,
        **dict.fromkeys(RATES, 0),
    )
    app = ApplicationFactory.create(slug="code-helper", name="Code helper")
    store(app, since(END - 27 * HOUR, "code-helper", hit=0.14))
    AnomalyLook.objects.create(pk=1, at=NOW - DAY, applications=0)
    return app


def test_a_look_writes_down_the_cause_with_its_begin_and_what_it_costs(helper: Application) -> None:
    assert look(NOW) == 1
    row = Anomaly.objects.get()
    assert (row.application, row.driver, row.ended_at) == ("code-helper", "cache", None)
    assert row.since == END - 27 * HOUR
    said = sentence(row).replace("\N{NO-BREAK SPACE}", " ")
    form = r"Cache hits of code-helper fell from 77 % to 1\d % since 23 Nov, 09:00 UTC: \+\$\d\.\d\d a day"
    assert re.fullmatch(form, said)
    assert sum((Decimal(text) for text in row.effects.values()), Decimal(0)) > 1
    assert AnomalyLook.objects.get().applications == 1


def test_log_says_when_an_anomaly_begins_and_ends(helper: Application, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="costs.anomalies.services")
    look(NOW)
    look(NOW)
    UsageHour.objects.filter(hour__gte=END - 27 * HOUR).delete()
    look(NOW)
    pk = Anomaly.objects.get().pk
    assert [text.partition(" ms=")[0] for text in caplog.messages] == [
        f"anomaly_began anomaly={pk} application=code-helper driver=cache expected=false",
        "anomalies_evaluated applications=1 open=1",
        "anomalies_evaluated applications=1 open=1",
        f"anomaly_ended anomaly={pk} driver=cache",
        "anomalies_evaluated applications=1 open=0",
    ]


def test_more_spend_since_a_phase_of_the_plan_began_is_what_the_plan_expects(db: Any) -> None:
    begun = END - 27 * HOUR
    PhaseFactory.create(
        slug="growth", name="Growth", budget_low=1, budget_high=2, starts_on=begun.date()
    )  # fmt: skip
    app = ApplicationFactory.create(slug="code-helper", name="Code helper")
    store(app, since(begun, "code-helper", requests=4))
    AnomalyLook.objects.create(pk=1, at=NOW - DAY, applications=0)
    look(NOW)
    row = Anomaly.objects.get()
    assert (row.driver, row.dismissed_at, row.dismissed_by) == ("volume", NOW, None)
    assert row.reason == "Growth of the plan began that day."
    alerts.evaluate(now=NOW, kinds=["anomaly"], wait=True)
    assert not Alert.objects.filter(subject__startswith="anomaly:").exists()


def test_looking_again_changes_nothing_and_its_end_is_kept(helper: Application) -> None:
    look(NOW)
    begun_at = Anomaly.objects.get().since
    look(NOW)
    assert Anomaly.objects.get().since == begun_at
    UsageHour.objects.filter(hour__gte=END - 27 * HOUR).delete()
    assert look(NOW) == 0
    assert Anomaly.objects.get().ended_at == NOW
    UsageDay.objects.all().delete()
    store(helper, since(END - 27 * HOUR, "code-helper", hit=0.14), days=1)
    assert look(NOW + timedelta(minutes=10)) == 1
    again = Anomaly.objects.get()
    assert (again.since, again.ended_at) == (begun_at, None), "the same cause goes on"


def test_the_alert_speaks_of_it_once_until_somebody_says_that_it_is_expected(helper: Application) -> None:
    person("mara", "manager")
    look(NOW)
    alerts.evaluate(now=NOW, kinds=["anomaly"], wait=True)
    alert = Alert.objects.get()
    assert (alert.state, alert.subject) == ("open", "anomaly:code-helper/cache")
    row = Anomaly.objects.get()
    assert dismiss(anomaly=row, reason="The new prompt has no stable head.", by=None, now=NOW)
    assert not dismiss(anomaly=row, reason="again", by=None, now=NOW)
    for minutes in (1, 32):
        alerts.evaluate(now=NOW + timedelta(minutes=minutes), kinds=["anomaly"], wait=True)
    alert.refresh_from_db()
    assert alert.state == "resolved"
    assert restore(anomaly=row)
    alerts.evaluate(now=NOW + timedelta(minutes=40), kinds=["anomaly"], wait=True)
    assert Alert.objects.filter(state="open").count() == 1


def test_the_number_of_queries_does_not_grow_with_applications(helper: Application) -> None:
    def asked() -> int:
        Anomaly.objects.all().delete()
        with CaptureQueriesContext(connection) as queries:
            look(NOW)
        assert not any("traffic_request" in one["sql"] for one in queries), "rollups only"
        return len([one for one in queries if "INSERT" not in one["sql"]])

    few = asked()
    for n in range(4):
        store(ApplicationFactory.create(slug=f"app-{n}", name=f"App {n}"))
    assert asked() == few <= ceiling("search for anomalies without its INSERTs")


def test_the_first_look_finds_what_is_over_by_now(db: Any) -> None:
    app = ApplicationFactory.create(slug="code-helper", name="Code helper")
    TokenPriceFactory.create(model="big", starts_at=NOW - 300 * DAY, source="list", seen_at=NOW, **RATES)

    def plant(of: str, on: str, at: datetime, like: Shape) -> None:
        if END - 10 * DAY <= at < END - 7 * DAY:
            like["hit"] *= 0.1

    store(app, plant, days=50)
    assert look_back(NOW, 12) == 0
    row = Anomaly.objects.get()
    assert (row.driver, row.since) == ("cache", END - 10 * DAY)
    assert row.ended_at is not None
    assert row.ended_at <= END - 5 * DAY


# The page.


@pytest.fixture
def mara(client: Any, db: Any) -> Any:
    mara = person("mara", "manager")
    asked = Permission.objects.filter(codename__in=["view_charge", "dismiss_anomaly"])
    mara.user_permissions.set(asked)
    client.force_login(mara)
    return client


def test_the_page_shows_what_differs_with_its_requests_and_takes_a_reason(helper: Application, mara: Any) -> None:
    look(NOW)
    row = Anomaly.objects.get()
    page = mara.get("/spend/anomalies/").content.decode()
    assert "Cache hits of Code helper fell from 77" in page
    assert "/requests/?application=code-helper&amp;model=big&amp;from=2026-11-23" in page
    refused = mara.post(f"/spend/anomalies/{row.pk}/dismiss/", {"reason": " "})
    assert refused.status_code == 422
    assert "Write in a few words why it is expected" in refused.content.decode()
    assert mara.post(f"/spend/anomalies/{row.pk}/dismiss/", {"reason": "A <b>new</b> prompt"}).status_code == 302
    page = mara.get("/spend/anomalies/").content.decode()
    assert "A &lt;b&gt;new&lt;/b&gt; prompt" in page
    assert f"/spend/anomalies/{row.pk}/restore/" in page
    assert AuditEntry.objects.get().message == "expected: A <b>new</b> prompt"
    mara.post(f"/spend/anomalies/{row.pk}/restore/")
    row.refresh_from_db()
    assert (row.dismissed_at, row.reason) == (None, "")


@pytest.mark.parametrize(("days", "drawn"), [(6, False), (7, True)])
def test_a_finding_of_too_few_days_has_words_in_place_of_an_empty_chart(db: Any, days: int, drawn: bool) -> None:
    for n in range(days):
        usage(day=(NOW - n * 2 * DAY).date(), application_id=5)
    Anomaly.objects.create(
        application_id=5, application="quiet", driver="volume", before=1, after=2, since=NOW - DAY, found_at=NOW,
        seen_at=NOW,
    )  # fmt: skip
    (row,) = AnomaliesPage(NOW).rows
    said = render_to_string("costs/anomalies/_anomaly.html", {"row": row})
    assert ("Too few days have enough requests for a chart." in said) is not drawn
    assert ("<svg" in said) is drawn


def test_the_page_says_when_nothing_differs_and_who_has_too_little_history(mara: Any) -> None:
    ApplicationFactory.create(slug="sales", name="Sales desk")
    AnomalyLook.objects.create(
        at=NOW, applications=3, too_little=[["newcomer", 9], ["sales", 3]], new=[["sales", "m", "2026-11-23", "1.50"]]
    )
    page = mara.get("/spend/anomalies/").content.decode()
    assert "of <b>3 applications</b> are as usual" in page
    assert "newcomer (9 days), Sales desk (3 days)" in page
    assert '<th scope="row">Sales desk</th>' in page and "application=sales&amp;model=m" in page


def test_the_api_gives_the_figures_of_the_page(helper: Application, mara: Any) -> None:
    look(NOW)
    answer = mara.get("/api/v1/anomalies").json()
    [one] = answer["anomalies"]
    assert (one["application"], one["driver"], one["expected"]) == ("code-helper", "cache", None)
    assert sum((Decimal(amount) for amount in one["effects"].values()), Decimal(0)) > 1
