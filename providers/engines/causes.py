"""Why a check failed, in sentences that a person understands and can act on."""

from __future__ import annotations

import errno
import json
import re
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from providers.engines.reply import Reply

SHOWN_MODELS = 3
SHOWN_TEXT = 160

ERRNO_SENTENCES = {
    errno.ECONNREFUSED: gettext_noop("%(where)s refuses the connection: nothing listens there."),
    errno.ECONNRESET: gettext_noop("%(where)s closed the connection without an answer."),
    errno.EHOSTUNREACH: "There is no route to %(where)s.",
    errno.ENETUNREACH: "There is no route to %(where)s.",
    errno.ETIMEDOUT: gettext_noop("%(where)s did not accept a connection in time."),
}


def where(url: str) -> str:
    """Host and port as people write them, never the user part or the query of a URL."""
    parts = urlsplit(url)
    try:
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        port = None
    return f"{parts.hostname or '?'}:{port}" if port else str(parts.hostname or "?")


def for_error(error: Exception, url: str) -> str:
    """Why there was no answer at all."""
    place = {"where": where(url)}
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _("The name %(host)s cannot be resolved.") % {"host": urlsplit(url).hostname or "?"}
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate(error.certificate_error, place)
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return _("TLS with %(where)s failed. Check whether it is http instead of https.") % place
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError | UnicodeError):
        return _("The address of this deployment is not a valid URL.")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return _("%(where)s closed the connection without a response.") % place
    if isinstance(error, aiohttp.ClientResponseError):
        return _("%(where)s does not respond in HTTP.") % place
    if isinstance(error, aiohttp.ClientPayloadError):
        return _("%(where)s closed the connection during its response.") % place
    return _for_errno(error, place)


def _for_errno(error: Exception, place: dict[str, str]) -> str:
    code = getattr(error, "errno", None)
    sentence = ERRNO_SENTENCES.get(code or 0)
    if sentence is None and isinstance(error, OSError) and error.__cause__ is not None:
        sentence = ERRNO_SENTENCES.get(getattr(error.__cause__, "errno", 0) or 0)
    if sentence is not None:
        return _(sentence) % place
    return _("%(where)s cannot be reached (%(kind)s).") % {**place, "kind": type(error).__name__}


def _certificate(error: Exception, place: dict[str, str]) -> str:
    text = str(error)
    if "expired" in text:
        return _("The TLS certificate of %(where)s has expired.") % place
    if "Hostname mismatch" in text or "doesn't match" in text or "not valid for" in text:
        return _("The TLS certificate of %(where)s is for another name.") % place
    if "self-signed" in text or "self signed" in text or "unable to get local issuer" in text:
        return _("The TLS certificate of %(where)s is not signed by a trusted authority.") % place
    return _("The TLS certificate of %(where)s is not valid.") % place


def for_status(reply: Reply, label: str) -> str:
    """Why an answer with this status is not a healthy one."""
    facts = {
        "label": label,
        "status": reply.status,
        "path": urlsplit(reply.url).path or "/",
        "response": server_message(reply),
    }
    if reply.status == 401:
        return _("The server requires a key or rejects ours (401).")
    if reply.status == 403:
        return _("The key has no permission for this server (403).")
    if reply.status in (404, 405):
        return _("%(path)s does not exist: wrong path, or not %(label)s (%(status)s).") % facts
    if reply.status == 429:
        return _("The server limits us: too many requests (429).")
    if 300 <= reply.status < 400:
        target = urlsplit(reply.location)
        facts["target"] = f"{target.scheme}://{target.netloc}" if target.netloc else target.path
        return _("The address redirects to %(target)s. Enter the final address (%(status)s).") % facts
    if facts["response"]:
        return _("The server returns %(status)s: %(response)s") % facts
    return _("The server returns %(status)s on %(path)s.") % facts


def server_message(reply: Reply) -> str:
    """The server's own words, from whatever shape of error it uses; empty when it wrote a page or nothing."""
    try:
        body = json.loads(reply.body)
    except ValueError:
        return "" if "<" in reply.text[:200] else clipped(reply.text)
    return clipped(message_of(body))


def message_of(body: Any) -> str:
    """`error` may be an object or a string, and FastAPI says `detail`."""
    if not isinstance(body, dict):
        return ""
    error = body.get("error") or body.get("detail") or body.get("message") or ""
    if isinstance(error, dict):
        error = error.get("message") or error.get("type") or ""
    return error if isinstance(error, str) else ""


def clipped(text: str) -> str:
    """One short line. A server may echo a key in its error, so anything that looks like one is taken out."""
    line = re.sub(r"\b(?:sk|rpa|hf|Bearer)[-_ ][\w.-]{6,}", "…", " ".join(text.split()))
    return line if len(line) <= SHOWN_TEXT else line[: SHOWN_TEXT - 1] + "…"


def loading(label: str) -> str:
    return _("%(label)s is still loading its model.") % {"label": label}


def limited() -> str:
    return _("The server limits our checks (429), so its model list was not read.")


def too_slow(seconds: float) -> str:
    return _("No response within %(seconds)g s.") % {"seconds": seconds}


def too_long(limit: int) -> str:
    return _("The response is longer than %(kib)d KiB, so it was not read.") % {"kib": limit // 1024}


def not_json(reply: Reply) -> str:
    if "html" in reply.content_type or reply.body.lstrip()[:1] == b"<":
        return _("The server returns a web page instead of its model list: wrong path, or a proxy's page.")
    return _("The server's model list is not valid JSON.")


def no_model_list(label: str) -> str:
    return _("The response is not a model list of %(label)s: another engine may be running there.") % {"label": label}


def wrong_engine(expected: str, actual: str) -> str:
    return _("This is %(found)s, not %(expected)s: change the engine of this deployment.") % {
        "found": actual,
        "expected": expected,
    }


def model_missing(expected: str, served: Sequence[str]) -> str:
    if not served:
        return _("The server has no model loaded. Expected: %(model)s.") % {"model": expected}
    facts = {"model": expected, "served": ", ".join(served[:SHOWN_MODELS]), "more": len(served) - SHOWN_MODELS}
    if len(served) <= SHOWN_MODELS:
        return _("The model %(model)s is not served there. Served: %(served)s.") % facts
    return (
        ngettext(
            "The model %(model)s is not served there. Served: %(served)s and %(more)d more.",
            "The model %(model)s is not served there. Served: %(served)s and %(more)d more.",
            len(served) - SHOWN_MODELS,
        )
        % facts
    )


def for_completion(reply: Reply) -> str:
    words = server_message(reply)
    if words:
        return _("The server refuses a completion (%(status)s): %(response)s") % {
            "status": reply.status,
            "response": words,
        }
    return _("The server refuses a completion (%(status)s).") % {"status": reply.status}


def stream_error(event: Any) -> str:
    return _("The server stopped a completion: %(response)s") % {"response": clipped(message_of(event)) or "?"}
