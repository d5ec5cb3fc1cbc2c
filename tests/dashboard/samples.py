"""One of everything that an address may name, so that every view can be tried."""

from __future__ import annotations

import uuid
import zlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from alerts.defaults import ensure_defaults as alert_rules
from alerts.mail import links
from alerts.models import Address, Alert, Channel, Delivery, Rule, SavedView, Silence, Transition
from costs.models import (
    Anomaly,
    BillImport,
    Budget,
    Closing,
    Effort,
    ExportTarget,
    Finding,
    Receipt,
    Recurrence,
    Stage,
    WhatIf,
)
from costs.readiness import records
from costs.readiness.inputs import read_report
from costs.readiness.scorecard import judge
from dashboard.signin.links import parts_of
from lib.encryption import encrypt
from providers.models import (
    Account,
    Deployment,
    Discount,
    Heartbeat,
    OfferWatch,
    RemovedAccount,
    StatusPage,
    UnitPrice,
)
from tests.factories import (
    AccountFactory,
    ApplicationFactory,
    ChargeFactory,
    DeploymentFactory,
    LeaseFactory,
    MaintenanceFactory,
    OutageFactory,
    PairFactory,
    PhaseFactory,
    TokenPriceFactory,
    TrialFactory,
)
from tests.traffic.people import arrive
from traffic.feedback_links import services as feedback_links
from traffic.gateway.aside import SET_ASIDE
from traffic.models import (
    Abstention,
    AnswerSet,
    Application,
    Cap,
    Erasure,
    FeedbackLink,
    Import,
    Key,
    PairAssignment,
    PairChoice,
    Rating,
    RatingQueue,
    Repricing,
    Route,
    Rubric,
)
from traffic.models.queues import number_of_person


@dataclass
class Samples:
    """`arguments` of `reverse` and what a POST has `sent`, by the name of the address, where there are any.

    `request` belongs to an application that none of the roles is in; one of everybody's waits to be rated.
    """

    application: Application
    request: uuid.UUID
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)

    def url(self, name: str) -> str:
        return reverse(name, kwargs=self.arguments.get(name))


def samples(mail_folder: Path) -> Samples:
    """Made directly, without the views under test."""
    owner = User.objects.create_user("somebody", "somebody@example.com")
    application = ApplicationFactory.create(slug="theirs", name="Theirs", owner=owner, capture_bodies=True)
    request = a_request(application)
    made = Samples(application, request.id)
    everybodys = ApplicationFactory.create(slug="everybodys", name="Everybody’s", capture_bodies=True)
    everybodys.members.set(User.objects.exclude(pk=owner.pk))
    made.sent["traffic:rate"] = made.sent["traffic:rate-draft"] = {"request": str(a_request(everybodys).id)}
    made.sent["traffic:compare"] = {"pair": str(PairFactory.create(application=everybodys).pk), "skip": "1"}
    made.arguments = {**of_providers(), **of_traffic(made, owner, request), **of_costs(), **of_alerts(mail_folder)}
    made.arguments |= {f"person{act}": {"pk": owner.pk} for act in ("", "-switch", "-link", "-sessions")}
    made.arguments |= {
        "role": {"name": "ops"},
        "new-password": dict(zip(("uidb64", "token"), parts_of(owner), strict=True)),
    }
    made.sent["traffic:feedback-link"] = {"score": "1"}
    made.sent["forgotten"] = {"email": "nobody@example.com"}
    (mail_folder / "spool").mkdir()
    (mail_folder / "spool" / SET_ASIDE).write_text('{"reason": "This is no row", "line": "{"}\n')
    made.sent["costs:reconciliation-key"] = {"account": "ours", "key": "apikey_1", "owner": ""}
    made.arguments["api:get_scenario"] = {"scenario": "A"}
    made.arguments["api:get_engine"] = {"slug": "mistral-7b"}
    made.arguments["api:get_bill"] = {"slug": "ours"}
    return made


def a_request(application: Application) -> Any:
    from django.db import connection

    connection.ensure_connection()
    raw = connection.connection
    return arrive(raw, {"application_id": application.pk, "answer": "Yes."})[0]


def of_providers() -> dict[str, dict[str, Any]]:
    now = datetime.now(UTC)
    account = AccountFactory.create(slug="ours", name="Ours", secret="sk-ant-admin")
    deployment = DeploymentFactory.create(
        slug="mistral-7b", name="Mistral", url="http://127.0.0.1:9/v1", model="mistral"
    )
    window = MaintenanceFactory.create(
        deployment=deployment, starts_at=now, ends_at=now + timedelta(hours=1), reason="driver"
    )
    found: dict[str, dict[str, Any]] = {"providers:account-add-kind": {"kind": "anthropic"}}
    for name in ("account", "account-poll", "account-disable", "account-enable", "account-split"):
        found[f"providers:{name}"] = {"slug": account.slug}
    rows = zlib.compress(b'{"rows": [], "names": []}')
    removed = RemovedAccount.objects.create(slug=account.slug, name="Gone", kind="runpod", removed_at=now, content=rows)
    found |= {"costs:account-remove": {"slug": account.slug}, "costs:account-restore": {"pk": removed.pk}}
    for name in ("deployment", "deployment-disable", "deployment-enable", "maintenance"):
        found[f"providers:{name}"] = {"slug": deployment.slug}
    heartbeat = Heartbeat.objects.create(slug="nightly", name="Nightly", watched_since=now)
    page = StatusPage.objects.create(slug="ours", title="Ours", access="public")
    outage = OutageFactory.create(deployment=deployment, started_at=now, confirmed_at=now, cause="refused")
    for name in ("heartbeat", "heartbeat-pause", "heartbeat-resume", "heartbeat-delete"):
        found[f"providers:{name}"] = {"slug": heartbeat.slug}
    for name in ("status-page", "status-page-delete", "status-preview"):
        found[f"providers:{name}"] = {"slug": page.slug}
    for name in ("status", "status-badge", "status-json"):
        found[f"providers:{name}"] = {"address": page.slug}
    found["providers:heartbeat-undo"], found["providers:status-page-undo"] = {"pk": heartbeat.pk}, {"pk": page.pk}
    watch = OfferWatch.objects.create(gpu="RTX 4090", price="0.30")
    for name in ("offer-watch", "offer-watch-delete", "offer-watch-undo"):
        found[f"providers:{name}"] = {"pk": watch.pk}
    view = SavedView.objects.create(owner=User.objects.create_user("keeper"), name="Mine", path="/requests/")
    for name in ("saved-view", "saved-view-delete", "saved-view-undo"):
        found[name] = {"pk": view.pk}
    found["providers:outage"], found["providers:ping"] = {"pk": outage.pk}, {"ping_id": heartbeat.ping_id}
    found["providers:ping-signal"] = {"ping_id": heartbeat.ping_id, "what": "start"}
    lease = LeaseFactory.create(
        account=account, external_id="pod1", name="gpu-1", gpu="L4", started_at=now, seen_at=now
    )
    found |= {name: {"pk": lease.pk} for name in ("costs:lease", "providers:lease-idle", "providers:lease-stop")}
    found["providers:maintenance-end"] = {"slug": deployment.slug, "pk": window.pk}
    return found


def of_traffic(made: Samples, owner: User, request: Any) -> dict[str, dict[str, Any]]:
    key = Key.objects.create(application=made.application, name="theirs", hint="bk_theirs", hash=b"x" * 32, scopes=[])
    route = Route.objects.create(order=900, slug="ours-first", name="Ours first", to_provider="self")
    rating = Rating.objects.create(
        day=request.day,
        request_id=request.id,
        rater=owner,
        rater_kind="person",
        by=number_of_person(owner.pk),
        stars=4,
        application=made.application,
    )
    found: dict[str, dict[str, Any]] = {
        f"traffic:{name}": {"slug": made.application.slug}
        for name in (
            "application",
            "application-try",
            "application-erase",
            "application-cap-add",
            "application-cache-purge",
        )
    }
    found["costs:application-budgets"] = found["costs:unit-users"] = {"slug": made.application.slug}
    found["api:get_user_costs"] = {"application": made.application.slug}
    found |= {
        f"traffic:{name}": {"identifier": request.id}
        for name in ("request", "request-rate", "request-link", "request-gold")
    }
    deletion = Erasure.objects.create(kind="user", created_at=request.started_at, finished_at=request.started_at)
    found["traffic:erasure"] = {"pk": deletion.pk}
    file = Import.objects.create(file_name="may.csv", size=9, sha256="00", format="litellm", state="done", by=owner)
    found |= {"traffic:import": {"pk": file.pk}, "traffic:import-errors": {"pk": file.pk}}
    found |= {"traffic:import-do": {"pk": file.pk, "act": "start"}}
    trial = TrialFactory.create(candidate=Deployment.objects.get(slug="mistral-7b"), state="done")
    found |= {
        name: {"pk": trial.pk}
        for name in ("costs:trial", "costs:trial-pdf", "traffic:trial-stop", "traffic:trial-switch")
    }
    found |= {f"api:{name}": {"trial_id": trial.pk} for name in ("get_trial", "post_trial_stop")}
    answers = AnswerSet.objects.create(name="Sample", version=1)
    found |= {f"traffic:{name}": {"pk": answers.pk} for name in ("set", "set-file", "set-delete")}
    found |= {f"api:{name}": {"set_id": answers.pk} for name in ("get_set", "get_set_items")}
    link = FeedbackLink.objects.create(
        day=request.day,
        request_id=request.id,
        application=made.application,
        expires_at=request.started_at + timedelta(days=14),
    )
    found["traffic:feedback-link"] = {"token": feedback_links.address(link).rstrip("/").rpartition("/")[2]}
    repricing = Repricing.objects.create(since=request.day, until=request.day + timedelta(days=1), state="previewed")
    price = TokenPriceFactory.create(
        model="claude-sample", starts_at=request.started_at, uncached_input=1, output=5,
        source="a page", seen_at=request.started_at, entered_by=owner,
    )  # fmt: skip
    discount = Discount.objects.create(
        account=Account.objects.get(slug="ours"), starts_on=request.day, percent=10, source="a contract",
        entered_at=request.started_at,
    )  # fmt: skip
    found["traffic:discount-do"] = {"pk": discount.pk, "act": "take-back"}
    found["traffic:price-undo"] = {"pk": price.pk}
    unit = UnitPrice.objects.create(
        provider="lambda", kind="gpu", name="L4", starts_at=request.started_at, amount=1, source="a page",
        seen_at=request.started_at, entered_by=owner,
    )  # fmt: skip
    found["traffic:unit-price-undo"] = {"pk": unit.pk}
    found |= {"traffic:repricing": {"pk": repricing.pk}, "traffic:repricing-do": {"pk": repricing.pk, "act": "start"}}
    found["traffic:requests-export"] = {"kind": "csv"}
    found |= {
        f"traffic:{name}": {"slug": route.slug} for name in ("route", "route-switch", "route-move", "route-delete")
    }
    found |= {
        f"traffic:{name}": {"pk": key.pk} for name in ("key", "key-first", "key-rotate", "key-revoke", "key-cap-add")
    }
    cap = Cap.objects.create(key=key, unit="requests", period="day", amount=5)
    found["traffic:cap-delete"] = {"pk": cap.pk}
    abstention = Abstention.objects.create(rater=owner, day=request.day, request_id=request.id)
    found["traffic:abstention-undo"] = {"pk": abstention.pk}
    yes_or_no: list[dict[str, Any]] = [{"key": "a", "name": "A", "kind": "yes_no", "anchors": []}]
    rubric = Rubric.objects.create(name="Ours", criteria=yes_or_no)
    deleted = Rubric.objects.create(name="Old", criteria=yes_or_no, retired_at=request.started_at)
    queue = RatingQueue.objects.create(name="Ours", question="Is it right?")
    found |= {f"traffic:{name}": {"pk": rubric.pk} for name in ("rubric", "rubric-delete")}
    found |= {f"traffic:{name}": {"pk": queue.pk} for name in ("queue", "queue-fill", "queue-switch")}
    found["traffic:person-ratings"] = {"pk": owner.pk}
    found["traffic:rubric-undo"] = {"pk": deleted.pk}
    pair = PairFactory.create(application=made.application, disputed=True)
    rater = {"pair": pair, "rater": owner, "rater_kind": "person", "by": number_of_person(owner.pk)}
    choice = PairChoice.objects.create(**rater, outcome="tie", candidate_first=True)
    skipped = PairAssignment.objects.create(**rater, skipped_at=request.started_at)
    found |= {f"traffic:{name}": {"pk": pair.pk} for name in ("pair", "pair-decide")}
    found |= {"traffic:choice-undo": {"pk": choice.pk}, "traffic:skip-undo": {"pk": skipped.pk}}
    found["api:post_comparison"] = {"identifier": pair.pk}
    return found | {"traffic:rating-undo": {"pk": rating.pk}, "help-page": {"slug": "send-requests"}}


def of_costs() -> dict[str, dict[str, Any]]:
    today = datetime.now(UTC)
    charge = ChargeFactory.create(
        key="entered/sample", provider="self", day=today.date(), starts_at=today, ends_at=today, category="upkeep",
        provenance="entered", amount=50, original_amount=50,
    )  # fmt: skip
    phase = PhaseFactory.create(slug="sample", name="Sample", budget_low=1, budget_high=2, volume_from=10**9)
    stage = Stage.objects.create(
        slug="sample", name="Sample", starts_on=date(2026, 1, 1), ends_on=date(2026, 2, 1), budget=100
    )
    budget = Budget.objects.create(
        slug="sample", name="Sample", scope="task", task="rag", low=1, high=2, starts_on=date(2026, 1, 1)
    )
    found: dict[str, dict[str, Any]] = {"costs:withdraw-switch": {"kind": "private"}}
    somebody = User.objects.get(username="somebody")
    signed = records.sign(
        choice="not_yet", statement="Too few ratings.", by=somebody,
        figures=records.frozen(report := read_report(today), judge(report.evidence)),
    )  # fmt: skip
    scenario = WhatIf.objects.create(name="Twice", query="requests=300000", by=somebody)
    found |= {f"costs:kept-{name}": {"pk": scenario.pk} for name in ("remove", "undo")}
    spent = Effort.objects.create(day=today.date(), hours=1, what="driver", by=somebody)
    found |= {"costs:decision": {"number": signed.number}, "costs:withdraw-effort": {"pk": spent.pk}}
    odd = Anomaly.objects.create(
        application_id=0, driver="cache", before=0.9, after=0.1, since=today, found_at=today, seen_at=today
    )
    found |= {f"costs:anomaly-{name}": {"pk": odd.pk} for name in ("dismiss", "restore")}
    found |= of_ledger(today)
    found |= {
        f"costs:{name}": {"pk": charge.pk} for name in ("charge", "charge-delete", "charge-undo", "charge-correct")
    }
    found |= {f"costs:{name}": {"slug": phase.slug} for name in ("phase", "start-phase", "remove-phase")}
    found |= {f"costs:{name}": {"slug": budget.slug} for name in ("budget", "remove-budget")}
    return found | {f"costs:{name}": {"slug": stage.slug} for name in ("stage", "remove-stage")}


def of_ledger(now: datetime) -> dict[str, dict[str, Any]]:
    series = Recurrence.objects.create(
        every="month", starts_on=now.date(), counts_from=now.date(), category="upkeep", provider="self",
        original_amount=50,
    )  # fmt: skip
    paper = Receipt.objects.create(name="a.txt", content_type="text/plain", content=b"50 USD", size=6, sha256="0")
    found: dict[str, dict[str, Any]] = {}
    # An address that is refused before anything is sent.
    target = ExportTarget.objects.create(
        name="Lake", kind="s3", endpoint="https://127.0.0.1:9", bucket="b", since=now.date().replace(day=1)
    )
    for name in ("export", "export-run", "export-switch", "export-delete", "export-undo"):
        found[f"costs:{name}"] = {"pk": target.pk}
    paper_bill = BillImport.objects.create(file_name="bill.csv", sha256="1", content=b"", rows=0, amount=0)
    found |= {f"costs:{name}": {"pk": paper_bill.pk} for name in ("bill", "bill-enter", "bill-undo")}
    found["costs:export-add"] = {"kind": "s3"}
    found |= {
        f"costs:{name}": {"pk": series.pk}
        for name in ("recurrence", "recurrence-undo", "recurrence-stop", "recurrence-resume")
    }
    stated = {"month": f"{now:%Y-%m}", "by": "owner", "key": "~nobody"}
    found |= {f"costs:{name}": stated for name in ("statement", "statement-csv", "statement-pdf")}
    finding = Finding.objects.create(
        key="batch:sample", kind="batch", task="batch", monthly=9, since=now.date(), until=now.date(), found_at=now,
        seen_at=now, evidence={"live": 10, "requests": 10, "factor": "0.5", "sample": 10, "declared": True},
    )  # fmt: skip
    found |= {f"costs:saving-{name}": {"pk": finding.pk} for name in ("accept", "dismiss", "undo")}
    closing = Closing.objects.create(
        provider="lambda", month=date(2026, 1, 1), amount=9, original_amount=9, lines=0, places=[]
    )
    found |= {f"costs:reconciliation-{name}": {"pk": closing.pk} for name in ("reopen", "correct")}
    found["costs:reconciliation-tolerance"] = {"provider": "lambda"}
    found |= {f"costs:{name}": {"task": "rag"} for name in ("task-model", "task-model-log")}
    return found | {"costs:receipt": {"pk": paper.pk}}


def of_alerts(mail_folder: Path) -> dict[str, dict[str, Any]]:
    now = datetime.now(UTC)
    alert_rules()
    rule = Rule.objects.get(slug=Rule.objects.values_list("slug", flat=True)[0])
    alert = Alert.objects.create(
        rule=rule, kind=rule.kind, subject="phase:sample", title="75 % of budget", severity="warning", state="open",
        pending_since=now, opened_at=now,
    )  # fmt: skip
    moved = Transition.objects.create(alert=alert, before="pending", after="open", at=now, cause="crossed")
    sent = Delivery.objects.create(
        alert=alert, transition=moved, recipient="a@example.com", due_at=now, state="dead", attempts=9
    )
    silence = Silence.objects.create(kind=rule.kind, until=now + timedelta(hours=1), reason="known")
    names = "detail acknowledge unacknowledge silence resolve reopen snooze unsnooze assign reassign".split()
    names += ["note", "erase-note"]
    found: dict[str, dict[str, Any]] = {f"alerts:{name}": {"pk": alert.pk} for name in names}
    found |= {"alerts:lift": {"pk": silence.pk}, "alerts:again": {"pk": sent.pk}, "alerts:rule": {"slug": rule.slug}}
    made = Rule.objects.create(
        slug="sample", kind="figure", name="Sample", thresholds={"figure": "spend", "window": "month", "line": "400"}
    )
    found |= {f"alerts:rule-{name}": {"slug": made.slug} for name in ("switch", "delete", "restore")}
    channel = Channel.objects.create(
        slug="hook", name="Hook", kind="webhook", address=encrypt("https://127.0.0.1:9/x"), secret=encrypt("whsec_eA==")
    )
    refused = Address.objects.create(address="nobody@example.com", disabled_at=timezone.now())
    found["alerts:address-again"] = {"pk": refused.pk}
    found["alerts:channel-add"] = {"kind": "webhook"}
    found |= {f"alerts:channel{do}": {"slug": channel.slug} for do in ("", "-switch", "-delete", "-undo")}
    found["alerts:unsubscribe"] = {"token": links.sign("unsubscribe", rule.pk, "a@example.com")}
    steps = "acknowledge unacknowledge assign note erase_note snooze unsnooze resolve reopen".split()
    found |= {f"api:post_{name}": {"alert_id": alert.pk} for name in steps}
    found["api:post_silence_end"] = {"silence_id": silence.pk}
    found |= {f"alerts:{name}": {"kind": "daily"} for name in ("digest", "digest-html")}
    mail = a_mail(mail_folder)
    found |= {f"alerts:{name}": {"name": mail} for name in ("mail", "mail-html")}
    return found | {"alerts:mail-file": {"name": mail, "place": 0}}


def a_mail(data: Path) -> str:
    """One message in the demo's mailbox; its file's name."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "75 % of budget", "b@example.com", "a@example.com"
    message.set_content("75 % of budget")
    message.add_alternative("<p>75 % of budget</p>", subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="statement.pdf")
    new = data / "mail" / "new"
    new.mkdir(parents=True, exist_ok=True)
    (new / "1700000000.sample").write_bytes(message.as_bytes())
    return "1700000000.sample"
