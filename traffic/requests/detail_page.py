"""What the page of one request shows and says: its end, its time, its cost, and what came with it. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.template.defaultfilters import floatformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lib.dates import BEGINNING
from lib.formats import count, duration, missing, usd4, when
from providers.models import TokenPrice
from traffic.ingest.data_quality import MEANINGS, SHARED_ID
from traffic.models import CostReason, Outcome, Request
from traffic.requests.page import Row

UNANSWERED = {
    Outcome.TIMEOUT: gettext_lazy("did not answer in time"),
    Outcome.CANCELLED: gettext_lazy("was interrupted by its caller"),
    Outcome.REFUSED: gettext_lazy("refused to answer"),
}


@dataclass(frozen=True, slots=True)
class RequestDetail(Row):
    """One request with its price, for a reader who may see costs (`money`) or not, and what its sentences say."""

    money: bool
    price: TokenPrice | None = None
    doubts: Sequence[str] = ()

    @property
    def answered(self) -> bool:
        return answered(self.it)

    @property
    def without_lease(self) -> bool:
        """Whether a deployment of ours answered it for whose GPU no lease is known."""
        return self.leased and self.it.deployment is not None and self.it.deployment.lease_id is None

    def headline(self) -> SafeString:
        """What became of the request, and what it cost."""
        return format_html("<b>{}</b> {}. {}.", self.it.model, self._ending(), self._paid())

    def _ending(self) -> str:
        if self.it.outcome == Outcome.OK:
            return self._answer()
        if self.it.outcome in UNANSWERED:
            return str(UNANSWERED[Outcome(self.it.outcome)])
        if self.it.http_status:
            return _("failed with status %(status)s") % {"status": self.it.http_status}
        return _("failed")

    def _answer(self) -> str:
        it, time, more, end = self.it, _("answered"), "", ""
        if it.latency_ms is None:
            end = _(", latency not reported")
        else:
            time = format_html(_("answered in <b>{time}</b>"), time=duration(it.latency_ms))
        if it.cost_reason == CostReason.CACHED:
            more = _(" from the answer cache")
        elif from_own_cache(it.raw):
            more = _(" from the cache of a proxy, without a call to a vendor")
        elif it.output is not None:
            more = ngettext(" with %(n)s token", " with %(n)s tokens", it.output) % {"n": count(it.output)}
        return format_html("{}{}{}", time, more, end)

    def _paid(self) -> str:
        if not self.money:
            return format_html(_("It started on {at}"), at=when(self.it.started_at))
        if self.it.cost is not None:
            return format_html(_("Cost: <b>${cost}</b>"), cost=usd4(self.it.cost))
        if self.without_lease:
            return _("Self-hosted, without a lease that is billed")
        if self.leased:
            return _("Self-hosted, paid by GPU hours")
        return _("Its cost is not known")

    def time_heading(self) -> str:
        if self.it.ttft_ms is not None:
            return _("First token after %(time)s") % {"time": duration(self.it.ttft_ms)}
        if self.it.latency_ms is None:
            return _("Latency not known")
        if self.answered:
            return _("Answered in one piece")
        return _("Ended without an answer after %(time)s") % {"time": duration(self.it.latency_ms)}

    def whole_label(self) -> str:
        """What the last line of the timeline is called."""
        return _("Start to end of the answer") if self.answered else _("Start to end")

    def cost_heading(self) -> str:
        """That its cost is known, else why not."""
        if self.it.cost is not None:
            return _("Cost breakdown")
        if not self.answered and self.it.cost_reason == CostReason.UNKNOWN_USAGE:
            return _("No answer, so no token counts")
        if self.without_lease:
            return _("Self-hosted, and its deployment has no lease")
        return str(capfirst(self.it.get_cost_reason_display()))

    def price_note(self) -> str:
        """Whose price it was costed with; empty where there was none."""
        if self.price is None:
            return ""
        text = _("price of {source}, from {day} on")
        if self.price.starts_at <= BEGINNING:
            text = _("list price of {source}, {day}")
        return format_html(text, source=self.price.source, day=self.price.valid_from)

    def total(self) -> str:
        """Its cost with all the decimals that a column holds."""
        if self.it.cost is None:
            return missing("dash" if self.leased else "")
        return str(floatformat(self.it.cost, 8))

    def reasoning_note(self) -> str:
        """How many of its output tokens nobody reads; empty without any."""
        if not self.it.reasoning:
            return ""
        text = ngettext("%(n)s of them for reasoning", "%(n)s of them for reasoning", self.it.reasoning)
        return text % {"n": count(self.it.reasoning)}

    def tokens_heading(self) -> str:
        return _("Tokens") if self.it.uncached_input is not None else _("No token counts")

    def raw_heading(self) -> str:
        """Whether what came is to be believed."""
        if not self.doubts:
            return _("Raw data")
        text = ngettext(
            "Raw data, with 1 warning",
            "Raw data, with %(n)s warnings",
            len(self.doubts),
        )
        return text % {"n": len(self.doubts)}

    def ratings_heading(self) -> str:
        if not self.ratings:
            return _("No ratings")
        number = len(self.ratings)
        return ngettext("%(n)s rating", "%(n)s ratings", number) % {"n": number}


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a request's time: milliseconds, and where it lies as per cent of the whole."""

    label: str
    ms: float
    at: float
    width: float
    kind: str

    @property
    def style(self) -> str:
        """The CSS classes that it is drawn with."""
        return {"stream": "f1 p-measured", "read": "f6 p-measured"}.get(self.kind, "band")


def timeline(request: Request) -> list[Segment]:
    """How the time of a request was spent, as far as it is known; empty when it is not.

    The engine's own timings (llama.cpp) tell waiting from reading the prompt.
    """
    total = request.latency_ms
    if not total:
        return []
    first = min(request.ttft_ms, total) if request.streamed and request.ttft_ms is not None else None
    timings = (request.raw or {}).get("timings")
    reading = number(timings, "prompt_ms")
    parts: list[tuple[str, float, str]] = []
    if first is None and not answered(request):
        parts.append((_("waiting for an answer"), total, "queue"))
    elif first is None:
        parts.append((_("whole answer"), total, "stream"))
    elif reading is not None and reading <= first:
        parts += [(_("queued"), first - reading, "queue"), (_("reading the prompt"), reading, "read")]
        parts.append((_("streaming"), total - first, "stream"))
    else:
        parts += [(_("queued and reading the prompt"), first, "queue"), (_("streaming"), total - first, "stream")]
    return placed(parts, total)


def answered(request: Request) -> bool:
    """Whether an answer came; a refusal is one."""
    return request.outcome not in (Outcome.ERROR, Outcome.TIMEOUT, Outcome.CANCELLED)


def answer_of(raw: Any) -> str:
    """The id of the request whose answer this one got from the answer cache; empty where it got its own."""
    cached = raw.get("cache") if isinstance(raw, dict) else None
    identifier = cached.get("answer_of") if isinstance(cached, dict) else None
    try:
        return str(UUID(identifier))
    except (AttributeError, TypeError, ValueError):
        return ""


def from_own_cache(raw: Any) -> bool:
    """Whether a proxy (LiteLLM) answered out of its own cache: no vendor was asked, no token is paid."""
    return isinstance(raw, dict) and raw.get("cache_hit") is True


def placed(parts: Sequence[tuple[str, float, str]], total: float) -> list[Segment]:
    segments, at = [], 0.0
    for label, ms, kind in parts:
        segments.append(Segment(label, ms, round(at / total * 100, 2), round(ms / total * 100, 2), kind))
        at += ms
    return segments


def number(values: Any, name: str) -> float | None:
    """A non-negative number of a vendor's object; None for anything else."""
    value = values.get(name) if isinstance(values, dict) else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else None


def tries(raw: Any) -> list[dict[str, Any]]:
    """Deployments that were asked before the one that answered, and why they did not."""
    attempts = raw.get("tries") if isinstance(raw, dict) else None
    return [
        {
            "deployment": attempt.get("deployment"),
            "why": attempt.get("error") or _("status %(n)s") % {"n": attempt.get("status")},
        }
        for attempt in (attempts if isinstance(attempts, list) else [])
        if isinstance(attempt, dict)
    ]


def doubts_of(raw: Any, *, shared_id: bool = False) -> list[str]:
    """What ingest doubted of it, as sentences; a word that is no longer known stands for itself.

    `shared_id`: another application has a request with its response id.
    """
    doubts = raw.get("doubts") if isinstance(raw, dict) else None
    words = [word for word in (doubts if isinstance(doubts, list) else []) if isinstance(word, str)]
    words += [SHARED_ID] if shared_id else []
    return [str(MEANINGS.get(word, word)) for word in dict.fromkeys(words)]


MONEY = re.compile(r"cost|price|spend|usd", re.IGNORECASE)


def without_money(raw: Any) -> Any:
    """A vendor's object without what it says about money: some send an answer's cost next to its tokens."""
    if isinstance(raw, dict):
        return {name: without_money(value) for name, value in raw.items() if not MONEY.search(name)}
    return [without_money(value) for value in raw] if isinstance(raw, list) else raw


def curl(request: Request, prompt: str | None, gateway: str) -> str:
    """The same call again, through the gateway; without the prompt a placeholder stands in its place."""
    messages = messages_of(prompt) or [{"role": "user", "content": "…"}]
    anthropic = request.provider == "anthropic"
    body: dict[str, Any] = {"model": request.model}
    if anthropic:
        body["max_tokens"] = 1024
        if messages[0].get("role") == "system":
            body["system"] = messages.pop(0)["content"]
    body["messages"] = messages
    if request.streamed:
        body["stream"] = True
    parts = [
        f"curl {gateway}/v1/{'messages' if anthropic else 'chat/completions'}",
        '-H "Authorization: Bearer $GATEWAY_KEY"',
        "-H 'content-type: application/json'",
        f"-H 'x-breakeven-task: {request.task}'",
        f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
    ]
    return " \\\n  ".join(parts)


def messages_of(prompt: str | None) -> list[dict[str, Any]]:
    """The messages array of a stored prompt; a plain one is one question."""
    if not prompt:
        return []
    try:
        messages = json.loads(prompt) if prompt.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        messages = None
    if (
        isinstance(messages, list)
        and messages
        and all(isinstance(message, dict) and "content" in message for message in messages)
    ):
        return messages
    return [{"role": "user", "content": prompt}]
