"""google-auth over our own HTTP: the token is fetched under the same guard as everything else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from providers.connectors.base import Connector, ConnectorError
from providers.connectors.http import Answer, VendorHttp, vendor_message

SCOPES = [
    "https://www.googleapis.com/auth/cloud-billing.readonly",
    "https://www.googleapis.com/auth/compute.readonly",
    "https://www.googleapis.com/auth/bigquery.readonly",
]

# More than reading: asked for only where a machine is to be stopped.
COMPUTE = "https://www.googleapis.com/auth/compute"


def service_account(connector: Connector) -> dict[str, Any]:
    """The account's secret, which is a JSON file. Raises a permanent ConnectorError."""
    try:
        info = json.loads(connector.config.secret)
        if not all(isinstance(info[name], str) for name in ("client_email", "private_key", "token_uri", "project_id")):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise ConnectorError(
            _("The key for Google Cloud must be the whole JSON file of a service account."), permanent=True
        ) from None
    return dict(info)


def authorised(connector: Connector, base_url: str, scopes: Sequence[str] = SCOPES) -> VendorHttp:
    """HTTP with a fresh access token."""
    headers = {"authorization": f"Bearer {_token(connector, scopes)}"}
    return VendorHttp(connector.label, base_url, connector.config, headers=headers)


def _token(connector: Connector, scopes: Sequence[str]) -> str:
    from google.oauth2 import service_account as google  # 11 MB, only where this vendor is polled

    info = service_account(connector)
    try:
        credentials = google.Credentials.from_service_account_info(info, scopes=scopes)  # type: ignore[no-untyped-call]  # google-auth is half typed
    except ValueError:
        raise ConnectorError(_("The private key of the service account cannot be read."), permanent=True) from None
    with VendorHttp(connector.label, info["token_uri"], connector.config, explain=_bad_grant) as http:
        credentials.refresh(_Asker(http))
    return str(credentials.token)


def _bad_grant(answer: Answer) -> ConnectorError | None:
    if answer.status not in (400, 401):
        return None
    words = {"status": answer.status, "response": vendor_message(answer)}
    return ConnectorError(
        _("Google Cloud rejected the service account (%(status)s). %(response)s") % words, permanent=True
    )


class _Reply:
    """What google-auth wants of an answer."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = dict(answer.headers)
        self.data = answer.body


class _Asker:
    """google-auth's transport. A failure is raised at once, so that its own retries, which sleep, never begin."""

    def __init__(self, http: VendorHttp) -> None:
        self._http = http

    def __call__(
        self, url: str, method: str = "GET", body: bytes | None = None, headers: Any = None, **options: Any
    ) -> _Reply:
        answer = self._http.send(method, url, content=body, headers=headers)
        self._http.read(answer)
        return _Reply(answer)
