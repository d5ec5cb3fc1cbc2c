"""Is everything up? Counts of deployments by their state now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.verdicts.verdict import State, Verdict
from providers.uptime.page import UptimeSummary


def serving_now(summary: UptimeSummary) -> Verdict:
    """Judge the deployments as they are now."""
    names = [entry.deployment.name for entry in summary.down]
    checked = bool(summary.last_check_at) and not summary.stopped
    verdict = serving(summary.total, summary.up, names, checked=checked)
    is_complete = names or not checked or verdict.state == State.MET
    return verdict if is_complete else replace(verdict, sentence=summary.answer())  # which names what the others are


def serving(total: int, up: int, down: Sequence[str], *, checked: bool) -> Verdict:
    """Judge deployments that are checked: `down` are the names of those that are down, `checked` whether checks run.

    A deployment that is neither up nor down is starting, or its checks have no answer: then it is not known.
    """
    share = Decimal(up) / total if total else None
    names = ", ".join([*down[:2], "…"] if len(down) > 2 else down)
    words = {"up": up, "total": total, "names": names, "down": len(down)}
    if not total:
        return Verdict("up", State.NOT_ENOUGH, _("No deployment is set up, so nothing is checked."))
    if down:
        text = ngettext("%(names)s is down. %(up)s of %(total)s deployments are up.",
                        "%(down)s of %(total)s deployments are down: %(names)s.", len(down))  # fmt: skip
        return Verdict("up", State.NOT_MET, text % words, share, Decimal(1), sample=total)
    if not checked:
        return Verdict("up", State.NOT_ENOUGH, _("No check has run lately."), None, Decimal(1), sample=total)
    if up < total:
        text = _("%(up)s of %(total)s deployments are up. The state of the others is unknown.")
        return Verdict("up", State.NOT_ENOUGH, text % words, share, Decimal(1), sample=total)
    text = ngettext("The one deployment is up.", "All %(total)s deployments are up.", total)
    return Verdict("up", State.MET, text % words, share, Decimal(1), sample=total)
