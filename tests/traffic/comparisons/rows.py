"""Pairs whose two answers came in by ingest, as a trial makes them."""

from __future__ import annotations

from datetime import timedelta

import psycopg
from django.utils import timezone

from providers.models import Deployment
from tests.factories import DeploymentFactory
from tests.traffic.people import arrive
from traffic.comparisons.services import add_pair
from traffic.models import Application, Pair

PROMPT = '[{"role": "user", "content": "May I return it?"}]'


def two_sides() -> tuple[Deployment, Deployment]:
    """A candidate of our own and the API that it is compared with."""
    return (
        DeploymentFactory.create(slug="own", name="Own model"),
        DeploymentFactory.create(slug="api", name="API model", provider="anthropic"),
    )


def pairs_of(
    conn: psycopg.Connection, application: Application | None, count: int, *, task: str = "rag", begin: int = 0,
    texts: tuple[str, str] = ("Ours {n}.", "Theirs {n}."),
) -> list[Pair]:  # fmt: skip
    """COUNT pairs of the two sides, their answers the TEXTS with the number of the pair."""
    sides = [*Deployment.objects.filter(slug__in=("own", "api")).order_by("-slug")] or [*two_sides()]
    start = timezone.now() - timedelta(hours=1)
    pairs = []
    for n in range(begin, begin + count):
        requests = arrive(
            conn,
            *(
                {
                    "application_id": application.pk if application else None, "deployment_id": side.pk, "task": task,
                    "started_at": start + timedelta(seconds=n), "prompt": PROMPT, "answer": text.format(n=n),
                    "external_id": f"{side.slug}{task}{n}", "model": side.model,
                }
                for side, text in zip(sides, texts, strict=True)
            ),
        )  # fmt: skip
        pairs.append(
            add_pair(
                candidate=sides[0],
                baseline=sides[1],
                candidate_request=requests[0].id,
                baseline_request=requests[1].id,
                task=task,
                application=application,
            )
        )
    return pairs
