"""What the pages of deployments say: which there are, how one is checked, and how a try went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lib.formats import ago, count, duration, sentences, when
from lib.time_spans import Span
from providers.engines import ENGINES, CheckResult, engine_of
from providers.models import Deployment, Maintenance
from providers.uptime import page as uptime_page
from providers.uptime.page import DeploymentNow

LADDER: tuple[tuple[str, str | Promise], ...] = (
    ("connect", gettext_lazy("Connect")),
    ("liveness", gettext_lazy("Live")),
    ("models", gettext_lazy("Serves the model")),
    ("completion", gettext_lazy("Responds")),
)


@dataclass(frozen=True, slots=True)
class DeploymentsPage:
    """Deployments that are switched on, the worst first, and those that are not."""

    rows: Sequence[DeploymentNow]
    off: Sequence[Deployment]

    def answer(self) -> str:
        return uptime_page.answer(self.rows).deployments_answer(len(self.off))

    def headline(self) -> str:
        n = len(self.rows)
        if not n:
            return _("Add your first deployment")
        return ngettext("1 model", "%(n)s models, problems first", n) % {"n": n}


@dataclass(frozen=True, slots=True)
class DeploymentPage:
    """One deployment; `now` is how it stands, None of one that is being added."""

    deployment: Deployment
    now: DeploymentNow | None
    planned: Sequence[tuple[Maintenance, Span]] = ()  # maintenance of now and later

    def title(self) -> str:
        return self.deployment.name if self.now else _("Add a deployment")

    def answer(self) -> str:
        if self.now is None:
            return _("A deployment is one model at one URL. It is checked from now on.")
        row = self.deployment
        cause = ""
        if not row.enabled:
            text = _("<b>{name}</b> is disabled: no requests and no checks.")
        elif self.now.state == "up":
            text = _("<b>{name}</b> is up. Last check {ago} in {ms} ({engine}).")
        elif self.now.state == "down":
            text, cause = _("<b>{name}</b> is down since {since}."), row.last_cause
        else:
            text = _("The state of <b>{name}</b> is currently unknown.")
        values = {"engine": row.engine_label, "ago": ago(row.last_check_at), "since": ago(row.state_since)}
        return sentences(format_html(text, name=row.name, ms=duration(row.last_latency_ms), **values), cause)

    def form_headline(self) -> str:
        return _("Settings") if self.now else _("Details")

    def use_headline(self) -> str:
        return _("Receiving traffic") if self.deployment.enabled else _("Disabled")

    def maintenance_headline(self) -> str:
        if not self.planned:
            return _("No planned maintenance")
        return format_html(_("Maintenance from {start}"), start=when(self.planned[0][1].start))

    def check_headline(self) -> str:
        """What the latest check found there."""
        served = self.deployment.served_model
        if served and served == self.deployment.model:
            return _("It serves the expected model")
        if served:
            return _("It serves %(name)s") % {"name": served}
        if self.deployment.last_check_at:
            return _("The expected model was not found")
        return _("Not checked yet")

    def concurrency(self) -> str:
        """How many calls go there at once, and who says so."""
        row = self.deployment
        if row.max_concurrency is not None:
            return _("%(n)s, as set here") % {"n": count(row.max_concurrency)}
        if row.engine_slots is not None:
            return _("%(n)s, reported by the engine") % {"n": count(row.engine_slots)}
        return _("no limit set or reported")

    def certificate(self) -> str:
        """When the TLS certificate ends, or why nothing is known of one."""
        if self.deployment.tls_expires_at:
            return when(self.deployment.tls_expires_at)
        if self.deployment.url.startswith("https"):
            return _("not read yet")
        return _("none, it is plain HTTP")


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a try: how it is marked, the word, and what was seen there."""

    label: str
    mark: str
    word: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """A check that a person asked for, with the steps that it took."""

    deployment: Deployment
    result: CheckResult

    @property
    def mark(self) -> str:
        if self.result.ok:
            return "ok"
        return "warn" if self.result.state == "starting" else "bad"

    def headline(self) -> str:
        if self.result.ok:
            return _("Check succeeded in %(ms)s") % {"ms": duration(self.result.latency_ms)}
        if self.result.state == "starting":
            return _("It is starting")
        return _("Check failed")

    def rungs(self) -> list[Rung]:
        """The ladder of the check: what went well, where it ended, what was not tried."""
        engine = engine_of(self.deployment.engine) if self.deployment.engine in ENGINES else None
        skipped = set() if engine is None or engine.liveness_path else {"liveness"}
        if not (self.deployment.probe_completion and engine is not None and engine.completion_probe_ok):
            skipped.add("completion")
        steps = [(step, str(label)) for step, label in LADDER if step not in skipped or step == self.result.step]
        reached = next((n for n, (step, _label) in enumerate(steps) if step == self.result.step), 0)
        ladder = [Rung(label, "ok", _("done")) for _step, label in steps[:reached]]
        if self.result.ok:
            ladder.append(Rung(steps[reached][1], "ok", _("done"), self.result.cause))
        else:
            mark, word = ("warn", _("starting")) if self.result.state == "starting" else ("bad", _("failed"))
            ladder.append(Rung(steps[reached][1], mark, word, self.result.cause))
        ladder += (Rung(label, "unknown", _("not tested")) for _step, label in steps[reached + 1 :])
        if self.result.scrape is not None:
            counted = self.result.scrape.sample is not None
            ladder.append(
                Rung(_("Reports metrics"), "ok" if counted else "warn", _("done") if counted else _("not reported"))
            )
        return ladder
