"""A real trial, small enough for two cores: the real llama.cpp against the sandbox's Claude, on a few prompts."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.auth.models import User

from demo import company
from demo.setup import REAL_DEPLOYMENT
from providers.models import Deployment
from traffic.models import Trial
from traffic.trials import services
from traffic.trials.prompts import builtin
from traffic.trials.services import Plan

NAME, PROMPTS = "llama.cpp against Claude", 8


def start_trial() -> None:
    """Queue it for the worker, once; the company's staff may rate its pairs.

    Break-even does not take its capacity: the GPU of the company's story serves another model.
    """
    if Trial.objects.filter(name=NAME).exists():
        return
    application = services.application()
    application.members.set(User.objects.filter(username__in=[p.username for p in company.PEOPLE if p.role == "staff"]))
    plan = Plan(
        name=NAME,
        candidate=Deployment.objects.get(slug=REAL_DEPLOYMENT),
        baseline=Deployment.objects.get(slug=company.HAIKU_4_5.deployment),
        concurrency=[1, 2],
        seconds_per_step=4,
        cap_usd=Decimal("0.25"),
        answer_tokens=48,
        prompts=builtin()[:PROMPTS],
        used_in_break_even=False,
    )
    services.create(plan, by=User.objects.get(username=company.BY_ROLE["ops"].username))
