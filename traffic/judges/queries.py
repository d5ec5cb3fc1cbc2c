"""What judges scored, and how far they agree with people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median_low

from django.db.models import Count, Q, Sum

from lib import sql
from lib.money import ZERO
from traffic.models import Judge, Rating
from traffic.models.judges import JudgeState
from traffic.quality.agreement import Agreement, krippendorff_alpha
from traffic.quality.queries import wilson

# Of answers that people gave stars too.
BOTH = """
SELECT s.stars, array_agg(r.stars) FROM traffic_judgescore AS s
JOIN traffic_rating AS r ON r.request_id = s.request_id AND r.stars IS NOT NULL
WHERE s.judge_id = %s AND s.stars IS NOT NULL GROUP BY s.id
"""


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """A judge with its scores, apart from people's. `spent` is what counts toward the cap, USD."""

    judge: Judge
    judged: int = 0
    acceptable: int = 0
    failed: int = 0
    spent: Decimal = ZERO
    agreement: Agreement = field(default_factory=lambda: Agreement(None, "ordinal", 2, 0))

    @property
    def trusted(self) -> bool:
        """Whether enough answers were judged by people too, and alike."""
        enough = self.agreement.trusted is not None and self.agreement.alpha is not None
        return enough and (self.agreement.alpha or 0.0) >= self.judge.least_alpha

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.acceptable, self.judged) if self.judged else None


def results() -> Sequence[JudgeResult]:
    """Every judge, by task."""
    counts = {
        "judged": Count("scores", filter=Q(scores__state=JudgeState.OK)),
        "acceptable": Count("scores", filter=Q(scores__stars__gte=Rating.PASSING_STARS)),
        "failed": Count("scores", filter=Q(scores__state=JudgeState.FAILED)),
        "spent": Sum("scores__charged", default=ZERO),
    }
    judges = Judge.objects.select_related("deployment").annotate(**counts).order_by("task")
    return [
        JudgeResult(judge, agreement=agreement_of(judge), **{name: getattr(judge, name) for name in counts})
        for judge in judges
    ]


def judge_of(task: str) -> Judge | None:
    return Judge.objects.filter(task=task).first()


def agreement_of(judge: Judge) -> Agreement:
    """Krippendorff's alpha of the judge and the median of people, over the answers that both gave stars."""
    pairs = Counter((stars, median_low(people)) for stars, people in sql.rows(BOTH, [judge.pk]))
    alpha = krippendorff_alpha(((Counter(pair), times) for pair, times in pairs.items()), "ordinal")
    return Agreement(alpha, "ordinal", 2, pairs.total())
