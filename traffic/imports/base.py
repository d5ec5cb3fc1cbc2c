"""What every format is made of: which columns tell it, and what it makes of one record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from providers.connectors.base import CostRow, UsageRow

Record = Mapping[str, Any]
# A request as the native API takes it, and `raw`, what is kept of the record; None: no call to a model.
Made = dict[str, Any] | None
Reported = UsageRow | CostRow


@dataclass(frozen=True)
class Options:
    """What a person says of a file. `columns` maps our fields to the file's names; the generic format alone uses it."""

    application: str = ""  # slug, for rows that name none
    provider: str = ""  # slug, for rows that name none
    zone: str = "UTC"  # of times without an offset
    day_first: bool | None = None  # 05/06/2026 is 5 June; None: such dates are refused
    decimal_comma: bool = False
    seconds: bool = False  # durations are seconds, not milliseconds
    columns: dict[str, str] = field(default_factory=dict)
    account: str = ""  # slug, of sums

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """From what was kept, also by an older version."""
        names = {option.name for option in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in names})


@dataclass(frozen=True)
class Format:
    """One kind of file. `request_of` makes a request of a record; `report_of` instead reads sums, not requests.

    Both raise `traffic.ingest.native.Rejected`. `needs` are the column names (lower case, with underscores) that tell
    it from the others, in one or another set; `provider` is whose sums they are.
    """

    slug: str
    label: str
    about: str
    needs: tuple[frozenset[str], ...]
    request_of: Callable[[Record, Options], Made] | None = None
    report_of: Callable[[Record, Options], Iterable[Reported]] | None = None
    provider: str = ""

    @property
    def sums(self) -> bool:
        """Whether its rows are sums over a day or an hour."""
        return self.report_of is not None
