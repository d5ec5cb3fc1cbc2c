"""The settings page of the permissions of each role."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from dashboard.people import page, queries, services
from dashboard.people.forms import ROLE_LABELS
from dashboard.people.role_forms import RoleForm
from dashboard.people.role_words import GROUPS
from lib.http import form_view
from providers.audit.log import changes, log_form


@form_view("auth.change_group")
def role(request: HttpRequest, name: str) -> HttpResponse:
    """Change the permissions of one role. What was taken away stays away at the next start.

    Before a role loses permissions, a question names them. The answer has to carry the same names, so that nothing else
    is taken away that another admin gave in the meantime.
    """
    group = queries.role_group(name)
    form = RoleForm(request.POST if request.method == "POST" else None, group=group)
    context: dict[str, Any] = {"form": form, "it": group, "people": queries.people_in(group)}
    if request.method == "POST" and form.is_valid():
        if not set(form.lost) <= set(request.POST.getlist("lost")):
            return render(
                request, "dashboard/people/role_lost.html", context | question(form, group, context["people"])
            )
        services.save_role(form=form)
        log_form(request, group, form)
        messages.success(request, _("Saved. The role %(role)s now has these rights.") % {"role": group.name})
        return redirect("people")
    context |= {"about": ROLE_LABELS[group.name], "log": changes(group)}
    return render(request, "dashboard/people/role.html", context, status=422 if form.errors else 200)


def question(form: RoleForm, group: Group, people: int) -> dict[str, Any]:
    """The permissions that the question names, by group, and the values that its answer has to carry."""
    lost = [(title, [words[label] for label in words if label in form.lost]) for title, words in GROUPS.values()]
    fields = [(name, label) for name in GROUPS for label in form.cleaned_data[name]]
    return {
        "lost": [(title, words) for title, words in lost if words],
        "answer": page.lost_headline(group, people, len(form.lost), nothing_left=not form.ticked),
        "fields": fields + [("lost", label) for label in form.lost],
    }
