"""Every request that flows, who sent it, where it went, and how people judged the answer: one file for each noun."""

from __future__ import annotations

from traffic.models.admitted_names import AdmittedName
from traffic.models.answer_sets import AnswerSet, SetItem
from traffic.models.applications import Application, Installation, Key, KeyUse
from traffic.models.cache_savings import CacheSaving
from traffic.models.caps import Cap, CapUse
from traffic.models.choices import (
    BudgetState,
    CapPeriod,
    CostReason,
    Metric,
    Outcome,
    QuotaPeriod,
    QuotaUnit,
    RaterKind,
    RedactKind,
    Scope,
    Task,
)
from traffic.models.comparisons import Pair, PairAssignment, PairChoice, PairOutcome
from traffic.models.dead_keys import DeadKeyUse
from traffic.models.erasures import Erasure
from traffic.models.held_objects import HeldObject
from traffic.models.imports import Import, SetAside
from traffic.models.judges import Judge, JudgeScore
from traffic.models.queues import QueueEntry, RaterPreference, RatingDraft, RatingQueue, Sampling
from traffic.models.ratings import Abstention, FeedbackLink, Rating, RatingDay, StoredScoreboard
from traffic.models.repricings import RepricedDay, Repricing
from traffic.models.requests import Request, RequestBody
from traffic.models.routes import Fallback, Route, RouteUse, ShadowCopy, Strategy
from traffic.models.rubrics import Rubric
from traffic.models.texts import WaitingText
from traffic.models.trials import Trial, TrialCall, TrialPrompt, TrialStep
from traffic.models.unread import Unread
from traffic.models.usage import (
    ErrorDay,
    ErrorHour,
    LatencyDay,
    LatencyHour,
    SealedDay,
    Usage,
    UsageDay,
    UsageHour,
    UsageKey,
)

__all__ = [
    "Abstention",
    "AdmittedName",
    "AnswerSet",
    "Application",
    "BudgetState",
    "CacheSaving",
    "Cap",
    "CapPeriod",
    "CapUse",
    "CostReason",
    "DeadKeyUse",
    "Erasure",
    "ErrorDay",
    "ErrorHour",
    "Fallback",
    "FeedbackLink",
    "HeldObject",
    "Import",
    "Installation",
    "Judge",
    "JudgeScore",
    "Key",
    "KeyUse",
    "LatencyDay",
    "LatencyHour",
    "Metric",
    "Outcome",
    "Pair",
    "PairAssignment",
    "PairChoice",
    "PairOutcome",
    "QueueEntry",
    "QuotaPeriod",
    "QuotaUnit",
    "RaterKind",
    "RaterPreference",
    "Rating",
    "RatingDay",
    "RatingDraft",
    "RatingQueue",
    "RedactKind",
    "RepricedDay",
    "Repricing",
    "Request",
    "RequestBody",
    "Route",
    "RouteUse",
    "Rubric",
    "Sampling",
    "Scope",
    "SealedDay",
    "SetAside",
    "SetItem",
    "ShadowCopy",
    "StoredScoreboard",
    "Strategy",
    "Task",
    "Trial",
    "TrialCall",
    "TrialPrompt",
    "TrialStep",
    "Unread",
    "Usage",
    "UsageDay",
    "UsageHour",
    "UsageKey",
    "WaitingText",
]
