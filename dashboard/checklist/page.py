"""The checklist of a new installation: what is set up and what is not, until all is done or a person hides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.checklist.queries import Progress


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to set up, with the page on which it is done."""

    title: str
    why: str
    url: str
    action: str
    done: bool


def steps(progress: Progress) -> list[Step]:
    """The steps in the order in which they help, those that are done included."""
    return [
        Step(
            _("Add a vendor account"),
            _("Bills, offers and leases are then read automatically. Keys are encrypted and never shown again."),
            reverse("providers:account-add"),
            _("Add an account"),
            progress.account,
        ),
        Step(
            _("Add a deployment"),
            _("A deployment is a model at a URL. It is checked every 30 seconds and can serve the gateway."),
            reverse("providers:deployment-add"),
            _("Add a deployment"),
            progress.deployment,
        ),
        Step(
            _("Create an application’s key"),
            _("A program sends its requests with it. The page of the new key holds the lines to copy."),
            reverse("traffic:key-add"),
            _("Create a key"),
            progress.key,
        ),
        Step(
            _("Send the first request"),
            _("Through the gateway with one changed line, or reported after the fact. It appears within a second."),
            reverse("traffic:send-requests"),
            _("Show the lines"),
            progress.request,
        ),
        Step(
            _("Plan a budget"),
            _("Spend is compared with the budget of the phase, and alerts are sent at 50, 75, 90 and 100 %."),
            reverse("costs:plan"),
            _("Make a plan"),
            progress.plan,
        ),
        Step(
            _("Give people their roles"),
            _("Alerts are sent to the role ops. Without people in it most rules reach no one."),
            reverse("people"),
            _("Add people"),
            progress.people,
        ),
        Step(
            _("Set up a mail server"),
            _("Alerts and digests are sent by e-mail. Set EMAIL_URL and restart. Without it no mail is sent."),
            reverse("alerts:channels"),
            _("Check the channels"),
            progress.mail,
        ),
        Step(
            _("Connect an outside monitor"),
            _("It reports when this installation itself stops, because the heartbeat to it is missing then."),
            reverse("alerts:channels"),
            _("Add a monitor"),
            progress.monitor,
        ),
    ]


@dataclass(frozen=True, slots=True)
class Checklist:
    """The steps as the Overview shows them; `first` where no request has arrived yet."""

    steps: Sequence[Step]
    first: bool

    @property
    def left(self) -> int:
        return sum(not step.done for step in self.steps)

    def heading(self) -> str:
        """How much of the set-up is left."""
        text = ngettext("Set-up: %(n)s step left", "Set-up: %(n)s steps left", self.left)
        return text % {"n": self.left}

    def next_step(self) -> Step | None:
        """The first that is not done: its button is the main one."""
        return next((step for step in self.steps if not step.done), None)


def checklist(progress: Progress, *, first: bool) -> Checklist | None:
    """What the Overview shows: nothing once all is done, or once a person has hidden it and requests arrive."""
    made = Checklist(steps(progress), first)
    if not made.left or (progress.hidden and not first):
        return None
    return made
