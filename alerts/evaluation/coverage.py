"""Which larger alert speaks for a finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding

SAME_CAUSE_WITHIN = timedelta(minutes=15)  # what began within so long of each other may have one cause


def covered(context: EvaluationContext, finding: Finding, since: datetime) -> Finding:
    """The finding with the larger alert that speaks for it: one that it depends on and that began with it.

    A cause that is old, like a key that was refused last week, explains nothing that begins today.
    """
    if finding.covered_by or not finding.depends_on:
        return finding
    began = min(finding.since or since, since)
    for subject in finding.depends_on:
        cause = context.open_since.get(subject)
        if cause and abs(began - cause) <= SAME_CAUSE_WITHIN:
            return replace(finding, covered_by=subject)
    return finding
