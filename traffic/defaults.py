"""What every installation starts with: the routes of the research's router, and rubrics for ratings."""

from __future__ import annotations

import json
from pathlib import Path

from traffic.models import Route, Rubric

ROUTES = Path(__file__).parent / "data" / "default_routes.json"
RUBRICS = ROUTES.with_name("default_rubrics.json")


def ensure_defaults() -> None:
    """Load the shipped rows once; after that the tables are the operators' own."""
    if not Route.objects.exists():
        routes = json.loads(ROUTES.read_text())
        Route.objects.bulk_create(Route(order=place, **fields) for place, fields in enumerate(routes, 1))
    if not Rubric.objects.exists():
        Rubric.objects.bulk_create(Rubric(**fields) for fields in json.loads(RUBRICS.read_text()))
