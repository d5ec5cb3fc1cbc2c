from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from dashboard.http.middleware import ContentSecurityPolicyMiddleware


def answered(response: HttpResponse | None = None) -> str:
    def view(request: HttpRequest) -> HttpResponse:
        return response or HttpResponse("a page")

    return ContentSecurityPolicyMiddleware(view)(RequestFactory().get("/")).headers["Content-Security-Policy"]


def test_every_answer_carries_the_policy() -> None:
    assert answered().startswith("default-src 'none'; script-src 'self'; style-src 'self' ")


def test_no_script_or_style_may_stand_in_the_page() -> None:
    for directive in ("script-src", "style-src"):
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:"} & set(settings.SECURE_CSP[directive])
    assert settings.SECURE_CSP["frame-ancestors"] == ["'none'"]


def test_a_view_may_say_a_policy_of_its_own() -> None:
    own = HttpResponse("a mail", headers={"Content-Security-Policy": "sandbox"})
    assert answered(own) == "sandbox"
