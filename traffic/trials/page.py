"""What the list of trials shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import count
from traffic.models import Trial
from traffic.models.trials import PromptSource, TrialState

MARKS = {
    TrialState.QUEUED: "unknown",
    TrialState.RUNNING: "info",
    TrialState.DONE: "ok",
    TrialState.STOPPED: "warn",
    TrialState.FAILED: "bad",
}


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial in the list."""

    trial: Trial

    @property
    def mark(self) -> str:
        return MARKS[TrialState(self.trial.state)]

    def against(self) -> str:
        """What it compares."""
        if self.trial.baseline is None:
            return self.trial.candidate.name
        return _("%(candidate)s and %(baseline)s") % {
            "candidate": self.trial.candidate.name, "baseline": self.trial.baseline.name
        }  # fmt: skip

    def capacity(self) -> str:
        """Tokens/s of one GPU with the concurrency; empty where it is not measured."""
        trial = self.trial
        if not trial.capacity_tokens_per_second:
            return ""
        words = {"speed": speed(trial.capacity_tokens_per_second), "calls": at_once(trial.capacity_concurrency)}
        return _("%(speed)s tokens/s with %(calls)s") % words


def speed(tokens_per_second: float) -> str:
    """With three significant digits."""
    return f"{tokens_per_second:,.0f}" if tokens_per_second >= 100 else f"{tokens_per_second:,.3g}"


def at_once(concurrency: int | None) -> str:
    """The concurrency in words."""
    n = concurrency or 0
    return ngettext("%(n)s call at once", "%(n)s calls at once", n) % {"n": n}


def headline(trials: Sequence[Trial]) -> str:
    """How many trials there are, and what the newest finished one measured."""
    if not trials:
        return _("No trials yet. A trial measures a deployment and collects answers to compare.")
    running = sum(trial.active for trial in trials)
    if running:
        return ngettext("%(n)s trial is running or queued.", "%(n)s trials are running or queued.", running) % {
            "n": running
        }
    newest = next((trial for trial in trials if trial.capacity_tokens_per_second), None)
    if newest is None or not newest.capacity_tokens_per_second:
        text = ngettext("%(n)s trial, none with a measured capacity.", "%(n)s trials, none with a measured capacity.",
                        len(trials))  # fmt: skip
        return text % {"n": count(len(trials))}
    return _("Newest capacity: %(name)s with %(speed)s tokens/s.") % {
        "name": newest.candidate.name, "speed": speed(newest.capacity_tokens_per_second),
    }  # fmt: skip


def source_words(trial: Trial) -> str:
    """Where its prompts come from."""
    if trial.prompt_source == PromptSource.TASK:
        return _("stored prompts of the task %(name)s") % {"name": trial.source_name}
    if trial.prompt_source == PromptSource.SET:
        return _("set %(name)s") % {"name": trial.source_name}
    if trial.prompt_source == PromptSource.FILE:
        return _("file %(name)s") % {"name": trial.source_name}
    return str(PromptSource(trial.prompt_source).label)
