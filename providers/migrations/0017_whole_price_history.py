"""Days of price history from before an offer's price had its machine in it get that machine, at today's price."""

from django.db import migrations

# A day is of before where its lowest price is nearer to that of the GPU alone than to that of both.
ADD_MACHINES = """
UPDATE providers_offerday AS d
SET low = d.low + m.machine, median = d.median + m.machine, high = d.high + m.machine
FROM (
    SELECT DISTINCT ON (provider, gpu, kind) provider, gpu, kind, price_per_gpu_hour AS alone,
        machine_per_gpu_hour AS machine
    FROM providers_offer WHERE machine_per_gpu_hour > 0
    ORDER BY provider, gpu, kind, whole_per_gpu_hour
) AS m
WHERE d.provider = m.provider AND d.gpu = m.gpu AND d.kind = m.kind AND d.low < m.alone + m.machine / 2
"""


class Migration(migrations.Migration):
    dependencies = [("providers", "0016_recurring_windows")]

    # Going back leaves the days as they are: they are compared by what is paid then as now.
    operations = [migrations.RunSQL(ADD_MACHINES, migrations.RunSQL.noop)]
