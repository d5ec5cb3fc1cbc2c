"""Enumerations: what a request is for, how it ended, why it has no cost, and those of keys, ratings and budgets."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Task(models.TextChoices):
    RAG = "rag", _("RAG")
    QA = "qa", _("simple QA")
    CODE = "code", _("code")
    REASONING = "reasoning", _("reasoning")
    CHAT = "chat", _("chat")
    BATCH = "batch", _("batch")
    VISION = "vision", _("vision")
    OTHER = "other", _("other")


class Outcome(models.TextChoices):
    OK = "ok", _("answered")
    ERROR = "error", _("error")
    TIMEOUT = "timeout", _("timeout")
    CANCELLED = "cancelled", _("cancelled by the caller")
    REFUSED = "refused", _("refused")


class CostReason(models.TextChoices):
    """Why a request has no cost of its own."""

    UNKNOWN_MODEL = "unknown_model", _("no price is known for this model")
    UNKNOWN_USAGE = "unknown_usage", _("the answer has no token counts")
    UNKNOWN_RATE = (
        "unknown_rate",
        _("no price is known for one of its token classes, its tier or region"),
    )
    LEASED = "leased", _("self-hosted, paid by GPU hours")
    REFUSED = "refused", _("refused before a model was called")
    CACHED = "cached", _("answered from the answer cache, which costs nothing")


class Scope(models.TextChoices):
    INGEST = "ingest", _("send requests")
    READ = "read", _("read figures")
    GATEWAY = "gateway", _("use the gateway")
    RATE = "rate", _("send ratings")
    ALERTS = "alerts", _("act on alerts")
    TRIALS = "trials", _("start and stop trials")


class QuotaUnit(models.TextChoices):
    """What a key's quota counts."""

    REQUESTS = "requests", _("requests")
    TOKENS = "tokens", _("tokens")
    USD = "usd", _("USD")


class QuotaPeriod(models.TextChoices):
    DAY = "day", _("day")
    MONTH = "month", _("month")


class CapPeriod(models.TextChoices):
    """A window of the calendar in which a cap counts."""

    MINUTE = "minute", _("minute")
    DAY = "day", _("day")
    WEEK = "week", _("week")
    MONTH = "month", _("month")


class RedactKind(models.TextChoices):
    """What is taken out of texts; the words of `traffic.redaction.rules`."""

    EMAIL = "email", _("e-mail addresses")
    PHONE = "phone", _("phone numbers")
    CARD = "card", _("card numbers")
    SECRET = "secret", _("secrets: API keys, tokens, private keys")


class RaterKind(models.TextChoices):
    """Who speaks in a rating: a name that an application sends is never one of our people's."""

    PERSON = "person", _("person")
    APPLICATION = "application", _("application")
    INSTALLATION = "installation", _("program of no application")
    GOLD = "gold", _("gold answer")  # what is right for certain: raters are held to it, and it is no rating


class BudgetState(models.TextChoices):
    """Set by `costs` for the routes to read."""

    UNKNOWN = "unknown", _("no budget")
    WITHIN = "within", _("within budget")
    OVER = "over", _("over budget")


class Metric(models.IntegerChoices):
    """What a latency bucket counts."""

    LATENCY = 1, _("latency")
    TTFT = 2, _("time to first token")
