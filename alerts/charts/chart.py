"""The chart of a mail: its picture, and a sentence that says the same."""

from __future__ import annotations

from dataclasses import dataclass
from email.mime.image import MIMEImage
from functools import lru_cache

from django.utils.translation import gettext as _

from alerts.charts.picture import png
from alerts.charts.timeline import Timeline
from alerts.charts.value_history import value_history
from alerts.models import Delivery, Transition


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture, what it shows in one sentence, and the texts around it."""

    cid: str
    image: bytes
    alt: str
    value: str
    line: str
    since: str
    until: str

    @property
    def part(self) -> MIMEImage:
        image = MIMEImage(self.image, "png")
        image.add_header("Content-ID", f"<{self.cid}>")
        image.add_header("Content-Disposition", "inline", filename="chart.png")
        return image


def chart_of(delivery: Delivery) -> Chart | None:
    """The chart of the alert's value up to the transition that a mail is about; None where there are too few points."""
    drawing = timeline_and_image(delivery.transition_id)
    if drawing is None:
        return None
    seen, image = drawing
    last = seen.points[-1]
    return Chart(
        cid=f"chart.{delivery.message_id.strip('<>') or delivery.pk}",
        image=image,
        alt=seen.sentence,
        value=_("value %(value)s") % {"value": seen.say(last.value)},
        line=_("limit %(line)s") % {"line": seen.say(last.line)} if last.line is not None else "",
        since=seen.since,
        until=seen.until,
    )


@lru_cache(maxsize=64)
def timeline_and_image(transition_id: int) -> tuple[Timeline, bytes] | None:
    """The chart of a transition, cached: it is the same for each recipient and attempt."""
    transition = Transition.objects.select_related("alert__rule").get(pk=transition_id)
    seen = value_history(transition.alert, transition.at, transition.value)
    return (seen, png(seen.points)) if seen else None
