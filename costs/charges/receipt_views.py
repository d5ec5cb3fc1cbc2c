"""A receipt, only ever as a download: nothing that a person uploaded is shown or run inside our pages."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from costs.charges import queries


@login_required
@permission_required("costs.view_charge", raise_exception=True)
@require_safe
def receipt(request: HttpRequest, pk: int) -> HttpResponse:
    stored = queries.receipt(pk)
    answer = HttpResponse(bytes(stored.content), content_type=stored.content_type)
    answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=stored.name)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer
