"""What every installation starts with: the routes of the research's router."""

from __future__ import annotations

import json
from pathlib import Path

from traffic.models import Route

ROUTES = Path(__file__).parent / "data" / "default_routes.json"


def ensure_defaults() -> None:
    """Load the shipped routes once; after that the table is the operators' own."""
    if not Route.objects.exists():
        routes = json.loads(ROUTES.read_text())
        Route.objects.bulk_create(Route(order=place, **fields) for place, fields in enumerate(routes, 1))
