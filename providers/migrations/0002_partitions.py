"""What Django does not make: the table of checks, kept by day, the functions that make and drop such days, and an
append-only audit log.

The application's role owns no table: it may call the two functions, and they touch nothing but a day of a table that is
partitioned by its column `day`, of which only migrations make any. Names are written out and the search path is fixed,
so that nobody puts a table or an operator of their own in the way.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.db import migrations

from lib.encryption import encrypt

CHECK = """
CREATE TABLE providers_check (
    at timestamptz NOT NULL,
    deployment_id bigint NOT NULL,
    latency_ms double precision,
    ttft_ms double precision,
    day date NOT NULL,
    ok boolean NOT NULL,
    step text NOT NULL,
    cause text NOT NULL DEFAULT '',
    PRIMARY KEY (day, deployment_id, at)
) PARTITION BY RANGE (day)
"""
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

APPEND_ONLY = """
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON providers_auditentry
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON providers_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON providers_auditseal
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON providers_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
-- A key may be encrypted anew (manage.py rotate-key), but not go: the entries written with it could not be verified.
CREATE TRIGGER audit_is_append_only BEFORE DELETE ON providers_auditkey
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
"""


def first_key(apps: Any, schema_editor: Any) -> None:
    """Make the key that the first entries of the audit log are chained with."""
    apps.get_model("providers", "AuditKey").objects.create(secret=encrypt(secrets.token_hex(32)))


class Migration(migrations.Migration):
    dependencies = [("providers", "0001_initial")]

    operations = [
        migrations.RunSQL([CHECK, FUNCTIONS]),
        migrations.RunPython(first_key),
        migrations.RunSQL(APPEND_ONLY),
    ]
