"""What Claude's organisation calls its workspaces and API keys; the reports know them by their ids alone.

Traps: the default workspace is listed only when asked for; a key that is bound to a person may belong to no workspace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from providers.connectors.base import NameRow
from providers.connectors.http import walk

if TYPE_CHECKING:  # the SDK weighs 78 MB; only a process that polls this vendor pays for it
    from anthropic import Anthropic as Client


def names(client: Client, label: str) -> Iterator[NameRow]:
    organization = client.beta.organization
    workspaces = partial(organization.workspaces.list, include_archived=True, include_default=True)
    for workspace in walk(label, partial(_page, workspaces)):
        state = "archived" if workspace.archived_at else "active"
        yield NameRow("workspace", str(workspace.id), str(workspace.name)[:200], state=state)
    for key in walk(label, partial(_page, organization.api_keys.list)):
        parent, hint = getattr(key.scope, "workspace_id", None) or "", str(key.partial_key_hint or "")[:60]
        yield NameRow("api_key", str(key.id), str(key.name)[:200], parent, str(key.status)[:40], hint)


def _page(ask: Callable[..., Any], cursor: str | None) -> tuple[list[Any], str | None]:
    answer = ask(limit=1000, after_id=cursor) if cursor else ask(limit=1000)
    if not isinstance(answer.data, list):
        raise TypeError("data is no list")
    return answer.data, answer.last_id if answer.has_more else None
