"""The Claude API: usage by model and hour, cost by model, class and day, from the organisation's analytics reports.

With the setting `reports: legacy` it reads the older reports instead (Console organisations, minutes fresh).
Traps: amounts are cents as text; a query spans at most 31 days; the default page is 20 rows; rows behind the watermark
`data_refreshed_at` are whole and are still revised for 30 days; a spend cap is a 429 without `retry-after`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from providers.connectors import anthropic_legacy as legacy
from providers.connectors.anthropic_legacy import CATEGORY, TOKEN_CLASS, spend_cap
from providers.connectors.anthropic_names import names
from providers.connectors.base import Connector, CostRow, Fetched, NameRow, Option, UsageRow
from providers.connectors.http import VendorHttp, header_key, walk
from providers.connectors.parse import chunks, day_of, hour_of, moment, money, usd_only, whole

if TYPE_CHECKING:  # the SDK weighs 78 MB; only a process that polls this vendor pays for it
    from anthropic import Anthropic as Client

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)  # the reports know nothing older
LONGEST_QUERY = timedelta(days=31)
USAGE_GROUPS = ["model", "workspace_id", "api_key_id", "service_tier"]
COST_GROUPS = ["model", "workspace_id", "service_tier", "cost_type", "token_type"]


class Anthropic(Connector):
    kind = "anthropic"
    label = "Claude"
    default_base_url = "https://api.anthropic.com"
    key_help = "An Admin key (sk-ant-admin01-…) or a key with the scope read:analytics."
    feeds = {"usage": 900, "costs": 900, "names": 3600}
    reread = {"usage": timedelta(days=30), "costs": timedelta(days=30)}
    options = {"reports": Option("Reports", "“legacy” reads the older organisation reports. Empty: the analytics API.")}

    def test(self) -> str:
        with self._client() as client, self.parsing():
            name = str(client.beta.organization.retrieve().name)[:100]
            return _("The key belongs to the organisation %(name)s.") % {"name": name}

    def identity(self) -> list[str]:
        with self._client() as client, self.parsing():
            return [f"organization {client.beta.organization.retrieve().id}"[:200]]

    def fetch_usage(self, since: datetime, until: datetime) -> Fetched[UsageRow]:
        if self.config.settings.get("reports") == "legacy":
            return legacy.fetch_usage(self, since, until)
        rows, complete_until = self._report("usage", hour_of(since), until, "1h", USAGE_GROUPS)
        with self.parsing():
            return Fetched([_usage_row(row) for row in rows], complete_until)

    def fetch_costs(self, since: datetime, until: datetime) -> Fetched[CostRow]:
        if self.config.settings.get("reports") == "legacy":
            return legacy.fetch_costs(self, since, until)
        rows, complete_until = self._report("cost", day_of(since), until, "1d", COST_GROUPS)
        with self.parsing():
            return Fetched([_cost_row(row) for row in rows], complete_until)

    def fetch_names(self) -> Fetched[NameRow]:
        with self._client() as client, self.parsing():
            return Fetched(list(names(client, self.label)))

    def _report(
        self, name: str, since: datetime, until: datetime, width: str, groups: list[str]
    ) -> tuple[list[Any], datetime | None]:
        """Rows of a report and the earliest watermark among its pages."""
        rows: list[Any] = []
        marks: list[datetime] = []
        oldest = max(FIRST_DAY, day_of(datetime.now(UTC) - timedelta(days=364)))
        with self._client() as client, self.parsing():
            # Ordered by time: a ranking by size would shift under the pages while figures grow.
            ask = partial(
                getattr(client.beta.organization.analytics, name).list,
                time_bucket_width=width,
                group_by=groups,
                limit=1000,
                order_by="time",
                order="asc",
            )
            for start, end in chunks(max(since, oldest), until, LONGEST_QUERY):
                part = partial(ask, starting_at=start, ending_at=end)
                rows.extend(walk(self.label, partial(_page, part, marks)))
        return rows, min(marks, default=None)

    @contextmanager
    def _client(self) -> Iterator[Client]:
        """The SDK over our own guarded HTTP, without its own retries (it would sleep)."""
        from providers.connectors.sdk import client_over

        key = header_key(self.label, self.config.secret)
        http = VendorHttp(self.label, self.base_url, self.config, explain=spend_cap)
        with http, client_over(http, key) as client:
            yield client


def _page(part: partial[Any], marks: list[datetime], cursor: str | None) -> tuple[list[Any], str | None]:
    answer = part(page=cursor) if cursor else part()
    if not isinstance(answer.data, list):
        raise TypeError("data is no list")
    if answer.data_refreshed_at is not None:
        marks.append(moment(answer.data_refreshed_at))
    return answer.data, answer.next_page if answer.has_more else None


def _usage_row(row: Any) -> UsageRow:
    usage, group = row.usage, row.group
    return UsageRow(
        starts_at=moment(row.starting_at),
        ends_at=moment(row.ending_at),
        model=group.model or "",
        workspace=group.workspace_id or "",
        api_key=group.api_key_id or "",
        service_tier=group.service_tier or "",
        requests=None if usage.requests is None else whole(usage.requests),
        uncached_input=whole(usage.uncached_input_tokens),
        cache_read=whole(usage.cache_read_input_tokens),
        cache_write_5m=whole(usage.cache_creation.ephemeral_5m_input_tokens),
        cache_write_1h=whole(usage.cache_creation.ephemeral_1h_input_tokens),
        output=whole(usage.output_tokens),
        web_searches=whole(usage.server_tool_use.web_search_requests),
    )


def _cost_row(row: Any) -> CostRow:
    group, starts_at = row.group, moment(row.starting_at)
    parts = [group.workspace_id, group.model, group.service_tier, group.cost_type, group.token_type]
    return CostRow.usd(
        "/".join([f"{starts_at:%Y-%m-%d}", *(part or "-" for part in parts)]),
        starts_at,
        moment(row.ending_at),
        CATEGORY.get(group.cost_type or "", "adjustment"),
        money(str(row.cost.amount), per=100, signed=True),
        currency=usd_only(row.cost.currency),
        model=group.model or "",
        token_class=TOKEN_CLASS.get(group.token_type or "", ""),
        description=" ".join(part for part in parts[1:] if part),
        workspace=group.workspace_id or "",
        service_tier=group.service_tier or "",
        list_amount=money(str(row.cost.list_amount), per=100, signed=True),
    )
