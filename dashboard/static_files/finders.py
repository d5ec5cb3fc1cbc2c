"""Serves the one file of the plotly wheel that the pages use, so that no copy of plotly.js lies in this repository."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage, Storage

NAME = "plotly.min.js"


def wheel_folder() -> Path:
    """The folder of plotly.js inside the wheel, found without importing plotly (that takes seconds)."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The package plotly is not installed. Run `make setup`.")
    return Path(spec.origin).parent / "package_data"


class PlotlyFinder(BaseFinder):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.storage = FileSystemStorage(location=wheel_folder())
        # collectstatic copies a file of this storage to `prefix/name`.
        self.storage.prefix = "plotly"  # type: ignore[attr-defined]  # a convention of staticfiles, not in its types

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        if path != f"plotly/{NAME}":
            return []  # as Django's own finders say "not here"
        path_found = self.storage.path(NAME)
        return [path_found] if find_all else path_found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterable[tuple[str, Storage]]:
        yield NAME, self.storage
