"""Send requests: the lines by which a program reaches this installation."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from lib.http import get_view
from traffic.clients import queries
from traffic.clients.page import ways_in


@get_view()
def send_requests(request: HttpRequest) -> HttpResponse:
    """All ways in with this installation's addresses, without a secret."""
    context = {"snippets": ways_in(), "addresses": queries.addresses()}
    return render(request, "traffic/clients/send_requests.html", context)
