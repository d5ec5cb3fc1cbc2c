"""Settings: which request goes where, in order; the first rule that matches decides."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from lib.http import form_view, get_view, post_view, undoable
from providers.audit.log import log, log_form
from providers.models import provider_name
from traffic.routes import queries, services
from traffic.routes.forms import RouteForm
from traffic.routes.page import conditions, headline, routes_headline
from traffic.routes.undo import SESSION, bring_back, remembered


@get_view("traffic.view_route")
def route_list(request: HttpRequest) -> HttpResponse:
    routes = queries.list_routes()
    rows = [
        {
            "it": route,
            "conditions": conditions(route),
            "target": provider_name(route.to_provider),
        }
        for route in routes
    ]
    return render(request, "traffic/routes/routes.html", {"rows": rows, "headline": routes_headline(routes)})


@form_view("traffic.change_route")
def route_edit(request: HttpRequest, slug: str) -> HttpResponse:
    route = queries.get_route(slug)
    form = RouteForm(request.POST if request.method == "POST" else None, instance=route)
    if request.method == "POST" and form.is_valid():
        services.save_route(form)
        log_form(request, form.instance, form)
        messages.success(request, _("Saved. The gateway follows within a few seconds."))
        return redirect("traffic:routes")
    if form.errors:
        route = queries.get_route(slug)  # without what the form wrote into it
    context = {"it": route, "form": form, "headline": headline(route)}
    return render(request, "traffic/routes/route.html", context, status=422 if form.errors else 200)


@form_view("traffic.add_route")
def route_add(request: HttpRequest) -> HttpResponse:
    form = RouteForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        route = services.save_route(form)
        log_form(request, route, form, added=True)
        messages.success(request, _("%(name)s is there. The gateway follows within a few seconds.") % {"name": route})
        return redirect("traffic:routes")
    return render(request, "traffic/routes/route_add.html", {"form": form}, status=422 if form.errors else 200)


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
        messages.info(request, _("There is no deleted rule to bring back."))
    else:
        log(request, route, _("Brought back."))
        messages.success(request, _("%(name)s is back in its place.") % {"name": route.name})
    return redirect("traffic:routes")


@post_view("traffic.change_route")
def route_switch(request: HttpRequest, slug: str) -> HttpResponse:
    """Put a rule into use or out of it, as the form says; sending it twice changes nothing."""
    route = queries.get_route(slug)
    on = request.POST.get("enabled") == "1"
    if services.switch_route(route, on=on):
        log(request, route, _("Put into use.") if on else _("Taken out of use."))
    sentence = _("%(name)s is in use.") if on else _("%(name)s is out of use.")
    messages.success(request, sentence % {"name": route.name})
    return redirect("traffic:routes")


@post_view("traffic.change_route")
def route_move(request: HttpRequest, slug: str) -> HttpResponse:
    """Let a rule and its neighbour change places: `up` asks it earlier, anything else later."""
    route = queries.get_route(slug)
    up = request.POST.get("way") == "up"
    if services.move_route(route, up=up):
        log(request, route, _("Asked earlier.") if up else _("Asked later."))
    return redirect("traffic:routes")
