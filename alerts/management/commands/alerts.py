"""`manage.py alerts`: what is open; with `--explain SLUG`, why a rule is or is not firing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alerts.models import Alert, Rule
from alerts.rules.explain import explain


class Command(BaseCommand):
    help = "List open alerts, or show why a rule is or is not firing."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--explain", metavar="SLUG", help="slug of a rule")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["explain"]:
            for alert in Alert.objects.shown().select_related("rule").by_urgency():
                self.stdout.write(f"{alert.pk:>6}  {alert.state:<12} {alert.rule.slug:<16} {alert.title}")
            return
        try:
            rule = Rule.objects.get(slug=options["explain"])
        except Rule.DoesNotExist:
            slugs = ", ".join(Rule.objects.values_list("slug", flat=True))
            raise CommandError(f"There is no rule {options['explain']!r}. Rules: {slugs or 'none'}.") from None
        self.stdout.write("\n".join(explain(rule)))
