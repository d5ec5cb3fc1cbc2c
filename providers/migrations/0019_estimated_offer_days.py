"""Days of price history whose machine's price is today's, put in by 0017, say so."""

from django.db import migrations, models

# Days of before that migration, of GPUs whose machine is priced beside them. A new installation has none.
MARK = """
UPDATE providers_offerday AS d SET estimated = true
FROM (SELECT DISTINCT provider, gpu, kind FROM providers_offer WHERE machine_per_gpu_hour > 0) AS m
WHERE d.provider = m.provider AND d.gpu = m.gpu AND d.kind = m.kind AND d.day <= (
    SELECT (applied AT TIME ZONE 'UTC')::date FROM django_migrations
    WHERE app = 'providers' AND name = '0017_whole_price_history'
)
"""


class Migration(migrations.Migration):
    dependencies = [("providers", "0018_lease_used_at")]

    operations = [
        migrations.AddField("offerday", "estimated", models.BooleanField(default=False)),
        migrations.RunSQL(MARK, migrations.RunSQL.noop),
    ]
