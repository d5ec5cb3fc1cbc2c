"""The criteria of a rubric and the marks that a rater gives by them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

from django.utils.text import slugify
from django.utils.translation import gettext as _

Kind = Literal["scale", "yes_no", "tags"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_CRITERIA, MOST_TAGS, LONGEST_NAME, LONGEST_ANCHOR = 5, 8, 40, 120
SCALE = range(1, 6)
LETTERS = "qwert"  # the first stroke of a criterion's keys; the second is its value
PREFIX = "mark-"  # of the fields of a form

Mark = int | list[str]


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that a rater may choose, with its two strokes and, of a scale, its anchor."""

    value: str
    label: str
    strokes: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Criterion:
    """What is judged. `anchors` are the words for 1 to 5 of a scale, or the tags that may be chosen."""

    key: str
    name: str
    kind: Kind
    anchors: Sequence[str] = ()

    def choices(self, letter: str) -> list[Choice]:
        if self.kind == "yes_no":
            return [Choice("1", _("yes"), f"{letter} y"), Choice("0", _("no"), f"{letter} n")]
        if self.kind == "tags":
            return [Choice(tag, tag, f"{letter} {number}") for number, tag in enumerate(self.anchors, 1)]
        return [
            Choice(str(value), str(value), f"{letter} {value}", anchor)
            for value, anchor in zip(SCALE, self.anchors, strict=True)
        ]

    def mark(self, value: Any) -> Mark:
        """The value as it is stored. Raises ValueError with a sentence."""
        if self.kind == "tags":
            tags = [value] if isinstance(value, str) else value
            if not isinstance(tags, list) or not all(tag in self.anchors for tag in tags):
                raise ValueError(
                    _("%(name)s must be tags of: %(tags)s.") % {"name": self.name, "tags": ", ".join(self.anchors)}
                )
            return sorted(set(tags), key=list(self.anchors).index)
        allowed, words = ((0, 1), _("yes or no")) if self.kind == "yes_no" else (SCALE, _("1 to 5"))
        number = int(value) if isinstance(value, (bool, int)) or (isinstance(value, str) and value in "012345") else -1
        if value == "" or number not in allowed:
            raise ValueError(_("%(name)s must be %(words)s.") % {"name": self.name, "words": words})
        return number


def criteria_of(stored: Iterable[Mapping[str, Any]]) -> list[Criterion]:
    """The criteria of a rubric's row."""
    return [Criterion(row["key"], row["name"], row["kind"], tuple(row["anchors"])) for row in stored]


def marks_of(criteria: Sequence[Criterion], values: Mapping[str, Any]) -> dict[str, Mark]:
    """The marks among some values by key; a criterion without a value has no mark. Raises ValueError."""
    by_key = {criterion.key: criterion for criterion in criteria}
    if unknown := sorted(set(values) - set(by_key)):
        text = _("The rubric has no criterion “%(key)s”. Its criteria are: %(keys)s.")
        raise ValueError(text % {"key": unknown[0][:LONGEST_NAME], "keys": ", ".join(by_key)})
    marks = {key: by_key[key].mark(value) for key, value in values.items() if value not in ("", None)}
    return {key: mark for key, mark in marks.items() if mark != []}


def posted(criteria: Sequence[Criterion], form: Any) -> dict[str, Any]:
    """The values of a posted form by key, tags as lists."""
    return {
        criterion.key: form.getlist(PREFIX + criterion.key)
        if criterion.kind == "tags"
        else form[PREFIX + criterion.key]
        for criterion in criteria
        if PREFIX + criterion.key in form
    }


def valid_marks(criteria: Sequence[Criterion], form: Any) -> dict[str, Mark]:
    """The marks of a form of which a part may be invalid: that part is left out."""
    marks: dict[str, Mark] = {}
    for key, value in posted(criteria, form).items():
        with suppress(ValueError):
            marks |= marks_of(criteria, {key: value})
    return marks


def made(rows: Iterable[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """Criteria as they are stored, from names, kinds and anchors with one a line. Raises ValueError with a sentence.

    A scale has the words for 1 to 5 on five lines, or for 1 and 5 on two.
    """
    criteria: list[dict[str, Any]] = []
    for name, kind, lines in rows:
        anchors = [line.strip()[:LONGEST_ANCHOR] for line in lines.splitlines() if line.strip()]
        if kind == "scale" and len(anchors) == 2:
            anchors = [anchors[0], "", "", "", anchors[1]]
        words = {"name": name, "most": MOST_TAGS}
        if kind == "scale" and len(anchors) != len(SCALE):
            raise ValueError(_("%(name)s needs five lines, for 1 to 5, or two, for 1 and 5.") % words)
        if kind == "tags" and not 1 <= len(set(anchors)) == len(anchors) <= MOST_TAGS:
            raise ValueError(_("%(name)s needs 1 to %(most)s different tags, one on each line.") % words)
        key = slugify(name)[:LONGEST_NAME] or f"criterion-{len(criteria) + 1}"
        if any(row["key"] == key for row in criteria):
            raise ValueError(_("Two criteria are called %(name)s.") % words)
        criteria.append({"key": key, "name": name, "kind": kind, "anchors": [] if kind == "yes_no" else anchors})
    if not 1 <= len(criteria) <= MOST_CRITERIA:
        raise ValueError(_("A rubric needs 1 to %(most)s criteria.") % {"most": MOST_CRITERIA})
    return criteria
