"""What runs by the clock in traffic."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from traffic.authentication import keys
from traffic.imports.files import drop_stale
from traffic.imports.run import work
from traffic.ingest import late_texts
from traffic.judges import services as judges
from traffic.marks import services as marks
from traffic.models import Erasure, Import, Repricing, Trial
from traffic.privacy import erasure, retention
from traffic.quality import scoreboard, shared_answers
from traffic.ratings import services as ratings
from traffic.ratings import waiting as waiting_ratings
from traffic.repricing import services as repricings
from traffic.routes import services as routes
from traffic.trials import run as trials
from traffic.usage import outage_requests


@shared_task(ignore_result=True)
def make_partitions() -> int:
    return retention.make_days_ahead(timezone.now().date())


@shared_task(ignore_result=True)
def apply_retention() -> int:
    return retention.apply_retention(timezone.now().date())


@shared_task(ignore_result=True)
def attach_ratings() -> int:
    """Ratings that wait get their requests, whatever way those came in; copies of what a twin told later follow.

    What came, changed or went is added up into how far raters agree.
    """
    ratings.refresh_copies()
    attached = waiting_ratings.attach_waiting()
    shared_answers.add_up()
    return attached


@shared_task(ignore_result=True)
def store_scoreboards() -> int:
    """The scoreboard and the agreement of raters, where there are so many ratings that a page would wait for them."""
    return scoreboard.store_large()


@shared_task(ignore_result=True)
def attach_texts() -> int:
    """Texts of log records whose call came after them; those that waited an hour go."""
    return late_texts.attach_due(timezone.now())


@shared_task(ignore_result=True)
def mark_texts() -> int:
    """Stored texts that were not looked at get their marks."""
    return marks.mark_texts()


@shared_task(ignore_result=True)
def run_judges() -> int:
    """Judges that people enabled judge some answers."""
    return judges.run_judges()


@shared_task(ignore_result=True)
def watch_routes() -> int:
    """Canaries past their bounds end, and copies of calls become pairs."""
    return routes.return_canaries(timezone.now()) + routes.pair_shadows(timezone.now())


@shared_task(ignore_result=True)
def count_outages() -> int:
    """What outages cost in requests, for the Uptime page to read."""
    return outage_requests.count_requests(now=timezone.now())


@shared_task(ignore_result=True)
def run_imports() -> int:
    """Imports that are due and have no worker, or whose worker died."""
    due = list(Import.objects.due(timezone.now()).values_list("pk", flat=True))
    for pk in due:
        run_import.delay(pk)
    drop_stale()
    return len(due)


@shared_task(ignore_result=True)
def run_import(pk: int) -> None:
    """A slice of an import, then a task of its own for the next: others get their turn, and a worker stops soon."""
    if work(pk):
        run_import.delay(pk)


@shared_task(ignore_result=True)
def run_repricings() -> int:
    """Repricings that are due and have no worker, or whose worker died."""
    due = list(Repricing.objects.due(timezone.now()).values_list("pk", flat=True))
    for pk in due:
        run_repricing.delay(pk)
    return len(due)


@shared_task(ignore_result=True)
def run_repricing(pk: int) -> None:
    """A slice of a repricing, then a task of its own for the next."""
    if repricings.work(pk):
        run_repricing.delay(pk)


@shared_task(ignore_result=True)
def run_trials() -> int:
    """Trials that are due and have no worker, or whose worker died."""
    due = list(Trial.objects.due(timezone.now()).values_list("pk", flat=True))
    for pk in due:
        run_trial.delay(pk)
    return len(due)


@shared_task(ignore_result=True)
def run_trial(pk: int) -> None:
    """A step of a trial, then a task of its own for the next."""
    if trials.work(pk):
        run_trial.delay(pk)


@shared_task(ignore_result=True)
def tell_dead_keys() -> int:
    """Dead keys that were shown to the gateway."""
    return keys.move_dead_key_uses()


@shared_task(ignore_result=True)
def run_erasures() -> None:
    """A slice of each deletion that is under way; the next comes with the next beat."""
    for pk in Erasure.objects.filter(finished_at=None).values_list("pk", flat=True):
        erasure.work(pk, now=timezone.now())
