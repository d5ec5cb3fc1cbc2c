"""The web process: pages, JSON API and ingest."""

from __future__ import annotations

import gc
import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
application = get_wsgi_application()

from alerts import watch  # noqa: E402 -- the apps must be loaded

watch.start()

# What is loaded by now stays. Left among what is looked through for circles of garbage, it would be gone over again and
# again while batches of thousands of spans are read, which leave none: the circles are those of requests, and small.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 10, 10)

# A thread whose answer has come from Postgres asks for the interpreter in so many seconds; by Python's own default it
# would stand still for 5 ms after each statement while another thread reads a batch, and Postgres with it.
sys.setswitchinterval(0.0005)
