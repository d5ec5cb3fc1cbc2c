"""Pages that show a mail: its HTML stands in a frame under a policy of its own."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse

# Mails style themselves inline and nothing else: no script, no form, no address is loaded, links open elsewhere.
MAIL_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "sandbox allow-popups allow-popups-to-escape-sandbox",
    )
)


def opens_elsewhere(html: str) -> str:
    """A mail's HTML whose links open in a new tab: in the frame itself our pages refuse to be shown."""
    base = '<base target="_blank">'
    head, tag, rest = html.partition("<head>")
    return f"{head}{tag}{base}{rest}" if tag else base + html


def framing(response: HttpResponse) -> HttpResponse:
    """A page that shows a mail in a frame."""
    response["Content-Security-Policy"] = "; ".join(
        f"{directive} {' '.join(sources)}"
        for directive, sources in {**settings.SECURE_CSP, "frame-src": ["'self'"]}.items()
    )
    return response
