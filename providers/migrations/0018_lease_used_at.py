"""When a lease's GPU was last seen at work, so that a machine without a deployment can be told to be idle."""

from django.db import migrations, models

SEEN = "UPDATE providers_lease SET used_at = seen_at WHERE utilisation >= 0.05"


class Migration(migrations.Migration):
    dependencies = [("providers", "0017_whole_price_history")]

    operations = [
        migrations.AddField("lease", "used_at", models.DateTimeField(null=True)),
        migrations.RunSQL(SEEN, migrations.RunSQL.noop),
    ]
