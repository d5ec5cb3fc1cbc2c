"""The heartbeat to an outside monitor (healthchecks.io and the like), which speaks when it hears nothing."""

from __future__ import annotations

from alerts.channels import calls
from alerts.models import Channel

TIMEOUT_S = 5.0  # the evaluation is over, but its worker waits


def ping(channel: Channel) -> str:
    """One GET of its address; its answer. Raises NotSent."""
    return calls.call(channel, "GET", timeout_s=TIMEOUT_S)
