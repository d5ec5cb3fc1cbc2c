"""The web process: pages, JSON API and ingest. Served by `granian --interface asgi dashboard.asgi:application`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
handler = get_wsgi_application()

from alerts.evaluation import watch  # noqa: E402 -- the apps must be loaded
from dashboard.front.app import Front  # noqa: E402
from lib.connections import make_room  # noqa: E402
from traffic.ingest.gc_tuning import tune_interpreter  # noqa: E402


def started() -> None:
    make_room()
    watch.start()
    tune_interpreter()


application = Front(handler, started)
