"""What the playground shows of an answer."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from lib.formats import count, duration, usd4
from traffic.models import CostReason, Request
from traffic.playground.sending import Answer, Ask
from traffic.playground.services import token_of


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """An answer that has ended, with its row where that is stored."""

    ask: Ask
    answer: Answer
    row: Request | None

    def figures(self) -> list[tuple[str, str]]:
        """First token, time, tokens and cost, each as its name and value."""
        answer, row = self.answer, self.row
        unknown = _("not known yet")
        tokens = unknown
        if row is not None and row.uncached_input is not None:
            classes = (row.uncached_input, row.cache_read, row.cache_write_5m, row.cache_write_1h)
            taken = count(sum(number or 0 for number in classes))
            tokens = _("%(input)s in, %(output)s out") % {"input": taken, "output": count(row.output or 0)}
        return [
            (_("Answered by"), answer.deployment or _("no deployment")),
            (_("First token"), _("none") if answer.ttft_ms is None else duration(answer.ttft_ms)),
            (_("Whole answer"), _("none") if answer.ms is None else duration(answer.ms)),
            (_("Tokens"), tokens),
            (_("Cost"), unknown if row is None else cost_words(row)),
        ]

    @property
    def url(self) -> str:
        """The page of its request; empty where there is none."""
        return "" if self.row is None else reverse("traffic:request", args=[self.row.id])

    @property
    def token(self) -> str:
        """What it is kept by; empty where it is no whole answer."""
        if self.answer.problem or not self.answer.ended or self.answer.request is None or not self.answer.text:
            return ""
        return token_of(self.answer.request, self.answer.deployment, self.ask.prompt)


def cost_words(row: Request) -> str:
    if row.cost is not None:
        return f"${usd4(row.cost)}"
    if row.cost_reason == CostReason.LEASED:
        return _("self-hosted, paid by GPU hours")
    return _("not known")
