"""What a silence matches, in words: kinds, severities and things by the names that people know them by."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from alerts.lifecycle.silences import Matcher, labels_of
from alerts.metrics.scopes import DIMENSIONS, Names
from alerts.models import Alert, Rule, Severity, Silence


def name_patterns(silences: Iterable[Silence]) -> None:
    """Set `pattern` of each silence; one statement each for rules, the alerts that they name and each kind of thing."""
    rows = list(silences)
    titles = _titles({row.subject for row in rows if row.subject and "*" not in row.subject})
    names, kinds = Names(), dict(Rule.objects.order_by("-pk").values_list("kind", "name"))
    for row in rows:
        row.pattern = in_words(row.matcher, titles, kinds, names)


def pattern_of(silence: Silence) -> str:
    """`Outage: deployment Mistral 7B, critical`."""
    name_patterns([silence])
    return silence.pattern


def _titles(subjects: set[str]) -> dict[str, str]:
    """The title of the newest alert about each subject."""
    if not subjects:
        return {}
    newest = Alert.objects.filter(subject__in=subjects).order_by("subject", "-id").distinct("subject")
    return dict(newest.values_list("subject", "title"))


def in_words(matcher: Matcher, titles: dict[str, str], kinds: dict[str, str], names: Names) -> str:
    """The pattern as a person reads it; `titles` are those of alerts by subject, `kinds` the names of rules by kind."""
    parts = [titles.get(matcher.subject) or _subject(matcher.subject, names)] if matcher.subject else []
    parts += [_labelled(name, value, names) for name, value in sorted(matcher.labels.items())]
    parts += [str(Severity(matcher.severity).label)] if matcher.severity else []
    what = ", ".join(parts)
    if not matcher.kind:
        return capfirst(what) or _("everything")
    kind = _("custom rules") if matcher.kind == "figure" else kinds.get(matcher.kind, matcher.kind)
    return _("%(kind)s: %(what)s") % {"kind": kind, "what": what} if what else capfirst(kind)


def _subject(subject: str, names: Names) -> str:
    """What a subject is about; one that names nothing stands in quotes, as it was typed."""
    labels = labels_of(subject)
    return ", ".join(_labelled(*pair, names) for pair in labels.items()) or _("“%(text)s”") % {"text": subject}


def _labelled(dimension: str, name: str, names: Names) -> str:
    """`deployment Mistral 7B`; a pattern stays as it was typed, in quotes."""
    typed = "*" in name or dimension not in DIMENSIONS
    label = _("“%(text)s”") % {"text": name} if typed else names.label(dimension, name)
    return f"{_(DIMENSIONS.get(dimension, dimension))} {label}"
