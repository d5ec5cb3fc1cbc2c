"""RunPod's GraphQL, which is going away: what its REST does not tell, the user, the balance and spot prices."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from providers.connectors.base import ConnectorError
from providers.connectors.http import VendorHttp

BALANCE_QUERY = "query { myself { id clientBalance currentSpendPerHr } }"
SPOT_QUERY = "query { gpuTypes { id memoryInGb secureSpotPrice communitySpotPrice } }"


def graphql(http: VendorHttp, query: str) -> dict[str, Any]:
    """Data of an answer. Raises ConnectorError where it has errors, which come with status 200."""
    answer: dict[str, Any] = http.post("/graphql", {"query": query})
    if answer.get("errors"):
        message = str(answer["errors"][0].get("message", ""))[:200]
        raise ConnectorError(_("RunPod refused the query: %(response)s") % {"response": http.clean(message)})
    data: dict[str, Any] = answer["data"]
    return data
