"""Hide the checklist of the set-up, and show it again."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.http import post_view, undoable
from providers.audit.log import log
from traffic.privacy.services import hide_checklist


@post_view("providers.add_account")
def checklist_hide(request: HttpRequest) -> HttpResponse:
    """Take the list off the Overview for everybody. `manage.py doctor` goes on naming what is not set up."""
    log(request, hide_checklist(timezone.now()), _("Hid the checklist of the set-up."))
    undoable(request, _("The checklist is hidden. The command “manage.py doctor” still shows it."), "checklist-show")
    return redirect("overview")


@post_view("providers.add_account")
def checklist_show(request: HttpRequest) -> HttpResponse:
    log(request, hide_checklist(None), _("Brought back the checklist of the set-up."))
    return redirect("overview")
