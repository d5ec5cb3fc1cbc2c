"""Who and what the demo company is, written into the database: the same at every start, and nothing twice.

What a person may change in the UI (a phase's budget, an application's members) is made once and left alone; addresses
of the sandbox, which differ from start to start, are always brought up to date.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import cycle

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from alerts.channels.webhook import new_secret
from alerts.defaults import ensure_defaults
from alerts.models import Channel, Preference, Rule
from costs.charges.receipts import checked, save_receipt
from costs.charges.recurrences import post_recurrences
from costs.ledger import posting as ledger
from costs.models import (
    Budget,
    Category,
    Charge,
    ExchangeRate,
    ExportTarget,
    Phase,
    Provenance,
    Recurrence,
    Stage,
    subject_fields,
)  # fmt: skip
from demo import company, comparisons, noise
from demo.company import APPLICATIONS, PEOPLE, PLAYGROUND
from demo.files import ADMIN, Credentials
from demo.rules import maintenance, rules
from demo.story import Story, add_months, moment
from lib.encryption import encrypt
from providers.models import Account, Deployment, Feed, Lease
from providers.polling.due import claim, ensure_feeds
from providers.polling.services import poll
from sandbox import anthropic, lambda_cloud, runpod, vast, vllm
from sandbox.engine import MODEL_NAME
from traffic.authentication.keys import create_key, hash_of
from traffic.models import Application, Key, QuotaPeriod, QuotaUnit

LIMITED = "chat widget on partners’ sites"  # others hold it, so it has limits
# The real engine's checks are quicker, so that a fault set on it is an alert within a minute and a half.
REAL_DEPLOYMENT = "llama-cpp-smollm2"


def set_up(story: Story, credentials: Credentials, sandbox_url: str, now: datetime) -> None:
    """Everything that requests and bills refer to."""
    with transaction.atomic():
        people(credentials)
        applications(credentials)
        comparisons.add_application()
        deployments(sandbox_url)
        plan(story)
        enter_charges(story, now)
        export_daily(now)
        rules()
        noise.past(now)
        maintenance(now)
        telling(sandbox_url)


def people(credentials: Credentials) -> None:
    """The admin of the ready file and the company's people, each in the group of their role."""
    admin, made = User.objects.get_or_create(
        username=ADMIN,
        defaults={"email": f"{ADMIN}@{company.MAIL_DOMAIN}", "is_staff": True, "is_superuser": True},
    )
    if made or not admin.check_password(credentials.passwords[ADMIN]):
        admin.set_password(credentials.passwords[ADMIN])
        admin.save()
    for person in PEOPLE:
        first, last = person.name.split(" ", 1)
        user, made = User.objects.get_or_create(
            username=person.username, defaults={"first_name": first, "last_name": last, "email": person.email}
        )
        if made:
            user.set_password(credentials.passwords[person.username])
            user.save()
            user.groups.add(Group.objects.get_or_create(name=person.role)[0])


def applications(credentials: Credentials) -> None:
    """The company's applications with the playground, and every key that the demo uses or gives away."""
    users = {user.username: user for user in User.objects.all()}
    for known in APPLICATIONS:
        application, made = Application.objects.get_or_create(
            slug=known.slug,
            defaults={
                "name": known.name,
                "owner": users[known.owner],
                "capture_bodies": known.keeps_bodies,
                "redact_patterns": list(known.patterns),
            },
        )
        if made:
            application.members.set(users[name] for name in known.members)
    Application.objects.get_or_create(
        slug=PLAYGROUND,
        defaults={"name": "Playground", "owner": users[ADMIN], "capture_bodies": True, "test_only": True},
    )
    by_slug = {application.slug: application for application in Application.objects.all()}
    for name, secret in credentials.keys.items():
        scope, _, slug = name.partition("/")
        if not Key.objects.filter(hash=hash_of(secret)).exists():
            create_key(
                name=f"demo: {scope}",
                scopes=[scope],
                application=by_slug.get(slug),
                created_by=users[ADMIN],
                secret=secret,
            )
    if not Key.objects.filter(name=LIMITED).exists():  # nobody holds its secret
        create_key(
            name=LIMITED,
            scopes=["gateway"],
            application=by_slug["site-chat"],
            created_by=users[ADMIN],
            per_minute=120,
            quota=Decimal(150),
            quota_unit=QuotaUnit.USD,
            quota_period=QuotaPeriod.MONTH,
        )


def telling(sandbox_url: str) -> None:
    """The company's own incident log hears of outages and budgets; ops read clocks in Berlin."""
    ensure_defaults()
    log, made = Channel.objects.get_or_create(
        slug="incident-log",
        defaults={"name": "Incident log", "kind": "webhook", "secret": encrypt(new_secret()), "local": True},
    )
    log.address, log.shown = encrypt(f"{sandbox_url}/webhooks/incident-log"), "127.0.0.1"
    log.save(update_fields=["address", "shown"])
    if made:
        log.rules.set(Rule.objects.filter(kind__in=("outage", "budget")))
    for user in User.objects.filter(groups__name="ops"):
        Preference.objects.get_or_create(person=user, defaults={"timezone": "Europe/Berlin"})


def deployments(sandbox_url: str) -> None:
    """Claude as the sandbox plays it, mistral-7b on the simulated pod, one that is never asked, and the real engine."""
    for served in company.CLAUDE:
        _deployment(
            served.deployment,
            name=served.model,
            provider="anthropic",
            engine="anthropic",
            url=f"{sandbox_url}/anthropic",
            model=served.model,
            api_key=anthropic.API_KEY,
            context_tokens=200_000,
        )
    _deployment(
        company.MISTRAL_7B.deployment,
        name="Mistral 7B on RunPod",
        provider="self",
        engine="vllm",
        url=f"{sandbox_url}/vllm",
        model=company.MISTRAL_7B.model,
        context_tokens=vllm.CONTEXT,
        tokens_per_second=company.GPU_TOKENS_PER_SECOND,
    )
    # Not "self": no rule of routes may send anything there, which is why it is idle.
    _deployment(
        company.SPARE_DEPLOYMENT,
        name="BGE-M3 on Vast.ai",
        provider="vast",
        engine="openai_compatible",
        url=f"{sandbox_url}/spare/v1",
        model=vllm.SPARE,
    )
    _deployment(
        REAL_DEPLOYMENT,
        name="SmolLM2 on llama.cpp",
        provider="self",
        engine="llamacpp",
        url=f"{sandbox_url}/engine",
        model=MODEL_NAME,
        context_tokens=2_048,
        check_every_s=10,
    )


def _deployment(slug: str, *, url: str, api_key: str = "", **facts: object) -> None:
    known = {"url": url, "api_key": encrypt(api_key), "local": True}
    Deployment.objects.update_or_create(slug=slug, defaults=known, create_defaults=known | facts)


def plan(story: Story) -> None:
    """The three phases (the third has no date yet) and the three stages."""
    starts = {"now": story.first_day, "scale-up": story.hybrid_from}
    for phase in company.PHASES:
        Phase.objects.get_or_create(
            slug=phase.slug,
            defaults={
                "name": phase.name,
                "shape": phase.shape,
                "budget_low": phase.budget_low,
                "budget_high": phase.budget_high,
                "volume_from": phase.volume_from,
                "volume_to": phase.volume_to,
                "starts_on": starts.get(phase.slug),
                "ends_on": story.hybrid_from if phase.slug == "now" else None,
            },
        )
    for budget in company.BUDGETS:
        fields = asdict(budget)
        fields.update(subject_fields(fields.pop("scope"), fields.pop("subject")), starts_on=story.hybrid_from)
        Budget.objects.get_or_create(slug=slugify(budget.name), defaults=fields)
    for stage, starts_on, ends_on in stages(story):
        Stage.objects.get_or_create(
            slug=stage.slug,
            defaults={"name": stage.name, "starts_on": starts_on, "ends_on": ends_on, "budget": stage.budget},
        )


def stages(story: Story) -> list[tuple[company.Stage, date, date]]:
    """Each stage, its first day and the day after its last."""
    return [
        (company.EVALUATION, story.evaluation_from, story.trial_from),
        (company.PROOF_OF_CONCEPT, story.trial_from, story.hybrid_from),
        (company.PRODUCTION, story.hybrid_from, add_months(story.hybrid_from, 5)),
    ]


def enter_charges(story: Story, now: datetime) -> None:
    """What a person enters: the pod's upkeep in EUR, again on the first of each month, and the evaluation's borrowed
    machine."""
    exchange_rates(story, now)
    repeat_upkeep(story)
    post_recurrences(now.date())
    said = "14 hours of a spot RTX 4090 at 0.30, for the evaluation"
    day = story.evaluation_from + timedelta(days=3)
    _enter("vast", day, Category.GPU, company.EVALUATION_INVOICE, said)


def export_daily(now: datetime) -> None:
    """Finance reads the ledger as files: the last month and this one, in a folder beside the demo's data."""
    ExportTarget.objects.get_or_create(
        name="Finance",
        defaults={
            "kind": ExportTarget.Kind.FOLDER,
            "folder": "finance",
            "since": (now.date().replace(day=1) - timedelta(days=1)).replace(day=1),
            "created_by": User.objects.get(username=company.BY_ROLE["ops"].username),
        },
    )


def exchange_rates(story: Story, now: datetime) -> None:
    """One a week from the first day on."""
    days = [story.first_day + timedelta(weeks=week) for week in range((now.date() - story.first_day).days // 7 + 1)]
    rates = zip(days, cycle(company.EUR_RATES), strict=False)
    ExchangeRate.objects.bulk_create(
        [ExchangeRate(currency="EUR", day=day, usd=usd, source="invented for this demo") for day, usd in rates],
        ignore_conflicts=True,
    )


def repeat_upkeep(story: Story) -> None:
    """A series with its receipt; whatever a person made of it stays."""
    if Recurrence.objects.exists():
        return
    manager = User.objects.get(username=company.BY_ROLE["manager"].username)
    content = company.UPKEEP_RECEIPT.encode()
    name, kind = checked("order-2207.txt", content)
    Recurrence.objects.create(
        every=Recurrence.Every.MONTH,
        starts_on=story.hybrid_from,
        counts_from=story.hybrid_from,
        category=Category.UPKEEP,
        provider="runpod",
        original_amount=company.UPKEEP_MONTHLY_EUR,
        currency="EUR",
        description=company.UPKEEP_SAID,
        receipt=save_receipt(name=name, kind=kind, content=content, user=manager),
        entered_by=manager,
    )


def _enter(provider: str, day: date, category: Category, amount: Decimal, description: str) -> None:
    Charge.objects.get_or_create(
        key=f"entered/demo/{provider}/{day}/{category}",
        defaults={
            "provider": provider,
            "day": day,
            "starts_at": moment(day, 0),
            "ends_at": moment(day + timedelta(days=1), 0),
            "category": category,
            "provenance": Provenance.ENTERED,
            "amount": amount,
            "original_amount": amount,
            "description": description,
            "invoice_month": f"{day:%Y-%m}",
            "entered_by": User.objects.get(username=company.BY_ROLE["manager"].username),
        },
    )


@dataclass(frozen=True)
class Vendor:
    """An account at a simulated vendor."""

    slug: str
    name: str
    kind: str
    path: str
    secret: str
    first: bool = True  # whether the first page waits for what it tells


GOOGLE, GOOGLE_KEY = "google", "/google/service-account.json"  # a key that the simulated vendor makes for itself
VENDORS = (
    Vendor("anthropic", "Anthropic Console", "anthropic", "anthropic", anthropic.ADMIN_KEY),
    Vendor("runpod", "RunPod", "runpod", "runpod", runpod.KEY),
    Vendor("vast", "Vast.ai", "vast", "vast", vast.KEY, first=False),
    # Nothing is rented there: they are what the offers are compared with.
    Vendor("lambda", "Lambda", "lambda", "lambda", lambda_cloud.KEY, first=False),
    Vendor(GOOGLE, "Google Cloud", "google", "google", "", first=False),
)
FIRST = [vendor.slug for vendor in VENDORS if vendor.first]


def accounts(sandbox_url: str, google_key: str, now: datetime) -> None:
    """The accounts that are polled; called when the vendors know what they are to bill."""
    for vendor in VENDORS:
        secret = encrypt(google_key if vendor.slug == GOOGLE else vendor.secret)
        known = {"base_url": f"{sandbox_url}/{vendor.path}", "secret": secret, "local": True}
        # A newcomer may press the button that stops a lease: the vendor is simulated.
        named = {"name": vendor.name, "kind": vendor.kind, "may_stop": vendor.kind in ("runpod", "vast")}
        account, _ = Account.objects.update_or_create(slug=vendor.slug, defaults=known, create_defaults=known | named)
        ensure_feeds(account, now)


FIRST_POLLS_S = 60


def poll_accounts() -> None:
    """A first poll here and now, so that the first page shows bills and leases; beat goes on with the next.

    Usage by the hour is some twenty thousand rows that no first page needs: it is left to the worker. A feed that the
    worker polls in this moment is waited for.
    """
    end = time.monotonic() + FIRST_POLLS_S
    while True:
        for account in Account.objects.enabled().filter(slug__in=FIRST):
            poll_or_leave(claim(timezone.now(), account=account))
        waiting = Feed.objects.filter(account__slug__in=FIRST, last_success_at=None)
        if not waiting.exclude(kind="usage").exists() or time.monotonic() > end:
            break
        time.sleep(0.5)
    ledger.post()


def poll_or_leave(feeds: list[Feed]) -> None:
    for feed in feeds:
        if feed.kind == "usage" or feed.last_success_at is not None:
            Feed.objects.filter(pk=feed.pk, claimed_until=feed.claimed_until).update(claimed_until=None)
        else:
            poll(feed)


RENTED = {company.POD_ID: company.MISTRAL_7B.deployment, company.SPARE: company.SPARE_DEPLOYMENT}


def link_lease() -> None:
    """Tie what we serve to the machines that it runs on, once a poll has found them."""
    for lease in Lease.objects.filter(external_id__in=RENTED):
        Deployment.objects.filter(slug=RENTED[lease.external_id], lease=None).update(lease=lease)
