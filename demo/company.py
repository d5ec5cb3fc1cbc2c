"""The demo company, as data: its people, its applications and what they ask, the models that serve them, its plan.

Everyone and everything here is invented; the addresses end in a domain that cannot exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

NAME = "Lantern & Loom"
MAIL_DOMAIN = "lantern-loom.example"
WORKSPACE = "wrkspc_01LanternLoomMain"
NOTEBOOK_KEY, NOTEBOOK_NAME = "apikey_01notebook", "Rosa’s notebook"  # on the same account, and in no log of ours
WORKSPACE_NAME = "Lantern & Loom, production"


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    name: str
    role: str  # the name of a group: staff, manager or ops

    @property
    def email(self) -> str:
        return f"{self.username}@{MAIL_DOMAIN}"


PEOPLE = (
    Person("tilda", "Tilda Fernbrook", "manager"),
    Person("jorun", "Jorun Hallwick", "ops"),
    Person("mirela", "Mirela Sandermoor", "staff"),
    Person("bastien", "Bastien Okaforde", "staff"),
    Person("noor", "Noor Vessingham", "staff"),
    Person("piero", "Piero Dunmarelli", "staff"),
)
BY_ROLE = {person.role: person for person in reversed(PEOPLE)}


@dataclass(frozen=True, slots=True)
class Served:
    """A model as it is reached, and how fast: time to first token (median, spread of its logarithm), then per token."""

    model: str
    provider: str
    deployment: str
    first_token_ms: float
    spread: float
    ms_per_token: float
    response_prefix: str


SONNET_4_5 = Served("claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5", 430, 0.34, 14.5, "msg_01")
SONNET_5_5 = Served("claude-sonnet-5-5", "anthropic", "claude-sonnet-5-5", 390, 0.32, 12.0, "msg_01")
HAIKU_4_5 = Served("claude-haiku-4-5", "anthropic", "claude-haiku-4-5", 310, 0.30, 6.4, "msg_01")
# 85 tokens/s of one stream on an RTX 4090 under vLLM.
MISTRAL_7B = Served("mistral-7b", "self", "mistral-7b", 200, 0.33, 11.8, "chatcmpl-")
# A preview that somebody tried; no price book knows it.
UNPRICED = Served("aurora-2-preview", "aurora", "", 520, 0.40, 15.0, "aur-")

CLAUDE = (SONNET_5_5, HAIKU_4_5, SONNET_4_5)


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of request of an application: its task, its share there, and the median sizes in tokens.

    `shared` is the part of the prompt that is the same in request after request and so can be read from a cache;
    `hit` is how often it is found there. `long_cache` writes it for an hour instead of five minutes.
    """

    task: str
    share: float
    own: int
    shared: int
    output: int
    streamed: float = 0.0
    batch: bool = False
    hit: float = 0.9
    reasoning: float = 0.0  # part of the output
    long_cache: bool = False
    grows: bool = True  # its sizes follow those of the months, `story.SIZES`


@dataclass(frozen=True, slots=True)
class Application:
    slug: str
    name: str
    owner: str
    members: tuple[str, ...]
    work: tuple[Work, ...]
    clock: str  # which hours of the day, a key of CLOCKS
    weekend: float  # a Saturday's or Sunday's volume against a working day's
    keeps_bodies: bool = False
    patterns: tuple[str, ...] = ()  # taken out of its texts besides e-mail addresses and the like

    @property
    def vendor_key(self) -> str:
        """The id of this application's key at the Claude API."""
        return f"apikey_01{self.slug.replace('-', '')}"


APPLICATIONS = (
    Application(
        "support-rag",
        "Support assistant",
        "mirela",
        ("mirela", "bastien", "noor"),
        (
            Work("rag", 0.85, own=520, shared=1600, output=300, streamed=0.9),
            Work("qa", 0.15, own=300, shared=1100, output=190, streamed=0.9),
        ),
        clock="customers",
        weekend=0.62,
        keeps_bodies=True,
        patterns=("ORDER-[0-9]{4,10}", "CUST-[A-Z0-9]{6,12}"),
    ),
    Application(
        "docs-qa",
        "Documentation search",
        "bastien",
        ("bastien", "piero"),
        (
            Work("qa", 0.8, own=340, shared=1300, output=240, streamed=0.6),
            Work("rag", 0.2, own=560, shared=1300, output=290, streamed=0.6),
        ),
        clock="office",
        weekend=0.3,
        keeps_bodies=True,
    ),
    Application(
        "site-chat",
        "Website chat",
        "noor",
        ("noor", "mirela"),
        (Work("chat", 1.0, own=280, shared=1500, output=142, streamed=1.0, hit=0.88),),
        clock="customers",
        weekend=0.85,
        keeps_bodies=True,
    ),
    Application(
        "code-helper",
        "Code helper",
        "piero",
        ("piero", "bastien"),
        (
            Work("code", 0.9, own=540, shared=2200, output=216, streamed=0.8, hit=0.92),
            Work("chat", 0.1, own=220, shared=2200, output=140, streamed=0.8, hit=0.92),
        ),
        clock="office",
        weekend=0.12,
    ),
    Application(
        "analyst",
        "Contract analyst",
        "tilda",
        ("piero", "noor"),
        (
            Work("reasoning", 0.75, own=700, shared=2200, output=315, hit=0.8, reasoning=0.45, long_cache=True),
            Work("vision", 0.15, own=1500, shared=0, output=210),
            Work("other", 0.1, own=420, shared=0, output=200),
        ),
        clock="office",
        weekend=0.1,
    ),
    Application(
        "nightly-summaries",
        "Nightly summaries",
        "jorun",
        ("jorun",),
        (Work("batch", 1.0, own=15_000, shared=1050, output=1_900, batch=True, hit=0.95, grows=False),),
        clock="night",
        weekend=1.0,
        keeps_bodies=True,
    ),
)
BY_SLUG = {application.slug: application for application in APPLICATIONS}

# The application that the ready file's keys belong to: the demo itself never sends it anything.
PLAYGROUND = "playground"

# Relative weight of each hour of the day, UTC.
CLOCKS: dict[str, tuple[int, ...]] = {
    "customers": (10, 7, 5, 4, 5, 8, 16, 30, 48, 62, 68, 66, 58, 60, 66, 68, 64, 58, 50, 46, 40, 32, 24, 16),
    "office": (1, 1, 1, 1, 1, 3, 10, 34, 70, 88, 92, 84, 52, 66, 90, 92, 84, 60, 28, 12, 7, 5, 3, 2),
    "night": (60, 100, 100, 90, 40, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 24),
}

# The pod that mistral-7b runs on, and the one of the proof of concept before it.
GPU = "NVIDIA GeForce RTX 4090"
GPU_HOURLY = Decimal("0.34")
# Output of all streams together at a concurrency of 16, as the proof of concept measured it.
GPU_TOKENS_PER_SECOND = 900.0
POD_ID = "lo0m4090prod01"
POD_NAME = "mistral-7b"
TRIAL_POD_ID = "lo0m4090trial1"
TRIAL_POD_NAME = "mistral-7b-trial"
# Two that money is burnt on, at Vast.ai: one that serves embeddings which nobody asks for, and one that was stopped and
# whose disk is billed on.
SPARE, SPARE_DEPLOYMENT, SPARE_HOURLY = "9150021", "bge-m3", Decimal("0.06")
LEFT, LEFT_NAME, LEFT_DISK_HOURLY = "9148870", "product-photos", Decimal("0.011")
# What a person enters: the upkeep of the pod by the month, and the evaluation's few hours on a borrowed spot machine.
# A contract that was signed some days after the day from which it holds.
CONTRACT_MODEL, CONTRACT_PERCENT = HAIKU_4_5.model, Decimal(5)
CONTRACT_SOURCE = "Contract LL-0317, folder Vendors"
CONTRACT_WHY = "Contract LL-0317 holds since before it was entered: Haiku costs 5 % less from its first day on"
UPKEEP_MONTHLY_EUR = Decimal("5.50")
UPKEEP_SAID = "Backups and monitoring of the pod"
UPKEEP_RECEIPT = """Kestrel Backup Services (invented)
Order 2207 of Lantern & Loom

Backups and monitoring of one GPU machine
Each month from the first on: 5.50 EUR
"""
# USD for one EUR, one a week and over again; invented like all of the company.
EUR_RATES = tuple(Decimal(usd) for usd in ("1.0842", "1.0871", "1.0910", "1.0936", "1.0894", "1.0858", "1.0829"))
EVALUATION_INVOICE = Decimal("4.20")


@dataclass(frozen=True, slots=True)
class Phase:
    slug: str
    name: str
    shape: str
    volume_from: int
    volume_to: int | None
    budget_low: Decimal
    budget_high: Decimal


PHASES = (
    Phase(
        "now",
        "1 Now",
        "Claude API with caching and batch, Haiku for simple tasks",
        0,
        100_000,
        Decimal(50),
        Decimal(150),
    ),
    Phase(
        "scale-up",
        "2 Scale-up",
        "Hybrid: 70 % on our own GPU (RAG, simple questions), 30 % Claude",
        100_000,
        500_000,
        Decimal(300),
        Decimal(400),
    ),
    Phase(
        "high-volume",
        "3 High volume",
        "A fleet of GPUs with fine-tuned models, Claude below 10 %",
        500_000,
        None,
        Decimal(500),
        Decimal(1000),
    ),
)


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget a month beside the phases'; it begins with the second phase."""

    name: str
    scope: str
    subject: str
    low: Decimal
    high: Decimal
    carries: bool = False


BUDGETS = (
    Budget("Claude", "provider", "anthropic", Decimal(100), Decimal(150)),
    Budget("Support assistant", "application", "support-rag", Decimal(80), Decimal(130), carries=True),
    Budget("Code helper", "application", "code-helper", Decimal(20), Decimal(40)),
    Budget("Jorun’s applications", "owner", "jorun", Decimal(60), Decimal(90), carries=True),
    Budget("Chat", "task", "chat", Decimal(40), Decimal(60)),
)


@dataclass(frozen=True, slots=True)
class Stage:
    slug: str
    name: str
    budget: Decimal


EVALUATION = Stage("evaluation", "Evaluation", Decimal(50))
PROOF_OF_CONCEPT = Stage("proof-of-concept", "Proof of concept", Decimal(120))
PRODUCTION = Stage("production", "Production", Decimal(1750))
