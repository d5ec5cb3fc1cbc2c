"""Days of the big tables are made and dropped by two functions of the tables' owner.

The application's role owns no table: it may call these, and they touch nothing but a day of a table that is partitioned
by its column `day`, of which only migrations make any. Names are written out and the search path is fixed, so that
nobody puts a table or an operator of their own in the way.
"""

from __future__ import annotations

from django.db import migrations

FUNCTIONS = r"""
CREATE FUNCTION public.breakeven_child_of(parent text, day date) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF day IS NULL OR day < '2000-01-01' OR day > '2199-12-31' THEN
        RAISE EXCEPTION 'no day of ours: %', day USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_class AS c WHERE c.relname = parent AND c.relnamespace = 'public'::regnamespace
        AND c.relkind = 'p' AND pg_get_partkeydef(c.oid) = 'RANGE (day)'
    ) THEN
        RAISE EXCEPTION 'not a table that is kept by day: %', parent USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
END $$;

CREATE FUNCTION public.breakeven_attach_day(parent text, day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    child text := public.breakeven_child_of(parent, day);
BEGIN
    -- The CHECK spares the scan under the lock of ATTACH.
    EXECUTE format(
        'CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING STORAGE,'
        ' CONSTRAINT in_day CHECK (day >= %L AND day < %L))', child, parent, day, day + 1
    );
    EXECUTE format(
        'ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', parent, child, day, day + 1
    );
    EXECUTE format('ALTER TABLE public.%I DROP CONSTRAINT in_day', child);
END $$;

CREATE FUNCTION public.breakeven_drop_day(parent text, day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    child text := public.breakeven_child_of(parent, day);
BEGIN
    IF EXISTS (
        SELECT FROM pg_inherits WHERE inhparent = format('public.%I', parent)::regclass
        AND inhrelid = to_regclass(format('public.%I', child))
    ) THEN
        EXECUTE format('DROP TABLE public.%I', child);
    END IF;
END $$;

REVOKE ALL ON FUNCTION public.breakeven_child_of(text, date), public.breakeven_attach_day(text, date),
    public.breakeven_drop_day(text, date) FROM PUBLIC;
"""

BACK = """
DROP FUNCTION public.breakeven_attach_day(text, date), public.breakeven_drop_day(text, date),
    public.breakeven_child_of(text, date);
"""


class Migration(migrations.Migration):
    dependencies = [("providers", "0020_feed_failing_since")]
    operations = [migrations.RunSQL(FUNCTIONS, BACK)]
