"""The Celery application, with the whole timetable of beat in one place."""

from __future__ import annotations

import logging
import os
import warnings
from datetime import timedelta
from pathlib import Path

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_ready, worker_shutdown, worker_shutting_down

from dashboard.health import worker_memory
from lib.events import log_event

logger = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
# They are of the code alone, and load every page into a worker that shows none.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

# Celery fears pickled messages of strangers when root runs it; here messages are JSON, in a queue with a password.
warnings.filterwarnings("ignore", message="You're running the worker with superuser")

app = Celery("breakeven")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_logging(**_options: object) -> None:
    """Leave logging as the settings have it. Without a receiver of this signal Celery would take the level of its
    command line and a format of its own, and no event below a warning would be written."""


def every(seconds: float, task: str) -> dict[str, object]:
    """One line of the timetable. A task that has waited a whole interval in the queue expires, so that none pile up."""
    return {"task": task, "schedule": timedelta(seconds=seconds), "options": {"expires": seconds}}


app.conf.beat_schedule = {
    "poll": every(5, "providers.tasks.poll_due"),
    "check": every(5, "providers.tasks.check_due"),
    "dead-keys": every(30, "traffic.tasks.tell_dead_keys"),
    "audit-log": every(60, "providers.tasks.seal_audit_log"),
    "heartbeats": every(10, "providers.tasks.judge_heartbeats"),
    "outages": every(60, "traffic.tasks.count_outages"),
    "ledger": every(60, "costs.tasks.post_ledger"),
    "budgets": every(60, "costs.tasks.keep_budget_states"),
    "savings": every(600, "costs.tasks.search_savings"),
    "anomalies": every(600, "costs.tasks.look_for_anomalies"),
    "exports": every(600, "costs.tasks.write_exports"),
    "forecasts": every(3600, "costs.tasks.look_at_forecasts"),
    "evaluate": every(15, "alerts.tasks.evaluate"),
    "pages": every(300, "alerts.tasks.count_pages"),
    "reports": every(60, "alerts.tasks.write_reports"),
    "deliver": every(5, "alerts.tasks.deliver"),
    "imports": every(5, "traffic.tasks.run_imports"),
    "repricings": every(5, "traffic.tasks.run_repricings"),
    "trials": every(2, "traffic.tasks.run_trials"),
    "erasures": every(5, "traffic.tasks.run_erasures"),
    "ratings": every(10, "traffic.tasks.attach_ratings"),
    "scoreboards": every(300, "traffic.tasks.store_scoreboards"),
    "routes": every(15, "traffic.tasks.watch_routes"),
    "texts": every(10, "traffic.tasks.attach_texts"),
    "judges": every(60, "traffic.tasks.run_judges"),
    "marks": every(10, "traffic.tasks.mark_texts"),
    "partitions": every(3600, "traffic.tasks.make_partitions"),
    "retention": every(3600, "traffic.tasks.apply_retention"),
    "checks": every(3600, "providers.tasks.keep_checks"),
    "engine-series": every(3600, "providers.tasks.prune_engine_series"),
    "book": every(3600, "providers.tasks.feed_book"),
    "deleted": every(3600, "providers.tasks.forget_deleted"),
    "offers": every(3600, "providers.tasks.forget_offers"),
    "old-alerts": every(3600, "alerts.tasks.forget_old"),
    "old-anomalies": every(3600, "costs.tasks.forget_anomalies"),
    "sessions": every(3600, "dashboard.tasks.clear_sessions"),
    "attempts": every(600, "dashboard.tasks.forget_attempts"),
}


@worker_ready.connect
def _worker_is_ready(**kwargs: object) -> None:
    worker_memory.start()
    log_event(logger, logging.INFO, "worker_started", pid=os.getpid())
    _tell_up("worker")


@worker_shutting_down.connect
def _leave_trials(**kwargs: object) -> None:
    """A step of minutes is left for another worker; Celery would wait for its end."""
    from traffic.trials.run import LEAVING  # models, which can be loaded only now

    LEAVING.set()


@worker_shutdown.connect
def _worker_stops(**kwargs: object) -> None:
    log_event(logger, logging.INFO, "worker_stopped", pid=os.getpid())


@beat_init.connect
def _beat_is_ready(**kwargs: object) -> None:
    log_event(logger, logging.INFO, "beat_started", pid=os.getpid())
    _tell_up("beat")


def _tell_up(name: str) -> None:
    """Write the file that `manage.py up` waits for, because worker and beat have no port that it could probe."""
    if "BREAKEVEN_RUN" in os.environ:
        (Path(os.environ["BREAKEVEN_DATA"]) / "ready" / name).touch()
