"""Findings from real requests: priced, decided once, never counted twice, and verified by what a unit of work costs."""

from __future__ import annotations

import html
import logging
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from costs import savings
from costs.models import Finding, Search
from costs.savings import verify
from costs.savings.base import SavingFound, Window, behind
from costs.savings.machines import runs
from costs.savings.page import SORTS, page
from costs.savings.prompts import Prompt, repeats, unread_of
from costs.tasks import search_savings
from lib.formats import day_text
from providers.audit.log import AuditEntry
from providers.models import Deployment, Lease, Offer, RemovedAccount
from tests.costs.people import client_of, text
from tests.factories import (
    AccountFactory,
    ApplicationFactory,
    DeploymentFactory,
    FeedFactory,
    LeaseFactory,
    LeaseSpanFactory,
    TokenPriceFactory,
)
from tests.query_ceilings import ceiling
from tests.sorted_lists import assert_sorts, html_of, rows_of
from tests.traffic.request_rows import row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow, Tokens
from traffic.ingest.store import ingest
from traffic.models import Application, Rating, Request, Task

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
NIGHT = NOW.replace(hour=3)
DAY = timedelta(days=1)


@pytest.fixture
def shop(db: Any) -> Application:
    """An application, and the prices of a large and a small model: 3/15 and 1/5 USD per million."""
    for model, rate in (("large", 3), ("small", 1)):
        TokenPriceFactory.create(
            model=model, starts_at=NOW - 100 * DAY, uncached_input=rate,
            cache_read=Decimal(rate) / 10, cache_write_5m=Decimal(rate) * 5 / 4, cache_write_1h=2 * rate,
            output=5 * rate, batch_factor=Decimal("0.5"), source="a list", seen_at=NOW,
        )  # fmt: skip
    return ApplicationFactory.create(slug="shop", name="Shop", capture_bodies=True)


def send(shop: Application, per_day: int = 5, days: range = range(1, 15), **given: Any) -> list[Request]:
    """Live requests in the nights of some days back, by the ingest path; 10,000 tokens in and out, 0.18 USD."""
    plain = {"model": "large", "task": "batch", "streamed": False, "tokens": Tokens(10_000, 0, 0, 0, 10_000, 0)}
    rows: list[RequestRow] = []
    for back in days:
        for number in range(per_day):
            at = NIGHT - back * DAY + timedelta(seconds=15 * number)
            named = f"{given.get('model', '')}{given.get('task', '')}{back}-{number}"
            rows.append(row(external_id=named, started_at=at, application_id=shop.pk, **{**plain, **given}))
    connection.ensure_connection()
    ids = ingest(connection.connection, rows, PricingContext.load(connection.connection)).ids
    return list(Request.objects.in_days((NOW - 40 * DAY).date(), (NOW + DAY).date()).filter(id__in=ids))


def one(kind: str) -> Finding:
    return Finding.objects.get(kind=kind)


def month(amount: Decimal, days: int = 14) -> Decimal:
    return (amount * 730 / 24 / days).quantize(Decimal("0.000001"))


# What is found.


def test_live_work_that_nobody_waits_for_is_worth_half_of_what_it_costs(shop: Application) -> None:
    send(shop, per_day=40, days=range(1, 8), task="other")
    savings.search(NOW)
    found = one("batch")
    assert found.monthly.quantize(Decimal("0.000001")) == month(7 * 40 * Decimal("0.18") / 2, 7)
    assert found.evidence["live"] == 280
    assert (found.application, found.model, found.task) == (shop, "large", "other")


@pytest.mark.parametrize("watched", [{"streamed": True}, {"user": "eve"}, {"task": "chat"}])
def test_work_that_somebody_waits_for_is_no_batch(shop: Application, watched: dict[str, Any]) -> None:
    send(shop, **{"per_day": 40, "days": range(1, 8), "task": "other", **watched})
    savings.search(NOW)
    assert not Finding.objects.filter(kind="batch").exists()


def test_less_than_a_week_of_requests_says_nothing(shop: Application) -> None:
    send(shop, days=range(1, 7))
    assert savings.search(NOW) == 0


def test_a_month_is_made_of_the_days_that_are_known(shop: Application) -> None:
    send(shop, days=range(1, 8))
    savings.search(NOW)
    assert one("batch").monthly.quantize(Decimal("0.000001")) == month(7 * 5 * Decimal("0.09"), 7)


def rate(requests: list[Request], shop: Application, good: int) -> None:
    Rating.objects.bulk_create(
        Rating(
            day=one.day, request_id=one.id, by=f"p{number}", score=1 if number < good else -1, application=shop,
            model=one.model, task=one.task,
        )
        for number, one in enumerate(requests)
    )  # fmt: skip


@pytest.mark.parametrize(("good", "found"), [(98, True), (75, False)])
def test_a_smaller_model_is_found_only_where_ratings_say_that_it_is_as_good(
    shop: Application, good: int, found: bool
) -> None:
    large = send(shop, task="chat", per_day=10)
    small = send(shop, model="small", task="chat", per_day=10)
    rate(large[:100], shop, 98)
    rate(small[:100], shop, good)
    savings.search(NOW)
    rows = Finding.objects.filter(kind="smaller")
    assert [one.evidence["to_model"] for one in rows] == (["small"] if found else [])
    for each in rows:
        assert each.monthly.quantize(Decimal("0.000001")) == month(140 * (Decimal("0.18") - Decimal("0.06")))


@pytest.mark.parametrize(
    ("path", "candidate"), [("/spend/savings/", "small"), ("/break-even/", "own"), ("/decide/", "own")]
)
def test_replay_opens_the_form_of_a_trial_with_candidate_and_task_filled_in(
    shop: Application, path: str, candidate: str
) -> None:
    own = DeploymentFactory.create(slug="own", model="mistral")
    DeploymentFactory.create(slug="small", provider="anthropic", engine="anthropic", model="small")
    send(shop, model="mistral", provider="self", task="chat", per_day=10, deployment_id=own.pk)
    for model in ("large", "small"):
        rate(send(shop, model=model, task="chat", per_day=10)[:100], shop, 98)
    savings.search(NOW)
    ops = client_of("ops")
    page = ops.get(path).content.decode()
    [link] = set(re.findall(r'href="(/quality/trials/add/\?[^"]*task=chat[^"]*)"', page))
    form = ops.get(html.unescape(link)).context["form"]
    assert form["candidate"].value() == Deployment.objects.get(slug=candidate).pk
    assert (form["source"].value(), form["task"].value()) == ("task", "chat")
    assert "at most 200" in str(form["source"])
    assert "/quality/trials/add/" not in client_of("manager").get(path).content.decode()
    assert client_of("staff").get(path).status_code == 403


def test_savings_and_quality_judge_a_pair_of_models_by_the_same_ratings_and_say_their_days(shop: Application) -> None:
    """The larger model's ratings are of two months ago: within 30 days there would be nothing to compare."""
    for model, days in (("large", 60), ("small", 0)):
        served = DeploymentFactory.create(
            slug=model, name=model.title(), provider="anthropic", engine="anthropic", model=model
        )
        requests = send(shop, model=model, task="chat", per_day=10, deployment_id=served.pk)
        Rating.objects.bulk_create(
            Rating(
                day=one.day - timedelta(days=days), request_id=one.id, by=f"p{n}", score=1 if n < 96 else -1,
                application=shop, model=model, task="chat", deployment=served,
            )
            for n, one in enumerate(requests[: 100 if model == "small" else 120])
        )  # fmt: skip
    savings.search(NOW)
    client = client_of("manager")
    saving = " ".join(text(client, "/spend/savings/").split())
    quality = re.sub("<[^>]*>", "", text(client, "/quality/")).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert f"rated in the 90 days to {day_text(NOW.date())}: 96 % of small (100 ratings)" in saving
    assert "against 80 % (120)" in saving
    assert f"For {Task.CHAT.label} in the last 90 days: Small 96 % (" in quality
    assert "Large 80 % (" in quality


@pytest.mark.parametrize("removed", [True, False])
def test_no_work_is_moved_to_a_vendor_whose_account_is_gone(shop: Application, removed: bool) -> None:
    """Its requests are still in the log, but nothing could be sent there."""
    large = send(shop, task="chat", per_day=10)
    small = send(shop, model="small", task="chat", per_day=10)
    rate(large[:100], shop, 98)
    rate(small[:100], shop, 98)
    vendor = small[0].provider
    if removed:
        RemovedAccount.objects.create(slug="x", name="x", kind=vendor, removed_at=NOW, content=b"")
    else:
        AccountFactory.create(kind=vendor, enabled=False)
    savings.search(NOW)
    assert not Finding.objects.filter(kind="smaller").exists()
    AccountFactory.create(kind=vendor)
    savings.search(NOW)
    assert Finding.objects.filter(kind="smaller").exists()


def test_without_ratings_no_model_is_too_large(shop: Application) -> None:
    send(shop, task="chat")
    send(shop, model="small", task="chat")
    savings.search(NOW)
    assert not Finding.objects.filter(kind="smaller").exists()


def test_output_past_what_accepted_answers_need_is_found(shop: Application) -> None:
    short = send(shop, task="code", per_day=40, days=range(1, 4), tokens=Tokens(100, 0, 0, 0, 500, 0))
    send(shop, days=range(4, 9), per_day=1)
    rate(short[:40], shop, 40)
    long = [
        row(external_id=f"l{n}", started_at=NIGHT - DAY, application_id=shop.pk, model="large", task="code",
            tokens=Tokens(100, 0, 0, 0, 4500, 0))
        for n in range(40)
    ]  # fmt: skip
    ingest(connection.connection, long, PricingContext.load(connection.connection))
    savings.search(NOW)
    found = one("output")
    assert (found.evidence["limit"], found.evidence["accepted"]) == (500, 40)
    assert found.evidence["over"] == pytest.approx(40 * 4000 / (120 * 500 + 40 * 4500), abs=1e-3)


def test_prompts_that_begin_alike_are_found_where_texts_are_kept(shop: Application) -> None:
    head = "You are the shop's assistant. " * 200
    tokens = Tokens(4000, 0, 0, 0, 10, 0)
    send(shop, task="rag", per_day=60, days=range(1, 8), prompt=f"{head}What about returns?", tokens=tokens)
    savings.search(NOW)
    found = one("cache")
    assert found.evidence["repeating"] == found.evidence["texts"] == 180
    assert found.evidence["share"] == 1
    # 60 an hour are five in five minutes: all but exp(-5) of them are read at a tenth, the others written at 5/4.
    each = Decimal("0.012") * (Decimal("0.9") * Decimal("0.99326") - Decimal("0.25") * Decimal("0.00674"))
    assert float(found.monthly) == pytest.approx(float(month(7 * 60 * each, 7)), rel=1e-3)


def test_prompts_of_an_application_without_texts_are_said_to_be_unjudged(shop: Application) -> None:
    Application.objects.update(capture_bodies=False)
    send(shop, task="rag")
    savings.search(NOW)
    assert not Finding.objects.filter(kind="cache").exists()
    assert page().unjudged_prompts.quantize(Decimal("0.000001")) == month(70 * Decimal("0.03"))


def test_cache_writes_for_an_hour_that_nobody_reads_cost_their_extra(shop: Application) -> None:
    send(shop, task="reasoning", streamed=True, tokens=Tokens(0, 0, 0, 20_000, 10, 0))
    savings.search(NOW)
    found = one("unread")
    assert found.evidence["unread"] == found.evidence["unread_1h"] == 70 * 20_000
    assert found.monthly.quantize(Decimal("0.000001")) == month(70 * 20_000 * Decimal("0.000003"))


HOUR = datetime(2026, 3, 1, tzinfo=UTC)
COUNT = st.integers(0, 1000)


@settings(max_examples=40)
@given(st.lists(st.tuples(COUNT, COUNT, COUNT), min_size=1, max_size=8))
def test_writes_are_only_called_unread_when_no_read_can_have_been_theirs(rows: list[tuple[int, int, int]]) -> None:
    hours = {
        HOUR + timedelta(hours=n): {"cache_write_5m": five, "cache_write_1h": long, "cache_read": read}
        for n, (five, long, read) in enumerate(rows)
    }
    found = unread_of(hours)
    written = sum(five + long for five, long, _read in rows)
    read = sum(read for _five, _long, read in rows)
    assert 0 <= sum(found.values()) <= written
    # A read serves as many writes as it can: in its own hour or the one before.
    least = max(written - 2 * read, 0)
    assert sum(found.values()) >= least


def test_the_longest_shared_beginning_counts_and_short_ones_do_not() -> None:
    alike = [Prompt("x" * 9000 + tail, 2000, 0) for tail in ("a" * 1000, "b" * 1000, "c" * 1000)]
    found = repeats([*alike, Prompt("quite another", 2000, 0)])
    assert (found.texts, found.repeating, found.tokens, found.of) == (4, 3, 3 * 1800, 8000)
    assert repeats([Prompt("same", 500, 0)] * 2).tokens == 0
    assert repeats([Prompt("same" * 500, 200, 1800)] * 2).tokens == 400  # most of it is cached already


# Machines.


@pytest.fixture
def pod(db: Any) -> Lease:
    account = AccountFactory.create(slug="runpod", name="RunPod", kind="runpod")
    FeedFactory.create(account=account, kind="offers", every_s=3600, due_at=NOW)
    pod = LeaseFactory.create(
        account=account, external_id="p1", name="pod", disk_per_hour="0.1",
        state="running", started_at=NOW - 40 * DAY, seen_at=NOW,
    )  # fmt: skip
    LeaseSpanFactory.create(lease=pod, starts_at=NOW - 40 * DAY, ends_at=NOW, price_per_hour=1)
    DeploymentFactory.create(slug="own", name="Own", url="http://x", lease=pod)
    return pod


def test_hours_without_requests_are_worth_what_the_machine_costs_less_its_disk(shop: Application, pod: Lease) -> None:
    deployment = Deployment.objects.get()
    send(shop, provider="self", deployment_id=deployment.pk, streamed=True)
    savings.search(NOW)
    found = one("idle")
    # 3 to 4 a.m. is used each night, so each stretch is 23 hours long, the first and the last cut by the window.
    assert (found.evidence["running"], found.evidence["idle"]) == (336, 322)
    assert found.evidence["stoppable"] == 322 - 15
    assert found.monthly.quantize(Decimal("0.000001")) == month(307 * Decimal("0.9"))


def test_a_machine_that_is_stopped_and_billed_is_a_saving(shop: Application, pod: Lease) -> None:
    send(shop, per_day=1)
    Lease.objects.update(state="stopped", price_per_hour="0.1")
    LeaseSpanFactory.create(lease=pod, state="stopped", starts_at=NOW - DAY, ends_at=NOW, price_per_hour="0.1")
    savings.search(NOW)
    assert (one("idle").evidence["way"], one("idle").monthly) == ("stopped", 73)
    [idle] = [shown for shown in page().open if shown.finding.kind == "idle"]
    assert idle.sentence.startswith(f"On {day_text(NOW)}, {NOW:%H:%M} UTC it had been stopped for 24 hours.")


def test_hours_without_a_request_name_their_days(shop: Application, pod: Lease) -> None:
    """Unlike the alert of an idle GPU, which counts to this moment."""
    send(shop, per_day=1)
    savings.search(NOW)
    [idle] = [shown for shown in page().open if shown.finding.kind == "idle"]
    assert idle.finding.evidence["way"] == "no_requests"
    since, last = day_text(idle.finding.since), day_text(idle.finding.until - DAY)
    assert idle.sentence.startswith(f"In the days {since} to {last} it ran for 336 whole hours without a request.")


def test_runs_are_counted_by_consecutive_hours() -> None:
    hours = [HOUR + timedelta(hours=n) for n in (0, 1, 2, 5, 7, 8)]
    assert runs(hours) == [3, 1, 2]


def offer(kind: str, price: str) -> None:
    Offer.objects.create(
        provider="runpod", external_id=f"{kind}{price}", kind=kind, gpu="RTX 4090", price_per_gpu_hour=price,
        seen_at=NOW,
    )  # fmt: skip


def test_the_same_gpu_for_less_and_a_commitment_are_two_findings_of_which_one_counts(
    shop: Application, pod: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("costs.savings.machines.offers.sources", lambda now: {})
    monkeypatch.setattr("costs.savings.machines.offers.fresh_of", lambda known: frozenset({"runpod"}))
    send(shop, per_day=1)
    offer("on_demand", "0.80")
    offer("committed_1y", "0.60")
    offer("spot", "0.20")  # no rule goes on elsewhere, so the machine may not be taken away
    savings.search(NOW)
    cheaper, committed = one("offer"), one("rent")
    assert (cheaper.monthly, committed.monthly) == (Decimal("0.2") * 730, Decimal("0.4") * 730)
    assert committed.evidence["offer_kind"] == "committed_1y"
    idle = one("idle")
    assert idle.monthly > committed.monthly
    assert (idle.behind, committed.behind, cheaper.behind) == ("", idle.key, idle.key)
    assert page().total == sum(found.monthly for found in Finding.objects.filter(behind=""))


# Nothing is counted twice.


def found(key: str, monthly: int, *claims: str) -> SavingFound:
    return SavingFound("batch", key, Decimal(monthly), {}, frozenset(("cell", name) for name in claims))


def test_the_larger_of_two_on_the_same_tokens_counts_unless_the_other_was_accepted() -> None:
    all_of_it, output, prompts = found("a", 9, "input", "output"), found("b", 5, "output"), found("c", 4, "input")
    rows = [all_of_it, output, prompts]
    assert behind(rows, (), ()) == {"batch:a": "", "batch:b": "batch:a", "batch:c": "batch:a"}
    assert behind(rows, {"batch:b"}, ()) == {"batch:b": "", "batch:a": "batch:b", "batch:c": ""}
    assert behind(rows, (), {"batch:a"})["batch:b"] == ""


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 9), st.sets(st.sampled_from("abcd"), min_size=1)), max_size=8))
def test_no_token_is_claimed_by_two_findings_that_count(rows: list[tuple[int, set[str]]]) -> None:
    made = [found(str(n), monthly, *claims) for n, (monthly, claims) in enumerate(rows)]
    counted = behind(made, (), ())
    claims = [claim for one in made if not counted[one.key] for claim in one.claims]
    assert len(claims) == len(set(claims))


# Decisions.


def test_a_search_twice_changes_nothing_and_the_task_runs_once_a_day(shop: Application) -> None:
    send(shop)
    search_savings()
    before = list(Finding.objects.values("key", "monthly", "evidence", "found_at"))
    savings.search(NOW + timedelta(minutes=5))
    assert list(Finding.objects.values("key", "monthly", "evidence", "found_at")) == before
    Finding.objects.all().delete()
    search_savings()
    assert not Finding.objects.exists()


def test_log_says_how_many_savings_were_found(shop: Application, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="costs.savings.search")
    send(shop)
    search_savings()
    (line,) = caplog.messages
    assert line.startswith(f"savings_searched days=14 findings={Finding.objects.count()} ms=")


def test_an_open_finding_that_is_over_goes_and_a_dismissed_one_stays(shop: Application) -> None:
    send(shop, days=range(1, 9))
    savings.search(NOW)
    savings.dismiss(pk=one("batch").pk, user=None, now=NOW, reason="They wait.")
    savings.search(NOW + 20 * DAY)
    assert one("batch").state == "dismissed"
    savings.reopen(pk=one("batch").pk)
    savings.search(NOW + 20 * DAY)
    assert not Finding.objects.exists()


def test_a_dismissed_finding_comes_back_only_when_it_has_grown(shop: Application) -> None:
    send(shop)
    savings.search(NOW)
    savings.dismiss(pk=one("batch").pk, user=None, now=NOW, reason="They wait.")
    savings.search(NOW)
    assert one("batch").state == "dismissed"
    send(shop, per_day=20)
    savings.search(NOW)
    again = one("batch")
    assert (again.state, again.reason) == ("open", "They wait.")
    assert page().open[0].grown


def test_two_people_cannot_decide_about_one_finding(shop: Application) -> None:
    send(shop)
    savings.search(NOW)
    pk = one("batch").pk
    savings.accept(pk=pk, user=None, now=NOW)
    with pytest.raises(savings.NotThere):
        savings.dismiss(pk=pk, user=None, now=NOW, reason="no")


# Did it arrive?


def accepted(shop: Application, since: dict[str, Any], days: int = 10, before: range = range(25, 39)) -> Finding:
    """A finding that was accepted 24 days ago, and what was sent afterwards."""
    then = NOW - 24 * DAY
    send(shop, days=before)
    savings.search(then)
    savings.accept(pk=one("batch").pk, user=None, now=then)
    send(shop, days=range(24 - days, 24), **since)
    savings.search(NOW - (24 - days - 1) * DAY)
    return one("batch")


def test_a_saving_that_arrived_is_measured_by_the_request_in_whole_days(shop: Application) -> None:
    came = savings.outcome(accepted(shop, {"batch": True, "per_day": 10}))
    assert came is not None
    assert (came.state, came.days) == ("arrived", 10)
    assert (came.before, came.after) == (Decimal("0.18"), Decimal("0.09"))
    assert came.monthly is not None
    assert came.monthly.quantize(Decimal("0.000001")) == month(10 * Decimal("0.09"), 1)
    assert came.share == pytest.approx(1)


def test_a_saving_has_failed_when_the_cost_of_a_request_did_not_fall(shop: Application) -> None:
    came = savings.outcome(accepted(shop, {"per_day": 10, "tokens": Tokens(11_000, 0, 0, 0, 10_000, 0)}))
    assert came is not None
    assert came.state == "failed"


def test_too_few_days_are_said_to_be_too_few(shop: Application) -> None:
    found = accepted(shop, {"batch": True}, days=3)
    came = savings.outcome(found)
    assert came is not None
    assert (came.state, came.days, came.monthly) == ("waiting", 3, None)


def test_work_that_moved_to_our_own_machine_cannot_be_told(shop: Application, pod: Lease) -> None:
    found = accepted(shop, {"batch": True})
    assert found.after is not None
    found.after["leased"] = 0.5
    came = savings.outcome(found)
    assert came is not None
    assert came.state == "moved"


def test_a_difference_that_days_have_anyway_is_chance() -> None:
    def days(*costs: int) -> list[verify.Day]:
        return [verify.Day(NOW.date(), Decimal(10), Decimal(cost)) for cost in costs]

    row = Finding(kind="batch", state="accepted", monthly=9, decided_monthly=9)
    row.before = verify.measured(days(9, 15, 8, 14, 10, 9, 12), "request")
    row.after = verify.measured(days(13, 8, 12, 9, 14, 8, 10), "request")
    came = savings.outcome(row)
    assert came is not None
    assert came.state == "noise"


def test_the_answer_stands_after_two_weeks(shop: Application) -> None:
    found = accepted(shop, {"batch": True}, days=14)
    assert found.after is not None
    assert found.after["days"] == 14
    send(shop, days=range(1, 8), per_day=10)
    savings.search(NOW)
    assert one("batch").after == found.after


# The page.


@pytest.fixture
def listed(shop: Application) -> Finding:
    send(shop)
    savings.search(NOW)
    return one("batch")


def test_the_page_says_what_to_do_why_and_where_its_requests_are(listed: Finding) -> None:
    words = text(client_of("manager"), "/spend/savings/")
    assert "Shop, batch: send requests as a batch" in words
    assert "70 requests are labelled as batch work but were sent live" in words
    assert "costs 50 % of every rate" in words
    link = f"application=shop&amp;provider=anthropic&amp;model=large&amp;task=batch&amp;from={listed.since}"
    assert link in words
    assert "<b>1 suggestion</b> could save" in words


def test_each_of_the_three_lists_is_sorted_by_its_columns(shop: Application) -> None:
    day = NOW.date()
    for number, state in enumerate(["open", "accepted", "dismissed"] * 3):
        decided = {} if state == "open" else {"decided_at": NOW - number * DAY, "decided_monthly": 100 - number}
        Finding.objects.create(
            key=f"k{number}", kind="batch", application=shop, monthly=number, state=state, task="rag",
            evidence={"live": 9, "sample": 9, "factor": 0.5}, since=day, until=day, found_at=NOW, seen_at=NOW,
            model=f"m{number}", reason=f"Reason {9 - number}" if state == "dismissed" else "", **decided,
        )  # fmt: skip
    Search.objects.create(pk=1, at=NOW)
    client = client_of("manager")
    assert_sorts(client, "/spend/savings/", SORTS)
    open_rows = rows_of(html_of(client, "/spend/savings/?sort=monthly"))[:3]
    assert [re.findall(r"\d\.00", row) for row in open_rows] == [["0.00"], ["3.00"], ["6.00"]]
    reasons = rows_of(html_of(client, "/spend/savings/?sort=reason"))[-3:]
    assert [row.split("Reason ")[1][0] for row in reasons] == ["1", "4", "7"]
    assert [row.verdict() for row in page("-arrived").accepted] == ["not measurable"] * 3  # none is measured


def test_nothing_found_yet_says_when_and_what_helps(db: Any) -> None:
    words = text(client_of("manager"), "/spend/savings/")
    assert "No search has run yet" in words
    Search.objects.create(pk=1, at=NOW)
    manager = client_of("ops")
    assert "No savings found" in text(manager, "/spend/savings/")


def test_accepting_and_its_undo_are_in_the_audit_log(listed: Finding) -> None:
    client = client_of("manager")
    client.post(f"/spend/savings/{listed.pk}/accept/")
    listed.refresh_from_db()
    assert (listed.state, listed.decided_by) == ("accepted", User.objects.get(username="a-manager"))
    words = text(client, "/spend/savings/")
    assert "not enough days yet" in words
    assert "7 full days to go" in words
    client.post(f"/spend/savings/{listed.pk}/undo/")
    listed.refresh_from_db()
    assert (listed.state, listed.decided_by, listed.before) == ("open", None, None)
    assert [entry.words[:8] for entry in AuditEntry.objects.order_by("pk")] == ["Accepted", "Reopened"]


def test_a_dismissal_needs_a_reason(listed: Finding) -> None:
    client = client_of("manager")
    answer = client.post(f"/spend/savings/{listed.pk}/dismiss/", {"reason": " "})
    assert answer.status_code == 422
    assert "Enter a reason" in answer.content.decode()
    assert one("batch").state == "open"
    client.post(f"/spend/savings/{listed.pk}/dismiss/", {"reason": "The report is read at once."})
    assert one("batch").reason == "The report is read at once."
    assert "The report is read at once." in text(client, "/spend/savings/")


def test_deciding_too_late_says_so(listed: Finding) -> None:
    client = client_of("manager")
    client.post(f"/spend/savings/{listed.pk}/accept/")
    answer = client.post(f"/spend/savings/{listed.pk}/accept/", follow=True)
    assert "Another person has decided" in answer.content.decode()
    assert AuditEntry.objects.count() == 1


def test_the_api_says_what_the_page_says(listed: Finding) -> None:
    answer = client_of("manager").get("/api/v1/savings").json()
    assert answer["total"] == f"{listed.monthly:f}"
    assert [(one["key"], one["from"], one["outcome"]) for one in answer["findings"]] == [
        (listed.key, listed.since.isoformat(), None)
    ]


def test_the_page_asks_as_much_however_many_requests_and_findings(
    listed: Finding, django_assert_max_num_queries: Any
) -> None:
    client = client_of("manager")
    client.get("/spend/savings/")
    with django_assert_max_num_queries(ceiling("/spend/savings/ with a finding")):
        client.get("/spend/savings/")


def test_a_window_without_days_is_worth_nothing() -> None:
    assert Window(NOW.date(), NOW.date(), 0).monthly(Decimal(9)) == 0
