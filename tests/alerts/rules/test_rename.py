"""The migration that renames built-in rules leaves alone what people named."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps

from alerts.defaults import ensure_defaults
from alerts.models import Rule


@pytest.mark.django_db
def test_built_in_rules_are_renamed_and_those_of_people_are_not() -> None:
    ensure_defaults()
    fresh = set(Rule.objects.values_list("name", flat=True))
    Rule.objects.filter(slug="latency").update(name="Deployment slow")
    Rule.objects.filter(slug="system-retention").update(name="Our retention")
    Rule.objects.create(slug="mine", kind="figure", name="Not as usual")
    migration = import_module("alerts.migrations.0004_standard_words")
    migration.rename_built_in_rules(apps, None)
    assert Rule.objects.get(slug="latency").name == "High latency"
    assert Rule.objects.get(slug="system-retention").name == "Our retention"
    assert Rule.objects.get(slug="mine").name == "Not as usual"
    assert not set(migration.RENAMED) & fresh and set(migration.RENAMED.values()) <= fresh
