"""What was done and what was refused, each by an index of its own: neither is looked for among the other. Names are
looked for by the beginnings of their words."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import migrations, models

REFUSED = models.Q(action__in=("login-failed", "refused", "revoked-key"))


class Migration(migrations.Migration):
    dependencies = [("providers", "0023_entries_of_the_admin_site")]

    operations = [
        migrations.AddIndex("auditentry", models.Index(fields=["at"], condition=~REFUSED, name="audit_acts")),
        migrations.AddIndex("auditentry", models.Index(fields=["at"], condition=REFUSED, name="audit_refusals")),
        migrations.AddIndex("auditentry", models.Index(fields=["object_name", "at"], name="audit_name")),
        migrations.AddIndex("auditentry", GinIndex(SearchVector("object_name", config="simple"), name="audit_words")),
    ]
