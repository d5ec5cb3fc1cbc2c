"""The web process: pages, JSON API and ingest."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
application = get_wsgi_application()

from alerts import watch  # noqa: E402 -- the apps must be loaded
from traffic.interpreter import settle  # noqa: E402

watch.start()
settle()
