"""Settings: which request goes where, in order; the first rule that matches decides."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.http import form_view, get_view, post_view, undoable
from providers.audit.log import log, log_form
from providers.models import provider_name
from traffic.models import Task
from traffic.request_ids import uuid_of
from traffic.requests.queries import open_request
from traffic.routes import queries, services
from traffic.routes.dry_run import compare, dry_run
from traffic.routes.forms import RouteForm, TryForm
from traffic.routes.page import (
    TRY,
    ComparisonPage,
    TriedPage,
    canary_sentence,
    conditions,
    handling,
    has_canary,
    headline,
    routes_headline,
    shadow_sentence,
)
from traffic.routes.undo import SESSION, bring_back, remembered


@get_view("traffic.view_route")
def route_list(request: HttpRequest) -> HttpResponse:
    routes, today = queries.list_routes(), timezone.now().date()
    costs = queries.shadow_costs(routes, today)
    rows = [
        {
            "it": route,
            "conditions": conditions(route),
            "target": provider_name(route.to_provider),
            "handling": handling(route),
            "canary": canary_sentence(route),
            "shadow": shadow_sentence(route, costs, today),
            "ended": route.canary is not None and not has_canary(route),
        }
        for route in routes
    ]
    return render(request, "traffic/routes/routes.html", {"rows": rows, "headline": routes_headline(routes)})


@form_view("traffic.change_route")
def route_edit(request: HttpRequest, slug: str) -> HttpResponse:
    route = queries.get_route(slug)
    form = RouteForm(request.POST if request.method == "POST" else None, instance=route)
    comparison = compared(request, form)
    if request.method == "POST" and comparison is None and form.is_valid():
        services.save_route(form)
        log_form(request, form.instance, form)
        messages.success(request, _("Saved. The gateway uses it within a few seconds."))
        return redirect("traffic:routes")
    if form.errors or comparison:
        route = queries.get_route(slug)  # without what the form wrote into it
    context = {"it": route, "form": form, "headline": headline(route), "comparison": comparison}
    return render(request, "traffic/routes/route.html", context, status=422 if form.errors else 200)


@form_view("traffic.add_route")
def route_add(request: HttpRequest) -> HttpResponse:
    form = RouteForm(request.POST if request.method == "POST" else None)
    comparison = compared(request, form)
    if request.method == "POST" and comparison is None and form.is_valid():
        route = services.save_route(form)
        log_form(request, route, form, added=True)
        messages.success(request, _("%(name)s is added. The gateway uses it within a few seconds.") % {"name": route})
        return redirect("traffic:routes")
    context = {"form": form, "comparison": comparison}
    return render(request, "traffic/routes/route_add.html", context, status=422 if form.errors else 200)


def compared(request: HttpRequest, form: RouteForm) -> ComparisonPage | None:
    """The last calls held against the rules with a valid form's rule, where the form asks for it; nothing is saved."""
    if request.method != "POST" or request.POST.get("action") != "compare" or not form.is_valid():
        return None
    rules, targets = queries.read_routing()
    calls = queries.last_calls(rules, timezone.now().date())
    return ComparisonPage(compare(rules, form.changed_rules(rules), targets, calls, queries.price_of))


@get_view("traffic.view_route")
def route_try(request: HttpRequest) -> HttpResponse:
    """What the rules would do with a call; it is in the address, and nothing is sent.

    `?request=` names a stored call, from which the fields are filled.
    """
    identifier = uuid_of(request.GET.get("request", ""))
    row = open_request(request.user, identifier) if identifier else None
    if row is not None and row.source == "gateway" and "model" not in request.GET:
        return redirect(f"{request.path}?{urlencode(TryForm.values_of(queries.stored_call(row), row))}")
    form = TryForm(request.GET if "model" in request.GET else None, initial={"task": Task.OTHER})
    tried = None
    if form.is_bound and form.is_valid():
        rules, targets = queries.read_routing()
        tried = TriedPage(dry_run(rules, targets, form.sketch()))
    context = {"form": form, "tried": tried, "headline": tried.headline() if tried else TRY}
    return render(request, "traffic/routes/try.html", context, status=422 if form.errors else 200)


@post_view("traffic.change_route")
def route_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Gone at once; the toast brings it back as it was, in its place."""
    route = queries.get_route(slug)
    request.session[SESSION] = remembered(route)
    log(request, route, _("Deleted."), deleted=True)
    services.delete_route(route)
    undoable(request, _("%(name)s is deleted.") % {"name": route.name}, "traffic:route-undo")
    return redirect("traffic:routes")


@post_view("traffic.change_route")
def route_undo(request: HttpRequest) -> HttpResponse:
    """Bring back the rule that this person deleted last; a second time, or after another took its name, nothing."""
    deleted = request.session.pop(SESSION, None)
    route = bring_back(deleted) if deleted else None
    if route is None:
        messages.info(request, _("There is no deleted route to restore."))
    else:
        log(request, route, _("Restored."))
        messages.success(request, _("%(name)s is restored in its place.") % {"name": route.name})
    return redirect("traffic:routes")


@post_view("traffic.change_route")
def route_switch(request: HttpRequest, slug: str) -> HttpResponse:
    """Put a rule into use or out of it, as the form says, which twice changes nothing; or start its canary again."""
    route = queries.get_route(slug)
    if "canary" in request.POST:
        services.start_canary(route)
        log(request, route, _("Canary started again."))
        messages.success(request, _("The canary of %(name)s is started again.") % {"name": route.name})
        return redirect("traffic:routes")
    on = request.POST.get("enabled") == "1"
    if services.switch_route(route, on=on):
        log(request, route, _("Enabled.") if on else _("Disabled."))
    sentence = _("%(name)s is enabled.") if on else _("%(name)s is disabled.")
    messages.success(request, sentence % {"name": route.name})
    return redirect("traffic:routes")


@post_view("traffic.change_route")
def route_move(request: HttpRequest, slug: str) -> HttpResponse:
    """Let a rule and its neighbour change places: `up` asks it earlier, anything else later."""
    route = queries.get_route(slug)
    up = request.POST.get("way") == "up"
    if services.move_route(route, up=up):
        log(request, route, _("Moved up.") if up else _("Moved down."))
    return redirect("traffic:routes")
