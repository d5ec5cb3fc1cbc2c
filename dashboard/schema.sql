-- contains contenttypes.0001_initial
-- contains auth.0001_initial
-- contains alerts.0001_initial
-- contains alerts.0002_from_before_0_1_0
-- contains alerts.0003_mail_without_a_server
-- contains alerts.0004_standard_words
-- contains alerts.0005_saved_views
-- contains contenttypes.0002_remove_content_type_name
-- contains auth.0002_alter_permission_name_max_length
-- contains auth.0003_alter_user_email_max_length
-- contains auth.0004_alter_user_username_opts
-- contains auth.0005_alter_user_last_login_null
-- contains auth.0006_require_contenttypes_0002
-- contains auth.0007_alter_validators_add_error_messages
-- contains auth.0008_alter_user_username_max_length
-- contains auth.0009_alter_user_last_name_max_length
-- contains auth.0010_alter_group_name_max_length
-- contains auth.0011_update_proxy_permissions
-- contains auth.0012_alter_user_first_name_max_length
-- contains providers.0001_initial
-- contains traffic.0001_initial
-- contains costs.0001_initial
-- contains costs.0002_from_before_0_1_0
-- contains costs.0003_bill_status
-- contains costs.0004_task_models
-- contains costs.0005_charge_category_other
-- contains costs.0006_standard_words
-- contains dashboard.0001_sessions_and_roles
-- contains providers.0002_partitions
-- contains providers.0003_from_before_0_1_0
-- contains providers.0004_max_concurrency
-- contains providers.0005_google_categories
-- contains providers.0006_account_identity
-- contains providers.0007_origins
-- contains providers.0008_removed_account
-- contains providers.0009_unverified_accounts
-- contains providers.0010_standard_words
-- contains providers.0011_stop_requested
-- contains providers.0012_vendor_limits
-- contains providers.0013_takes_media
-- contains providers.0014_gateway_timeouts
-- contains traffic.0002_partitions
-- contains traffic.0003_from_before_0_1_0
-- contains traffic.0004_application_test_only
-- contains traffic.0005_history_until
-- contains traffic.0006_checklist_hidden_at
-- contains traffic.0007_abstention
-- contains traffic.0008_comparisons
-- contains traffic.0009_caps
-- contains traffic.0010_trials
-- contains traffic.0011_model_aliases
-- contains traffic.0012_held_objects
-- contains traffic.0013_pair_prompt_and_reveal
-- contains traffic.0014_answer_cache
-- contains traffic.0015_feedback_links
-- contains traffic.0016_rating_days
-- contains traffic.0017_answer_sets
-- contains traffic.0018_rubrics_and_queues
-- contains traffic.0019_words_of_states
-- contains traffic.0020_playground_permission
-- contains traffic.0021_marks
-- contains traffic.0022_judges
-- contains traffic.0023_targets_of_a_rule
-- contains traffic.0024_source_of_copied_prompts
-- contains traffic.0025_playground_own
-- contains traffic.0030_agreement_by_day
-- contains traffic.0031_held_answers
-- contains traffic.0032_made_for
-- contains traffic.0033_one_made_for_each
-- contains traffic.0036_raters_by_number
-- contains traffic.0038_keyed_digests
-- contains traffic.0039_cap_task
CREATE FUNCTION public.audit_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE FUNCTION public.breakeven_attach_day(parent text, day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.breakeven_child_of(parent text, day date) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.breakeven_drop_day(parent text, day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.costs_decision_is_final() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'a signed decision is never changed, a later one supersedes it';
END
$$;
CREATE FUNCTION public.traffic_ratings_by_day() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN 
INSERT INTO traffic_rating_day AS d (day, application_id, deployment_id, model, task,
    ratings, acceptable, starred, stars_sum, stars_squares)
SELECT day, coalesce(application_id, 0), coalesce(deployment_id, 0), model, task,
    sum(sign), sum(sign * coalesce(stars >= 4, score >= 0)::int), sum(sign * (stars IS NOT NULL)::int),
    coalesce(sum(sign * stars), 0), coalesce(sum(sign * stars * stars), 0)
FROM (SELECT 1 AS sign, day, application_id, deployment_id, model, task, stars, score FROM fresh) AS r WHERE day IS NOT NULL GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (day, application_id, deployment_id, model, task) DO UPDATE SET
    ratings = d.ratings + excluded.ratings, acceptable = d.acceptable + excluded.acceptable,
    starred = d.starred + excluded.starred, stars_sum = d.stars_sum + excluded.stars_sum,
    stars_squares = d.stars_squares + excluded.stars_squares, agreement_due = true
;
    ELSIF TG_OP = 'DELETE' THEN 
INSERT INTO traffic_rating_day AS d (day, application_id, deployment_id, model, task,
    ratings, acceptable, starred, stars_sum, stars_squares)
SELECT day, coalesce(application_id, 0), coalesce(deployment_id, 0), model, task,
    sum(sign), sum(sign * coalesce(stars >= 4, score >= 0)::int), sum(sign * (stars IS NOT NULL)::int),
    coalesce(sum(sign * stars), 0), coalesce(sum(sign * stars * stars), 0)
FROM (SELECT -1 AS sign, day, application_id, deployment_id, model, task, stars, score FROM gone) AS r WHERE day IS NOT NULL GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (day, application_id, deployment_id, model, task) DO UPDATE SET
    ratings = d.ratings + excluded.ratings, acceptable = d.acceptable + excluded.acceptable,
    starred = d.starred + excluded.starred, stars_sum = d.stars_sum + excluded.stars_sum,
    stars_squares = d.stars_squares + excluded.stars_squares, agreement_due = true
;
    ELSE 
INSERT INTO traffic_rating_day AS d (day, application_id, deployment_id, model, task,
    ratings, acceptable, starred, stars_sum, stars_squares)
SELECT day, coalesce(application_id, 0), coalesce(deployment_id, 0), model, task,
    sum(sign), sum(sign * coalesce(stars >= 4, score >= 0)::int), sum(sign * (stars IS NOT NULL)::int),
    coalesce(sum(sign * stars), 0), coalesce(sum(sign * stars * stars), 0)
FROM (SELECT 1 AS sign, day, application_id, deployment_id, model, task, stars, score FROM fresh UNION ALL SELECT -1 AS sign, day, application_id, deployment_id, model, task, stars, score FROM gone) AS r WHERE day IS NOT NULL GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (day, application_id, deployment_id, model, task) DO UPDATE SET
    ratings = d.ratings + excluded.ratings, acceptable = d.acceptable + excluded.acceptable,
    starred = d.starred + excluded.starred, stars_sum = d.stars_sum + excluded.stars_sum,
    stars_squares = d.stars_squares + excluded.stars_squares, agreement_due = true
;
    END IF;
    RETURN NULL;
END $$;
CREATE TABLE public.alerts_address (
    id bigint NOT NULL,
    address character varying(254) NOT NULL,
    refusals integer NOT NULL,
    refused_at timestamp with time zone,
    answer text NOT NULL,
    disabled_at timestamp with time zone,
    CONSTRAINT alerts_address_refusals_check CHECK ((refusals >= 0))
);
ALTER TABLE public.alerts_address ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_address_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_alert (
    id bigint NOT NULL,
    kind character varying(40) NOT NULL,
    subject character varying(200) NOT NULL,
    title character varying(300) NOT NULL,
    severity character varying(10) NOT NULL,
    state character varying(12) NOT NULL,
    level integer NOT NULL,
    value character varying(60) NOT NULL,
    threshold character varying(60) NOT NULL,
    words jsonb NOT NULL,
    pending_since timestamp with time zone NOT NULL,
    opened_at timestamp with time zone,
    acknowledged_at timestamp with time zone,
    snoozed_until timestamp with time zone,
    clear_since timestamp with time zone,
    resolved_at timestamp with time zone,
    announced boolean NOT NULL,
    notified_at timestamp with time zone,
    escalated_at timestamp with time zone,
    awaits_clear boolean NOT NULL,
    covered_by character varying(200) NOT NULL,
    labels jsonb NOT NULL,
    sampled_at timestamp with time zone,
    acknowledged_by_id integer,
    assigned_to_id integer,
    rule_id bigint NOT NULL
);
ALTER TABLE public.alerts_alert ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_alert_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_channel (
    id bigint NOT NULL,
    slug character varying(60) NOT NULL,
    name character varying(100) NOT NULL,
    kind character varying(20) NOT NULL,
    address text NOT NULL,
    shown character varying(200) NOT NULL,
    secret text NOT NULL,
    local boolean NOT NULL,
    enabled boolean NOT NULL,
    disabled_reason text NOT NULL,
    answer text NOT NULL,
    answered_at timestamp with time zone,
    failures integer NOT NULL,
    failing_since timestamp with time zone,
    deleted_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT alerts_channel_failures_check CHECK ((failures >= 0))
);
ALTER TABLE public.alerts_channel ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_channel_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_delivery (
    id bigint NOT NULL,
    channel character varying(20) NOT NULL,
    recipient character varying(254) NOT NULL,
    state character varying(10) NOT NULL,
    attempts integer NOT NULL,
    due_at timestamp with time zone NOT NULL,
    "group" character varying(200) NOT NULL,
    deferred_by character varying(10) NOT NULL,
    answer text NOT NULL,
    message_id character varying(200) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    accepted_at timestamp with time zone,
    alert_id bigint,
    folded_into_id bigint,
    report_id bigint,
    transition_id bigint,
    CONSTRAINT alerts_delivery_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT delivery_about_one_thing CHECK ((((alert_id IS NOT NULL) AND (report_id IS NULL) AND (transition_id IS NOT NULL)) OR ((alert_id IS NULL) AND (report_id IS NOT NULL) AND (transition_id IS NULL))))
);
ALTER TABLE public.alerts_delivery ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_optout (
    id bigint NOT NULL,
    address character varying(254) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    rule_id bigint NOT NULL
);
ALTER TABLE public.alerts_optout ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_optout_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_preference (
    id bigint NOT NULL,
    "least" character varying(10) NOT NULL,
    quiet_from time without time zone,
    quiet_until time without time zone,
    digest character varying(10) NOT NULL,
    digest_at time without time zone NOT NULL,
    reports character varying(10)[],
    language character varying(10) NOT NULL,
    timezone character varying(60) NOT NULL,
    person_id integer NOT NULL
);
ALTER TABLE public.alerts_preference ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_preference_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_report (
    id bigint NOT NULL,
    kind character varying(10) NOT NULL,
    starts_on date NOT NULL,
    ends_on date NOT NULL,
    words jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    person_id integer NOT NULL
);
ALTER TABLE public.alerts_report ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_report_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_rule (
    id bigint NOT NULL,
    slug character varying(80) NOT NULL,
    kind character varying(30) NOT NULL,
    name character varying(200) NOT NULL,
    severity character varying(10) NOT NULL,
    thresholds jsonb NOT NULL,
    for_s integer NOT NULL,
    clear_for_s integer NOT NULL,
    escalate_s integer,
    escalate_groups character varying(150)[] NOT NULL,
    remind_s integer,
    enabled boolean NOT NULL,
    groups character varying(150)[] NOT NULL,
    deleted_at timestamp with time zone,
    evaluated_at timestamp with time zone,
    took_us integer,
    last_error text NOT NULL,
    CONSTRAINT alerts_rule_clear_for_s_check CHECK ((clear_for_s >= 0)),
    CONSTRAINT alerts_rule_escalate_s_check CHECK ((escalate_s >= 0)),
    CONSTRAINT alerts_rule_for_s_check CHECK ((for_s >= 0)),
    CONSTRAINT alerts_rule_remind_s_check CHECK ((remind_s >= 0)),
    CONSTRAINT alerts_rule_took_us_check CHECK ((took_us >= 0))
);
CREATE TABLE public.alerts_rule_channels (
    id bigint NOT NULL,
    rule_id bigint NOT NULL,
    channel_id bigint NOT NULL
);
ALTER TABLE public.alerts_rule_channels ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_rule_channels_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.alerts_rule ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_rule_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_rule_recipients (
    id bigint NOT NULL,
    rule_id bigint NOT NULL,
    user_id integer NOT NULL
);
ALTER TABLE public.alerts_rule_recipients ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_rule_recipients_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_sample (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    value character varying(60) NOT NULL,
    threshold character varying(60) NOT NULL,
    alert_id bigint NOT NULL
);
ALTER TABLE public.alerts_sample ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_sample_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_savedview (
    id bigint NOT NULL,
    deleted_at timestamp with time zone,
    name character varying(80) NOT NULL,
    path character varying(2000) NOT NULL,
    shared boolean NOT NULL,
    pinned boolean NOT NULL,
    weekly boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    owner_id integer NOT NULL
);
ALTER TABLE public.alerts_savedview ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_savedview_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_silence (
    id bigint NOT NULL,
    repeats character varying(5) NOT NULL,
    zone character varying(60) NOT NULL,
    repeats_until timestamp with time zone,
    kind character varying(40) NOT NULL,
    subject character varying(200) NOT NULL,
    severity character varying(10) NOT NULL,
    labels jsonb NOT NULL,
    starts_at timestamp with time zone,
    until timestamp with time zone NOT NULL,
    reason character varying(200) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    by_id integer
);
ALTER TABLE public.alerts_silence ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_silence_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_transition (
    id bigint NOT NULL,
    before character varying(12) NOT NULL,
    after character varying(12) NOT NULL,
    at timestamp with time zone NOT NULL,
    cause character varying(20) NOT NULL,
    note text NOT NULL,
    value character varying(60) NOT NULL,
    title character varying(300) NOT NULL,
    words jsonb NOT NULL,
    alert_id bigint NOT NULL,
    by_id integer
);
ALTER TABLE public.alerts_transition ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_transition_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.alerts_usedlink (
    id bigint NOT NULL,
    digest bytea NOT NULL,
    at timestamp with time zone NOT NULL
);
ALTER TABLE public.alerts_usedlink ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.alerts_usedlink_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_group (
    id integer NOT NULL,
    name character varying(150) NOT NULL
);
ALTER TABLE public.auth_group ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_group_permissions (
    id bigint NOT NULL,
    group_id integer NOT NULL,
    permission_id integer NOT NULL
);
ALTER TABLE public.auth_group_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_permission (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    content_type_id integer NOT NULL,
    codename character varying(100) NOT NULL
);
ALTER TABLE public.auth_permission ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_permission_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_user (
    id integer NOT NULL,
    password character varying(128) NOT NULL,
    last_login timestamp with time zone,
    is_superuser boolean NOT NULL,
    username character varying(150) NOT NULL,
    first_name character varying(150) NOT NULL,
    last_name character varying(150) NOT NULL,
    email character varying(254) NOT NULL,
    is_staff boolean NOT NULL,
    is_active boolean NOT NULL,
    date_joined timestamp with time zone NOT NULL
);
CREATE TABLE public.auth_user_groups (
    id bigint NOT NULL,
    user_id integer NOT NULL,
    group_id integer NOT NULL
);
ALTER TABLE public.auth_user_groups ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_user_groups_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.auth_user ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_user_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_user_user_permissions (
    id bigint NOT NULL,
    user_id integer NOT NULL,
    permission_id integer NOT NULL
);
ALTER TABLE public.auth_user_user_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_user_user_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_anomaly (
    id bigint NOT NULL,
    application_id bigint NOT NULL,
    application character varying(80) NOT NULL,
    model text NOT NULL,
    models_shown jsonb NOT NULL,
    applications_shown jsonb NOT NULL,
    driver character varying(10) NOT NULL,
    before double precision NOT NULL,
    after double precision NOT NULL,
    costs numeric(30,12),
    effects jsonb NOT NULL,
    since timestamp with time zone NOT NULL,
    found_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    dismissed_at timestamp with time zone,
    reason text NOT NULL,
    dismissed_by_id integer
);
ALTER TABLE public.costs_anomaly ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_anomaly_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_anomalylook (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    applications integer NOT NULL,
    too_little jsonb NOT NULL,
    new jsonb NOT NULL,
    CONSTRAINT costs_anomalylook_applications_check CHECK ((applications >= 0))
);
ALTER TABLE public.costs_anomalylook ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_anomalylook_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_billimport (
    id bigint NOT NULL,
    file_name character varying(120) NOT NULL,
    sha256 character varying(64) NOT NULL,
    content bytea NOT NULL,
    rows integer NOT NULL,
    amount numeric(20,12) NOT NULL,
    bills jsonb NOT NULL,
    entered_at timestamp with time zone,
    undone_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    by_id integer,
    CONSTRAINT costs_billimport_rows_check CHECK ((rows >= 0))
);
ALTER TABLE public.costs_billimport ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_billimport_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_billstatus (
    id bigint NOT NULL,
    month date NOT NULL,
    state character varying(10) NOT NULL,
    providers jsonb NOT NULL,
    data_version character varying(32) NOT NULL,
    computed_at timestamp with time zone NOT NULL
);
ALTER TABLE public.costs_billstatus ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_billstatus_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_budget (
    id bigint NOT NULL,
    slug character varying(100) NOT NULL,
    name character varying(100) NOT NULL,
    scope character varying(12) NOT NULL,
    provider character varying(40) NOT NULL,
    task character varying(20) NOT NULL,
    low numeric(12,2) NOT NULL,
    high numeric(12,2) NOT NULL,
    starts_on date NOT NULL,
    ends_on date,
    carries boolean NOT NULL,
    application_id bigint,
    owner_id integer,
    CONSTRAINT budget_has_the_subject_of_its_scope CHECK ((((application_id IS NULL) AND (owner_id IS NULL) AND ((provider)::text = ''::text) AND ((scope)::text = 'everything'::text) AND ((task)::text = ''::text)) OR ((application_id IS NULL) AND (owner_id IS NULL) AND ((scope)::text = 'provider'::text) AND ((task)::text = ''::text) AND (NOT ((provider)::text = ''::text))) OR ((owner_id IS NULL) AND ((provider)::text = ''::text) AND ((scope)::text = 'application'::text) AND ((task)::text = ''::text) AND (NOT (application_id IS NULL))) OR ((application_id IS NULL) AND ((provider)::text = ''::text) AND ((scope)::text = 'owner'::text) AND ((task)::text = ''::text) AND (NOT (owner_id IS NULL))) OR ((application_id IS NULL) AND (owner_id IS NULL) AND ((provider)::text = ''::text) AND ((scope)::text = 'task'::text) AND (NOT ((task)::text = ''::text)))))
);
ALTER TABLE public.costs_budget ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_budget_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_charge (
    id bigint NOT NULL,
    key character varying(400) NOT NULL,
    provider character varying(40) NOT NULL,
    day date NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    category character varying(20) NOT NULL,
    provenance character varying(10) NOT NULL,
    amount numeric(20,12) NOT NULL,
    original_amount numeric(24,12) NOT NULL,
    currency character varying(3) NOT NULL,
    rate numeric(20,10),
    rate_source character varying(200) NOT NULL,
    model character varying(200) NOT NULL,
    token_class character varying(20) NOT NULL,
    resource character varying(200) NOT NULL,
    task character varying(20) NOT NULL,
    description text NOT NULL,
    invoice_month character varying(7) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    account_id bigint,
    application_id bigint,
    bill_import_id bigint,
    corrects_id bigint,
    entered_by_id integer,
    lease_id bigint,
    closing_id bigint,
    receipt_id bigint,
    recurrence_id bigint
);
ALTER TABLE public.costs_charge ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_charge_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_closing (
    id bigint NOT NULL,
    provider character varying(40) NOT NULL,
    month date NOT NULL,
    number character varying(80) NOT NULL,
    amount numeric(30,12) NOT NULL,
    original_amount numeric(24,12) NOT NULL,
    currency character varying(3) NOT NULL,
    lines numeric(30,12) NOT NULL,
    places jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    account_id bigint,
    closed_by_id integer,
    receipt_id bigint
);
ALTER TABLE public.costs_closing ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_closing_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_decision (
    id bigint NOT NULL,
    number integer NOT NULL,
    signed_at timestamp with time zone NOT NULL,
    signed_by character varying(150) NOT NULL,
    signed_name character varying(310) NOT NULL,
    choice character varying(10) NOT NULL,
    statement text NOT NULL,
    figures text NOT NULL,
    previous character varying(64) NOT NULL,
    digest character varying(64) NOT NULL,
    CONSTRAINT costs_decision_number_check CHECK ((number >= 0))
);
ALTER TABLE public.costs_decision ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_decision_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_effort (
    id bigint NOT NULL,
    day date NOT NULL,
    hours numeric(5,2) NOT NULL,
    what character varying(300) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    withdrawn_at timestamp with time zone,
    by_id integer
);
ALTER TABLE public.costs_effort ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_effort_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_exchangerate (
    id bigint NOT NULL,
    currency character varying(3) NOT NULL,
    day date NOT NULL,
    usd numeric(20,10) NOT NULL,
    source character varying(200) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    entered_by_id integer
);
ALTER TABLE public.costs_exchangerate ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_exchangerate_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_exporttarget (
    id bigint NOT NULL,
    name character varying(80) NOT NULL,
    kind character varying(6) NOT NULL,
    every character varying(5) NOT NULL,
    format character varying(7) NOT NULL,
    since date NOT NULL,
    folder character varying(200) NOT NULL,
    endpoint character varying(200) NOT NULL,
    region character varying(40) NOT NULL,
    bucket character varying(63) NOT NULL,
    prefix character varying(200) NOT NULL,
    access_key character varying(200) NOT NULL,
    secret text NOT NULL,
    local boolean NOT NULL,
    enabled boolean NOT NULL,
    deleted_at timestamp with time zone,
    written_until date,
    tried_at timestamp with time zone,
    succeeded_at timestamp with time zone,
    files integer NOT NULL,
    error text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    created_by_id integer,
    CONSTRAINT costs_exporttarget_files_check CHECK ((files >= 0))
);
ALTER TABLE public.costs_exporttarget ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_exporttarget_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_finding (
    id bigint NOT NULL,
    key character varying(500) NOT NULL,
    kind character varying(10) NOT NULL,
    provider character varying(40) NOT NULL,
    model character varying(200) NOT NULL,
    task character varying(20) NOT NULL,
    monthly numeric(30,12) NOT NULL,
    behind character varying(500) NOT NULL,
    evidence jsonb NOT NULL,
    since date NOT NULL,
    until date NOT NULL,
    found_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    state character varying(10) NOT NULL,
    reason character varying(500) NOT NULL,
    decided_at timestamp with time zone,
    decided_monthly numeric(30,12),
    before jsonb,
    after jsonb,
    application_id bigint,
    decided_by_id integer,
    lease_id bigint
);
ALTER TABLE public.costs_finding ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_finding_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_forecastlook (
    id bigint NOT NULL,
    day date NOT NULL,
    low numeric(20,2) NOT NULL,
    median numeric(20,2) NOT NULL,
    high numeric(20,2) NOT NULL,
    actual numeric(20,2) NOT NULL
);
ALTER TABLE public.costs_forecastlook ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_forecastlook_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_justification (
    id bigint NOT NULL,
    kind character varying(10) NOT NULL,
    reason text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    withdrawn_at timestamp with time zone,
    by_id integer
);
ALTER TABLE public.costs_justification ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_justification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_keyowner (
    id bigint NOT NULL,
    api_key character varying(200) NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    account_id bigint NOT NULL,
    application_id bigint,
    set_by_id integer
);
ALTER TABLE public.costs_keyowner ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_keyowner_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_nogo (
    id bigint NOT NULL,
    reason text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    withdrawn_at timestamp with time zone,
    by_id integer
);
ALTER TABLE public.costs_nogo ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_nogo_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_opsworkloadlimit (
    id bigint NOT NULL,
    incidents integer,
    hours numeric(6,2),
    pages integer,
    created_at timestamp with time zone NOT NULL,
    by_id integer,
    CONSTRAINT costs_opsworkloadlimit_incidents_check CHECK ((incidents >= 0)),
    CONSTRAINT costs_opsworkloadlimit_pages_check CHECK ((pages >= 0))
);
ALTER TABLE public.costs_opsworkloadlimit ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_opsworkloadlimit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_pageday (
    day date NOT NULL,
    pages integer NOT NULL,
    CONSTRAINT costs_pageday_pages_check CHECK ((pages >= 0))
);
CREATE TABLE public.costs_phase (
    id bigint NOT NULL,
    slug character varying(50) NOT NULL,
    name character varying(100) NOT NULL,
    shape text NOT NULL,
    budget_low numeric(12,2) NOT NULL,
    budget_high numeric(12,2) NOT NULL,
    volume_from bigint NOT NULL,
    volume_to bigint,
    starts_on date,
    ends_on date,
    carries boolean NOT NULL,
    CONSTRAINT costs_phase_volume_from_check CHECK ((volume_from >= 0)),
    CONSTRAINT costs_phase_volume_to_check CHECK ((volume_to >= 0))
);
ALTER TABLE public.costs_phase ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_phase_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_posting (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    complete jsonb NOT NULL
);
ALTER TABLE public.costs_posting ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_posting_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_pricesheet (
    id bigint NOT NULL,
    slug character varying(50) NOT NULL,
    title character varying(200) NOT NULL,
    dated date NOT NULL,
    source text NOT NULL,
    figures jsonb NOT NULL
);
ALTER TABLE public.costs_pricesheet ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_pricesheet_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_receipt (
    id bigint NOT NULL,
    name character varying(120) NOT NULL,
    content_type character varying(60) NOT NULL,
    content bytea NOT NULL,
    size integer NOT NULL,
    sha256 character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    uploaded_by_id integer,
    CONSTRAINT costs_receipt_size_check CHECK ((size >= 0))
);
ALTER TABLE public.costs_receipt ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_receipt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_recurrence (
    id bigint NOT NULL,
    every character varying(5) NOT NULL,
    starts_on date NOT NULL,
    until date,
    counts_from date NOT NULL,
    skipped jsonb NOT NULL,
    stopped_at timestamp with time zone,
    category character varying(20) NOT NULL,
    provider character varying(40) NOT NULL,
    original_amount numeric(24,12) NOT NULL,
    currency character varying(3) NOT NULL,
    description text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    application_id bigint,
    entered_by_id integer,
    receipt_id bigint
);
ALTER TABLE public.costs_recurrence ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_recurrence_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_search (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    unjudged jsonb NOT NULL
);
ALTER TABLE public.costs_search ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_search_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_sharing (
    id bigint NOT NULL,
    starts_on date NOT NULL,
    by character varying(6) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    set_by_id integer
);
ALTER TABLE public.costs_sharing ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_sharing_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_stage (
    id bigint NOT NULL,
    slug character varying(50) NOT NULL,
    name character varying(100) NOT NULL,
    starts_on date NOT NULL,
    ends_on date NOT NULL,
    budget numeric(12,2) NOT NULL
);
ALTER TABLE public.costs_stage ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_stage_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_taskmodel (
    id bigint NOT NULL,
    task character varying(12) NOT NULL,
    provider character varying(40) NOT NULL,
    model character varying(200) NOT NULL,
    chosen_at timestamp with time zone NOT NULL,
    by_id integer
);
ALTER TABLE public.costs_taskmodel ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_taskmodel_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_tolerance (
    id bigint NOT NULL,
    provider character varying(40) NOT NULL,
    share numeric(6,5) NOT NULL,
    amount numeric(12,2) NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    set_by_id integer
);
ALTER TABLE public.costs_tolerance ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_tolerance_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.costs_whatif (
    id bigint NOT NULL,
    name character varying(100) NOT NULL,
    query character varying(2000) NOT NULL,
    note character varying(500) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone,
    by_id integer
);
ALTER TABLE public.costs_whatif ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.costs_whatif_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.dashboard_attempts (
    bucket character varying(48) NOT NULL,
    failures integer NOT NULL,
    last_at timestamp with time zone NOT NULL,
    CONSTRAINT dashboard_attempts_failures_check CHECK ((failures >= 0))
);
CREATE TABLE public.dashboard_givenpermission (
    id bigint NOT NULL,
    role character varying(150) NOT NULL,
    permission character varying(150) NOT NULL
);
ALTER TABLE public.dashboard_givenpermission ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.dashboard_givenpermission_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.dashboard_session (
    session_key character varying(40) NOT NULL,
    session_data text NOT NULL,
    expire_date timestamp with time zone NOT NULL,
    user_id bigint,
    address character varying(45) NOT NULL,
    agent character varying(200) NOT NULL,
    began_at timestamp with time zone,
    seen_at timestamp with time zone
);
CREATE TABLE public.django_content_type (
    id integer NOT NULL,
    app_label character varying(100) NOT NULL,
    model character varying(100) NOT NULL
);
ALTER TABLE public.django_content_type ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_content_type_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_migrations (
    id bigint NOT NULL,
    app character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    applied timestamp with time zone NOT NULL
);
ALTER TABLE public.django_migrations ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_migrations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_account (
    id bigint NOT NULL,
    slug character varying(50) NOT NULL,
    name character varying(100) NOT NULL,
    kind character varying(30) NOT NULL,
    base_url character varying(200) NOT NULL,
    local boolean NOT NULL,
    secret text NOT NULL,
    settings jsonb NOT NULL,
    enabled boolean NOT NULL,
    disabled_reason text NOT NULL,
    may_stop boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    identity character varying(200)[] NOT NULL,
    new_identity character varying(200)[] NOT NULL,
    unverified jsonb NOT NULL
);
ALTER TABLE public.providers_account ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_auditentry (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    actor_kind character varying(8) NOT NULL,
    actor_id bigint,
    actor character varying(200) NOT NULL,
    address character varying(45) NOT NULL,
    action character varying(20) NOT NULL,
    object_type character varying(100) NOT NULL,
    object_id character varying(100) NOT NULL,
    object_name character varying(200) NOT NULL,
    message text NOT NULL,
    changes jsonb NOT NULL,
    count integer NOT NULL,
    key integer NOT NULL,
    mac bytea NOT NULL,
    CONSTRAINT providers_auditentry_count_check CHECK ((count >= 0)),
    CONSTRAINT providers_auditentry_key_check CHECK ((key >= 0))
);
ALTER TABLE public.providers_auditentry ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_auditentry_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_auditkey (
    id bigint NOT NULL,
    secret text NOT NULL,
    created_at timestamp with time zone NOT NULL
);
ALTER TABLE public.providers_auditkey ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_auditkey_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_auditseal (
    number bigint NOT NULL,
    entry bigint NOT NULL,
    key integer NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT providers_auditseal_key_check CHECK ((key >= 0))
);
CREATE TABLE public.providers_balance (
    id bigint NOT NULL,
    amount numeric(20,12) NOT NULL,
    spend_per_hour numeric(20,12),
    at timestamp with time zone NOT NULL,
    account_id bigint NOT NULL
);
ALTER TABLE public.providers_balance ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_balance_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_check (
    at timestamp with time zone NOT NULL,
    deployment_id bigint NOT NULL,
    latency_ms double precision,
    ttft_ms double precision,
    day date NOT NULL,
    ok boolean NOT NULL,
    step text NOT NULL,
    cause text DEFAULT ''::text NOT NULL
)
PARTITION BY RANGE (day);
CREATE TABLE public.providers_checkhour (
    id bigint NOT NULL,
    hour timestamp with time zone NOT NULL,
    checks integer NOT NULL,
    failed integer NOT NULL,
    observed_s double precision NOT NULL,
    latency_sum_ms double precision NOT NULL,
    maintenance_s double precision DEFAULT 0.0 NOT NULL,
    maintenance_down_s double precision DEFAULT 0.0 NOT NULL,
    deployment_id bigint NOT NULL,
    CONSTRAINT providers_checkhour_checks_check CHECK ((checks >= 0)),
    CONSTRAINT providers_checkhour_failed_check CHECK ((failed >= 0))
);
ALTER TABLE public.providers_checkhour ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_checkhour_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_deployment (
    id bigint NOT NULL,
    slug character varying(80) NOT NULL,
    name character varying(100) NOT NULL,
    provider character varying(40) NOT NULL,
    engine character varying(30) NOT NULL,
    url character varying(200) NOT NULL,
    local boolean NOT NULL,
    model character varying(200) NOT NULL,
    api_key text NOT NULL,
    context_tokens integer,
    tokens_per_second double precision,
    enabled boolean NOT NULL,
    checked boolean NOT NULL,
    check_every_s integer NOT NULL,
    timeout_s double precision NOT NULL,
    failures_to_confirm smallint NOT NULL,
    successes_to_recover smallint NOT NULL,
    probe_completion boolean NOT NULL,
    state character varying(12) NOT NULL,
    state_since timestamp with time zone,
    streak_ok boolean NOT NULL,
    streak integer NOT NULL,
    streak_since timestamp with time zone,
    check_due_at timestamp with time zone,
    check_claimed_until timestamp with time zone,
    last_check_at timestamp with time zone,
    last_latency_ms double precision,
    last_cause text NOT NULL,
    tls_expires_at timestamp with time zone,
    served_model character varying(200) DEFAULT ''::character varying NOT NULL,
    lease_id bigint,
    engine_slots integer,
    max_concurrency integer,
    vendor_limits jsonb DEFAULT '{}'::jsonb NOT NULL,
    vendor_limits_at timestamp with time zone,
    takes_media boolean,
    connect_timeout_s double precision,
    cooling_until timestamp with time zone,
    first_byte_timeout_s double precision,
    idle_timeout_s double precision,
    total_timeout_s double precision,
    CONSTRAINT providers_deployment_check_every_s_check CHECK ((check_every_s >= 0)),
    CONSTRAINT providers_deployment_context_tokens_check CHECK ((context_tokens >= 0)),
    CONSTRAINT providers_deployment_engine_slots_check CHECK ((engine_slots >= 0)),
    CONSTRAINT providers_deployment_failures_to_confirm_check CHECK ((failures_to_confirm >= 0)),
    CONSTRAINT providers_deployment_max_concurrency_check CHECK ((max_concurrency >= 0)),
    CONSTRAINT providers_deployment_streak_check CHECK ((streak >= 0)),
    CONSTRAINT providers_deployment_successes_to_recover_check CHECK ((successes_to_recover >= 0))
);
ALTER TABLE public.providers_deployment ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_deployment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_discount (
    id bigint NOT NULL,
    model character varying(200) NOT NULL,
    starts_on date NOT NULL,
    ends_on date,
    percent numeric(7,4),
    uncached_input numeric(20,12),
    cache_read numeric(20,12),
    cache_write_5m numeric(20,12),
    cache_write_1h numeric(20,12),
    output numeric(20,12),
    source character varying(200) NOT NULL,
    entered_at timestamp with time zone NOT NULL,
    withdrawn_at timestamp with time zone,
    account_id bigint NOT NULL,
    entered_by_id integer
);
ALTER TABLE public.providers_discount ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_discount_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_enginebucket (
    resolution integer NOT NULL,
    start timestamp with time zone NOT NULL,
    samples integer NOT NULL,
    busy integer NOT NULL,
    restarts integer NOT NULL,
    counted_s double precision NOT NULL,
    running_n integer NOT NULL,
    running_sum double precision,
    running_min double precision,
    running_max double precision,
    waiting_n integer NOT NULL,
    waiting_sum double precision,
    waiting_min double precision,
    waiting_max double precision,
    kv_cache_n integer NOT NULL,
    kv_cache_sum double precision,
    kv_cache_min double precision,
    kv_cache_max double precision,
    prompt_tokens double precision,
    cached_tokens double precision,
    output_tokens double precision,
    requests double precision,
    failed double precision,
    preemptions double precision,
    ttft jsonb NOT NULL,
    deployment_id bigint NOT NULL
);
CREATE TABLE public.providers_enginereading (
    deployment_id bigint NOT NULL,
    at timestamp with time zone,
    sample jsonb,
    tried_at timestamp with time zone NOT NULL,
    cause text NOT NULL
);
CREATE TABLE public.providers_feed (
    id bigint NOT NULL,
    kind character varying(20) NOT NULL,
    every_s integer NOT NULL,
    due_at timestamp with time zone NOT NULL,
    claimed_until timestamp with time zone,
    last_started_at timestamp with time zone,
    last_success_at timestamp with time zone,
    last_error text NOT NULL,
    last_error_at timestamp with time zone,
    failures integer NOT NULL,
    failing_since timestamp with time zone,
    capped_until timestamp with time zone,
    disabled_reason text NOT NULL,
    rows integer NOT NULL,
    complete_until timestamp with time zone,
    account_id bigint NOT NULL,
    refused jsonb NOT NULL,
    CONSTRAINT providers_feed_every_s_check CHECK ((every_s >= 0)),
    CONSTRAINT providers_feed_failures_check CHECK ((failures >= 0)),
    CONSTRAINT providers_feed_rows_check CHECK ((rows >= 0))
);
ALTER TABLE public.providers_feed ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_feed_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_heartbeat (
    id bigint NOT NULL,
    deleted_at timestamp with time zone,
    slug character varying(80) NOT NULL,
    name character varying(100) NOT NULL,
    ping_id uuid NOT NULL,
    schedule character varying(6) NOT NULL,
    period_s integer NOT NULL,
    cron character varying(100) NOT NULL,
    time_zone character varying(50) NOT NULL,
    grace_s integer NOT NULL,
    state character varying(4) NOT NULL,
    state_since timestamp with time zone,
    paused boolean NOT NULL,
    last_ping_at timestamp with time zone,
    last_signal character varying(7) NOT NULL,
    running_since timestamp with time zone,
    last_run_s double precision,
    due_at timestamp with time zone,
    watched_since timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT providers_heartbeat_grace_s_check CHECK ((grace_s >= 0)),
    CONSTRAINT providers_heartbeat_period_s_check CHECK ((period_s >= 0))
);
ALTER TABLE public.providers_heartbeat ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_heartbeat_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_heartbeatping (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    signal character varying(7) NOT NULL,
    method character varying(4) NOT NULL,
    agent character varying(200) NOT NULL,
    message character varying(1000) NOT NULL,
    run_s double precision,
    heartbeat_id bigint NOT NULL
);
ALTER TABLE public.providers_heartbeatping ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_heartbeatping_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_heartbeatspan (
    id bigint NOT NULL,
    kind character varying(6) NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    cause text NOT NULL,
    heartbeat_id bigint NOT NULL
);
ALTER TABLE public.providers_heartbeatspan ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_heartbeatspan_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_lease (
    id bigint NOT NULL,
    external_id character varying(200) NOT NULL,
    name character varying(200) NOT NULL,
    gpu character varying(100) NOT NULL,
    gpu_count integer NOT NULL,
    memory_gb numeric(8,2),
    kind character varying(20) NOT NULL,
    region character varying(100) NOT NULL,
    price_per_hour numeric(20,12) NOT NULL,
    disk_per_hour numeric(20,12),
    worker_per_hour numeric(20,12),
    state character varying(10) NOT NULL,
    raw_state character varying(40) NOT NULL,
    handle character varying(300) NOT NULL,
    idle_minutes integer,
    utilisation double precision,
    used_at timestamp with time zone,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    seen_at timestamp with time zone NOT NULL,
    account_id bigint NOT NULL,
    origin character varying(240) NOT NULL,
    stop_requested_at timestamp with time zone,
    CONSTRAINT providers_lease_gpu_count_check CHECK ((gpu_count >= 0)),
    CONSTRAINT providers_lease_idle_minutes_check CHECK ((idle_minutes >= 0))
);
ALTER TABLE public.providers_lease ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_lease_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_leasespan (
    id bigint NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    state character varying(10) NOT NULL,
    price_per_hour numeric(20,12) NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    lease_id bigint NOT NULL
);
ALTER TABLE public.providers_leasespan ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_leasespan_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_maintenance (
    id bigint NOT NULL,
    repeats character varying(5) NOT NULL,
    zone character varying(60) NOT NULL,
    repeats_until timestamp with time zone,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    reason character varying(200) NOT NULL,
    deployment_id bigint NOT NULL
);
ALTER TABLE public.providers_maintenance ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_maintenance_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_model (
    id bigint NOT NULL,
    provider character varying(40) NOT NULL,
    name character varying(200) NOT NULL,
    context_tokens integer,
    retires_on date,
    aliases character varying(200)[] NOT NULL,
    CONSTRAINT providers_model_context_tokens_check CHECK ((context_tokens >= 0))
);
ALTER TABLE public.providers_model ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_model_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_offer (
    id bigint NOT NULL,
    provider character varying(40) NOT NULL,
    external_id character varying(200) NOT NULL,
    kind character varying(20) NOT NULL,
    region character varying(100) NOT NULL,
    gpu character varying(100) NOT NULL,
    gpu_count integer NOT NULL,
    memory_gb numeric(8,2),
    price_per_gpu_hour numeric(20,12) NOT NULL,
    reliability double precision,
    machine_per_gpu_hour numeric(20,12),
    whole_per_gpu_hour numeric(20,12) GENERATED ALWAYS AS ((price_per_gpu_hour + COALESCE(machine_per_gpu_hour, (0)::numeric))) STORED,
    disk_per_gb_month numeric(20,12),
    available boolean NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    CONSTRAINT providers_offer_gpu_count_check CHECK ((gpu_count >= 0))
);
ALTER TABLE public.providers_offer ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_offer_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_offerday (
    id bigint NOT NULL,
    provider character varying(40) NOT NULL,
    gpu character varying(100) NOT NULL,
    kind character varying(20) NOT NULL,
    day date NOT NULL,
    low numeric(20,12) NOT NULL,
    median numeric(20,12) NOT NULL,
    high numeric(20,12) NOT NULL,
    offers integer NOT NULL,
    estimated boolean NOT NULL,
    CONSTRAINT providers_offerday_offers_check CHECK ((offers >= 0))
);
ALTER TABLE public.providers_offerday ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_offerday_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_offerwatch (
    id bigint NOT NULL,
    deleted_at timestamp with time zone,
    gpu character varying(100) NOT NULL,
    kind character varying(20) NOT NULL,
    provider character varying(40) NOT NULL,
    region character varying(100) NOT NULL,
    min_reliability double precision,
    price numeric(20,12) NOT NULL,
    created_at timestamp with time zone NOT NULL
);
ALTER TABLE public.providers_offerwatch ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_offerwatch_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_outage (
    id bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    confirmed_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    cause text NOT NULL,
    requests_failed integer,
    requests_rerouted integer,
    counted_at timestamp with time zone,
    note text DEFAULT ''::text NOT NULL,
    public_note character varying(500) DEFAULT ''::character varying NOT NULL,
    post_mortem text DEFAULT ''::text NOT NULL,
    deployment_id bigint NOT NULL,
    CONSTRAINT providers_outage_requests_failed_check CHECK ((requests_failed >= 0)),
    CONSTRAINT providers_outage_requests_rerouted_check CHECK ((requests_rerouted >= 0))
);
ALTER TABLE public.providers_outage ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_outage_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_removedaccount (
    id bigint NOT NULL,
    slug character varying(50) NOT NULL,
    name character varying(100) NOT NULL,
    kind character varying(30) NOT NULL,
    removed_at timestamp with time zone NOT NULL,
    content bytea NOT NULL
);
ALTER TABLE public.providers_removedaccount ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_removedaccount_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_statuspage (
    id bigint NOT NULL,
    deleted_at timestamp with time zone,
    slug character varying(80) NOT NULL,
    title character varying(100) NOT NULL,
    intro character varying(500) NOT NULL,
    access character varying(8) NOT NULL,
    token character varying(40) NOT NULL,
    changed_at timestamp with time zone NOT NULL
);
CREATE TABLE public.providers_statuspage_deployments (
    id bigint NOT NULL,
    statuspage_id bigint NOT NULL,
    deployment_id bigint NOT NULL
);
ALTER TABLE public.providers_statuspage_deployments ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_statuspage_deployments_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_statuspage_heartbeats (
    id bigint NOT NULL,
    statuspage_id bigint NOT NULL,
    heartbeat_id bigint NOT NULL
);
ALTER TABLE public.providers_statuspage_heartbeats ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_statuspage_heartbeats_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.providers_statuspage ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_statuspage_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_throughput (
    id bigint NOT NULL,
    model character varying(200) NOT NULL,
    name character varying(200) NOT NULL,
    gpu character varying(100) NOT NULL,
    gpu_count integer NOT NULL,
    engine character varying(40) NOT NULL,
    low double precision NOT NULL,
    high double precision NOT NULL,
    basis character varying(13) NOT NULL,
    source character varying(300) NOT NULL,
    source_url character varying(300) NOT NULL,
    CONSTRAINT providers_throughput_gpu_count_check CHECK ((gpu_count >= 0))
);
ALTER TABLE public.providers_throughput ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_throughput_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_tokenprice (
    id bigint NOT NULL,
    provider character varying(40) NOT NULL,
    model character varying(200) NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    uncached_input numeric(20,12) NOT NULL,
    cache_read numeric(20,12),
    cache_write_5m numeric(20,12),
    cache_write_1h numeric(20,12),
    output numeric(20,12) NOT NULL,
    over_tokens integer,
    over_uncached_input numeric(20,12),
    over_cache_read numeric(20,12),
    over_cache_write_5m numeric(20,12),
    over_cache_write_1h numeric(20,12),
    over_output numeric(20,12),
    batch_factor numeric(6,4),
    source character varying(200) NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    entered_by_id integer,
    CONSTRAINT providers_tokenprice_over_tokens_check CHECK ((over_tokens >= 0))
);
ALTER TABLE public.providers_tokenprice ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_tokenprice_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_unitprice (
    id bigint NOT NULL,
    provider character varying(40) NOT NULL,
    kind character varying(20) NOT NULL,
    name character varying(200) NOT NULL,
    variant character varying(200) NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    amount numeric(20,12) NOT NULL,
    source character varying(200) NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    entered_by_id integer
);
ALTER TABLE public.providers_unitprice ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_unitprice_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_vendorcost (
    id bigint NOT NULL,
    external_id character varying(300) NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    category character varying(20) NOT NULL,
    amount numeric(20,12) NOT NULL,
    list_amount numeric(20,12),
    original_amount numeric(24,12) NOT NULL,
    currency character varying(3) NOT NULL,
    model character varying(200) NOT NULL,
    token_class character varying(20) NOT NULL,
    resource character varying(200) NOT NULL,
    description text NOT NULL,
    invoice_month character varying(7) NOT NULL,
    workspace character varying(200) NOT NULL,
    service_tier character varying(40) NOT NULL,
    import_id bigint,
    updated_at timestamp with time zone NOT NULL,
    account_id bigint NOT NULL,
    origin character varying(240) NOT NULL
);
ALTER TABLE public.providers_vendorcost ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_vendorcost_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_vendorname (
    id bigint NOT NULL,
    kind character varying(20) NOT NULL,
    external_id character varying(200) NOT NULL,
    name character varying(200) NOT NULL,
    parent character varying(200) NOT NULL,
    state character varying(40) NOT NULL,
    hint character varying(60) NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    account_id bigint NOT NULL
);
ALTER TABLE public.providers_vendorname ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_vendorname_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_vendorpayment (
    id bigint NOT NULL,
    external_id character varying(200) NOT NULL,
    at timestamp with time zone NOT NULL,
    amount numeric(20,12) NOT NULL,
    kind character varying(100) NOT NULL,
    account_id bigint NOT NULL
);
ALTER TABLE public.providers_vendorpayment ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_vendorpayment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.providers_vendorusage (
    id bigint NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    model character varying(200) NOT NULL,
    workspace character varying(200) NOT NULL,
    api_key character varying(200) NOT NULL,
    service_tier character varying(40) NOT NULL,
    requests bigint,
    uncached_input bigint NOT NULL,
    cache_read bigint NOT NULL,
    cache_write_5m bigint NOT NULL,
    cache_write_1h bigint NOT NULL,
    output bigint NOT NULL,
    web_searches bigint NOT NULL,
    import_id bigint,
    updated_at timestamp with time zone NOT NULL,
    account_id bigint NOT NULL,
    origin character varying(240) NOT NULL
);
ALTER TABLE public.providers_vendorusage ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.providers_vendorusage_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_abstention (
    id bigint NOT NULL,
    day date NOT NULL,
    request_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    rater_id integer NOT NULL,
    reason character varying(200) NOT NULL
);
ALTER TABLE public.traffic_abstention ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_abstention_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_admittedname (
    day date NOT NULL,
    kind text NOT NULL,
    application_id bigint NOT NULL,
    digest uuid NOT NULL
);
CREATE TABLE public.traffic_answerset (
    id bigint NOT NULL,
    name character varying(100) NOT NULL,
    version integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    rejected integer NOT NULL,
    rejected_lines jsonb NOT NULL,
    by_id integer,
    CONSTRAINT traffic_answerset_rejected_check CHECK ((rejected >= 0)),
    CONSTRAINT traffic_answerset_version_check CHECK ((version >= 0))
);
ALTER TABLE public.traffic_answerset ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_answerset_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_application (
    id bigint NOT NULL,
    slug character varying(80) NOT NULL,
    name character varying(100) NOT NULL,
    capture_bodies boolean NOT NULL,
    redact character varying(10)[] NOT NULL,
    redact_patterns character varying(200)[] NOT NULL,
    budget_state character varying(10) NOT NULL,
    daily_requests bigint,
    daily_gb integer,
    created_at timestamp with time zone NOT NULL,
    owner_id integer,
    test_only boolean DEFAULT false NOT NULL,
    model_aliases jsonb NOT NULL,
    cache_minutes integer,
    cache_varied boolean DEFAULT false NOT NULL,
    guess_task boolean DEFAULT false NOT NULL,
    made_for character varying(10) DEFAULT ''::character varying NOT NULL,
    CONSTRAINT traffic_application_cache_minutes_check CHECK ((cache_minutes >= 0)),
    CONSTRAINT traffic_application_daily_gb_check CHECK ((daily_gb >= 0)),
    CONSTRAINT traffic_application_daily_requests_check CHECK ((daily_requests >= 0))
);
ALTER TABLE public.traffic_application ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_application_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_application_members (
    id bigint NOT NULL,
    application_id bigint NOT NULL,
    user_id integer NOT NULL
);
ALTER TABLE public.traffic_application_members ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_application_members_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_cachesaving (
    id bigint NOT NULL,
    day date NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    hits bigint NOT NULL,
    unpriced bigint NOT NULL,
    tokens bigint NOT NULL,
    cost numeric(30,12) NOT NULL,
    application_id bigint NOT NULL
);
ALTER TABLE public.traffic_cachesaving ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_cachesaving_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_cap (
    id bigint NOT NULL,
    each_user boolean NOT NULL,
    unit character varying(10) NOT NULL,
    period character varying(10) NOT NULL,
    amount numeric(20,6) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    application_id bigint,
    key_id bigint,
    task character varying(20) DEFAULT ''::character varying NOT NULL,
    CONSTRAINT cap_of_a_key_or_an_application CHECK ((((application_id IS NOT NULL) AND (key_id IS NULL)) OR ((application_id IS NULL) AND (key_id IS NOT NULL))))
);
ALTER TABLE public.traffic_cap ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_cap_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_capuse (
    id bigint NOT NULL,
    user_hash uuid NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    amount bigint NOT NULL,
    cap_id bigint NOT NULL
);
ALTER TABLE public.traffic_capuse ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_capuse_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_deadkeyuse (
    id bigint NOT NULL,
    address character varying(45) NOT NULL,
    count integer NOT NULL,
    key_id bigint NOT NULL,
    CONSTRAINT traffic_deadkeyuse_count_check CHECK ((count >= 0))
);
ALTER TABLE public.traffic_deadkeyuse ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_deadkeyuse_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_erasure (
    id bigint NOT NULL,
    kind character varying(12) NOT NULL,
    name character varying(100) NOT NULL,
    application_id bigint,
    user_hash uuid,
    mark uuid,
    expected bigint NOT NULL,
    erased bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    by_id integer
);
ALTER TABLE public.traffic_erasure ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_erasure_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_error_day (
    day date NOT NULL,
    application_id bigint NOT NULL,
    deployment_id bigint NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    task text NOT NULL,
    kind text NOT NULL,
    n bigint NOT NULL
)
WITH (fillfactor='80');
CREATE TABLE public.traffic_error_hour (
    hour timestamp with time zone NOT NULL,
    application_id bigint NOT NULL,
    deployment_id bigint NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    task text NOT NULL,
    kind text NOT NULL,
    n bigint NOT NULL
)
WITH (fillfactor='80');
CREATE TABLE public.traffic_fallback (
    id bigint NOT NULL,
    "order" smallint NOT NULL,
    deployment_id bigint NOT NULL,
    route_id bigint NOT NULL,
    weight smallint,
    CONSTRAINT traffic_fallback_order_check CHECK (("order" >= 0)),
    CONSTRAINT traffic_fallback_weight_check CHECK ((weight >= 0))
);
ALTER TABLE public.traffic_fallback ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_fallback_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_feedbacklink (
    id bigint NOT NULL,
    day date NOT NULL,
    request_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    application_id bigint
);
ALTER TABLE public.traffic_feedbacklink ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_feedbacklink_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_heldobject (
    id bigint NOT NULL,
    vendor_id character varying(200) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    application_id bigint,
    deployment_id bigint NOT NULL,
    is_answer boolean DEFAULT false NOT NULL
);
ALTER TABLE public.traffic_heldobject ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_heldobject_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_import (
    id bigint NOT NULL,
    file_name character varying(200) NOT NULL,
    size bigint NOT NULL,
    sha256 character varying(64) NOT NULL,
    format character varying(30) NOT NULL,
    options jsonb NOT NULL,
    state character varying(10) NOT NULL,
    "offset" bigint NOT NULL,
    line bigint NOT NULL,
    "position" jsonb NOT NULL,
    accepted bigint NOT NULL,
    duplicates bigint NOT NULL,
    rejected bigint NOT NULL,
    skipped bigint NOT NULL,
    removed bigint NOT NULL,
    first_day date,
    last_day date,
    problem text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    claimed_until timestamp with time zone,
    by_id integer
);
ALTER TABLE public.traffic_import ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_import_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_installation (
    id bigint NOT NULL,
    salt bytea NOT NULL,
    request_days integer,
    body_days integer,
    history_until timestamp with time zone,
    checklist_hidden_at timestamp with time zone,
    cap_gap_at timestamp with time zone,
    cap_gap_calls bigint DEFAULT 0 NOT NULL,
    cap_gap_since timestamp with time zone,
    cap_zone character varying(50) DEFAULT 'UTC'::character varying NOT NULL,
    caps_refuse boolean DEFAULT false NOT NULL,
    CONSTRAINT traffic_installation_body_days_check CHECK ((body_days >= 0)),
    CONSTRAINT traffic_installation_cap_gap_calls_check CHECK ((cap_gap_calls >= 0)),
    CONSTRAINT traffic_installation_request_days_check CHECK ((request_days >= 0))
);
ALTER TABLE public.traffic_installation ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_installation_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_judge (
    id bigint NOT NULL,
    task character varying(20) NOT NULL,
    percent smallint NOT NULL,
    rubric text NOT NULL,
    cap_usd numeric(20,12) NOT NULL,
    least_alpha double precision NOT NULL,
    enabled boolean NOT NULL,
    deployment_id bigint NOT NULL,
    CONSTRAINT traffic_judge_percent_check CHECK ((percent >= 0))
);
ALTER TABLE public.traffic_judge ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_judge_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_judgescore (
    id bigint NOT NULL,
    day date NOT NULL,
    request_id uuid NOT NULL,
    state character varying(10) NOT NULL,
    charged numeric(20,12) NOT NULL,
    stars smallint,
    reason text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    judge_id bigint NOT NULL,
    CONSTRAINT traffic_judgescore_stars_check CHECK ((stars >= 0))
);
ALTER TABLE public.traffic_judgescore ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_judgescore_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_key (
    id bigint NOT NULL,
    name character varying(100) NOT NULL,
    hint character varying(12) NOT NULL,
    hash bytea NOT NULL,
    scopes character varying(10)[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    per_minute integer,
    quota numeric(20,2),
    quota_unit character varying(10) NOT NULL,
    quota_period character varying(10) NOT NULL,
    application_id bigint,
    created_by_id integer,
    first_id bigint,
    replaces_id bigint,
    is_playground boolean DEFAULT false NOT NULL,
    CONSTRAINT traffic_key_per_minute_check CHECK ((per_minute >= 0))
);
ALTER TABLE public.traffic_key ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_key_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_keyuse (
    id bigint NOT NULL,
    day date NOT NULL,
    requests bigint NOT NULL,
    tokens bigint NOT NULL,
    cost numeric(30,12) NOT NULL,
    estimated_tokens bigint DEFAULT 0 NOT NULL,
    estimated_cost numeric(30,12) DEFAULT 0 NOT NULL,
    stored_bytes bigint DEFAULT 0 NOT NULL,
    key_id bigint NOT NULL
);
ALTER TABLE public.traffic_keyuse ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_keyuse_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_latency_day (
    day date NOT NULL,
    application_id bigint NOT NULL,
    deployment_id bigint NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    task text NOT NULL,
    metric smallint NOT NULL,
    bucket smallint NOT NULL,
    n bigint NOT NULL
)
WITH (fillfactor='80');
CREATE TABLE public.traffic_latency_hour (
    hour timestamp with time zone NOT NULL,
    application_id bigint NOT NULL,
    deployment_id bigint NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    task text NOT NULL,
    metric smallint NOT NULL,
    bucket smallint NOT NULL,
    n bigint NOT NULL
)
WITH (fillfactor='80');
CREATE TABLE public.traffic_pair (
    id bigint NOT NULL,
    candidate_request uuid NOT NULL,
    baseline_request uuid NOT NULL,
    task text NOT NULL,
    trial_id bigint,
    created_at timestamp with time zone NOT NULL,
    gold character varying(10) NOT NULL,
    outcome character varying(10) NOT NULL,
    votes smallint NOT NULL,
    disputed boolean NOT NULL,
    answers_deleted boolean NOT NULL,
    application_id bigint,
    baseline_id bigint NOT NULL,
    candidate_id bigint NOT NULL,
    prompt_application_id bigint,
    prompt_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    CONSTRAINT pair_of_two_deployments CHECK ((NOT (candidate_id = baseline_id))),
    CONSTRAINT traffic_pair_votes_check CHECK ((votes >= 0))
);
ALTER TABLE public.traffic_pair ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_pair_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_pairassignment (
    id bigint NOT NULL,
    rater_kind character varying(12) NOT NULL,
    by character varying(200) NOT NULL,
    reserved_until timestamp with time zone,
    skipped_at timestamp with time zone,
    reason character varying(200) NOT NULL,
    pair_id bigint NOT NULL,
    rater_id integer
);
ALTER TABLE public.traffic_pairassignment ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_pairassignment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_pairchoice (
    id bigint NOT NULL,
    rater_kind character varying(12) NOT NULL,
    by character varying(200) NOT NULL,
    outcome character varying(10) NOT NULL,
    candidate_first boolean NOT NULL,
    adjudicates boolean NOT NULL,
    comment text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    pair_id bigint NOT NULL,
    rater_id integer,
    revealed_at timestamp with time zone
);
ALTER TABLE public.traffic_pairchoice ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_pairchoice_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_queueentry (
    id bigint NOT NULL,
    "position" integer NOT NULL,
    number smallint NOT NULL,
    day date NOT NULL,
    request_id uuid NOT NULL,
    reserved_until timestamp with time zone,
    rated_at timestamp with time zone,
    text_deleted boolean NOT NULL,
    application_id bigint NOT NULL,
    rater_id integer,
    queue_id bigint NOT NULL,
    CONSTRAINT traffic_queueentry_number_check CHECK ((number >= 0)),
    CONSTRAINT traffic_queueentry_position_check CHECK (("position" >= 0))
);
ALTER TABLE public.traffic_queueentry ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_queueentry_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_raterpreference (
    id bigint NOT NULL,
    hide_name boolean NOT NULL,
    person_id integer NOT NULL
);
ALTER TABLE public.traffic_raterpreference ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_raterpreference_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_rating (
    id bigint NOT NULL,
    day date,
    request_id uuid,
    response_id character varying(200) NOT NULL,
    rater_kind character varying(12) NOT NULL,
    by character varying(200) NOT NULL,
    score smallint,
    stars smallint,
    comment text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    look_at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    model text NOT NULL,
    task text NOT NULL,
    application_id bigint,
    deployment_id bigint,
    rater_id integer,
    marks jsonb DEFAULT '{}'::jsonb NOT NULL,
    rubric_id bigint,
    CONSTRAINT a_rating_judges CHECK (((score IS NOT NULL) OR (stars IS NOT NULL))),
    CONSTRAINT traffic_rating_stars_check CHECK ((stars >= 0))
);
CREATE TABLE public.traffic_rating_day (
    id bigint NOT NULL,
    day date NOT NULL,
    application_id bigint NOT NULL,
    deployment_id bigint NOT NULL,
    model text NOT NULL,
    task text NOT NULL,
    ratings integer NOT NULL,
    acceptable integer NOT NULL,
    starred integer NOT NULL,
    stars_sum integer NOT NULL,
    stars_squares integer NOT NULL,
    agreement_due boolean DEFAULT true NOT NULL,
    agreed double precision[] DEFAULT '{}'::double precision[] NOT NULL,
    raters bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    biases jsonb DEFAULT '{}'::jsonb NOT NULL
);
ALTER TABLE public.traffic_rating_day ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_rating_day_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.traffic_rating ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_rating_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_ratingdraft (
    id bigint NOT NULL,
    day date NOT NULL,
    request_id uuid NOT NULL,
    typed jsonb NOT NULL,
    saved_at timestamp with time zone NOT NULL,
    rater_id integer NOT NULL
);
ALTER TABLE public.traffic_ratingdraft ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_ratingdraft_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_ratingqueue (
    id bigint NOT NULL,
    name character varying(80) NOT NULL,
    question character varying(300) NOT NULL,
    task character varying(20) NOT NULL,
    sampling character varying(10) NOT NULL,
    size integer NOT NULL,
    ratings_per_answer smallint NOT NULL,
    overlap_percent smallint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    application_id bigint,
    by_id integer,
    deployment_id bigint,
    rubric_id bigint,
    CONSTRAINT traffic_ratingqueue_overlap_percent_check CHECK ((overlap_percent >= 0)),
    CONSTRAINT traffic_ratingqueue_ratings_per_answer_check CHECK ((ratings_per_answer >= 0)),
    CONSTRAINT traffic_ratingqueue_size_check CHECK ((size >= 0))
);
ALTER TABLE public.traffic_ratingqueue ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_ratingqueue_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_ratingqueue_raters (
    id bigint NOT NULL,
    ratingqueue_id bigint NOT NULL,
    user_id integer NOT NULL
);
ALTER TABLE public.traffic_ratingqueue_raters ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_ratingqueue_raters_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_repriced (
    id uuid NOT NULL,
    repricing_id bigint NOT NULL,
    old_price_id bigint,
    new_price_id bigint,
    old_discount_id bigint,
    new_discount_id bigint,
    day date NOT NULL,
    old_cost numeric(20,12),
    new_cost numeric(20,12),
    old_cost_reason text,
    new_cost_reason text
)
PARTITION BY RANGE (day);
CREATE TABLE public.traffic_repricedday (
    id bigint NOT NULL,
    planned boolean NOT NULL,
    day date NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    requests bigint NOT NULL,
    before numeric(30,12) NOT NULL,
    after numeric(30,12) NOT NULL,
    unknown_before bigint NOT NULL,
    unknown_after bigint NOT NULL,
    repricing_id bigint NOT NULL
);
ALTER TABLE public.traffic_repricedday ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_repricedday_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_repricing (
    id bigint NOT NULL,
    since date NOT NULL,
    until date NOT NULL,
    provider character varying(40) NOT NULL,
    model character varying(200) NOT NULL,
    why character varying(300) NOT NULL,
    state character varying(10) NOT NULL,
    total bigint NOT NULL,
    at_day date,
    at_id uuid,
    read bigint NOT NULL,
    changed bigint NOT NULL,
    restored bigint NOT NULL,
    kept bigint NOT NULL,
    problem text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    claimed_until timestamp with time zone,
    by_id integer,
    undone_by_id integer
);
ALTER TABLE public.traffic_repricing ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_repricing_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_request (
    id uuid NOT NULL,
    response_hash uuid,
    user_hash uuid,
    started_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    application_id bigint,
    deployment_id bigint,
    price_id bigint,
    discount_id bigint,
    import_id bigint,
    latency_ms double precision,
    ttft_ms double precision,
    uncached_input bigint,
    cache_read bigint,
    cache_write_5m bigint,
    cache_write_1h bigint,
    output bigint,
    reasoning bigint,
    day date NOT NULL,
    http_status smallint,
    streamed boolean NOT NULL,
    batch boolean NOT NULL,
    cost numeric(20,12),
    reported_cost numeric(20,12),
    cost_reason text,
    provider text NOT NULL,
    model text NOT NULL,
    task text NOT NULL,
    outcome text NOT NULL,
    error_type text,
    response_id text,
    external_id text NOT NULL,
    source text NOT NULL,
    route text,
    tier text,
    raw jsonb
)
PARTITION BY RANGE (day);
CREATE TABLE public.traffic_request_body (
    request_id uuid NOT NULL,
    day date NOT NULL,
    prompt text,
    answer text,
    marks smallint
)
PARTITION BY RANGE (day);
CREATE TABLE public.traffic_route (
    id bigint NOT NULL,
    "order" integer NOT NULL,
    slug character varying(80) NOT NULL,
    name character varying(200) NOT NULL,
    enabled boolean NOT NULL,
    tasks character varying(12)[] NOT NULL,
    requested_models character varying(200)[] NOT NULL,
    over_tokens integer,
    over_context boolean NOT NULL,
    media boolean,
    private boolean,
    self_only_model boolean NOT NULL,
    percent smallint,
    budget_states character varying(10)[] NOT NULL,
    to_provider character varying(40) NOT NULL,
    falls_back boolean NOT NULL,
    deployment_id bigint,
    next_at_cap boolean DEFAULT false NOT NULL,
    canary_id bigint,
    canary_errors smallint DEFAULT 5 NOT NULL,
    canary_percent smallint,
    canary_ttft_ms integer,
    hedge_ms integer,
    shadow_id bigint,
    shadow_usd numeric(10,2),
    strategy character varying(12) DEFAULT 'first'::character varying NOT NULL,
    weight smallint DEFAULT 1 NOT NULL,
    CONSTRAINT traffic_route_canary_errors_check CHECK ((canary_errors >= 0)),
    CONSTRAINT traffic_route_canary_percent_check CHECK ((canary_percent >= 0)),
    CONSTRAINT traffic_route_canary_ttft_ms_check CHECK ((canary_ttft_ms >= 0)),
    CONSTRAINT traffic_route_hedge_ms_check CHECK ((hedge_ms >= 0)),
    CONSTRAINT traffic_route_order_check CHECK (("order" >= 0)),
    CONSTRAINT traffic_route_over_tokens_check CHECK ((over_tokens >= 0)),
    CONSTRAINT traffic_route_percent_check CHECK ((percent >= 0)),
    CONSTRAINT traffic_route_weight_check CHECK ((weight >= 0))
);
CREATE TABLE public.traffic_route_applications (
    id bigint NOT NULL,
    route_id bigint NOT NULL,
    application_id bigint NOT NULL
);
ALTER TABLE public.traffic_route_applications ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_route_applications_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.traffic_route ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_route_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_routeuse (
    id bigint NOT NULL,
    calls integer NOT NULL,
    failures integer NOT NULL,
    streams integer NOT NULL,
    slow integer NOT NULL,
    returned_at timestamp with time zone,
    reason character varying(200) NOT NULL,
    day date,
    usd numeric(16,6) NOT NULL,
    route_id bigint NOT NULL,
    CONSTRAINT traffic_routeuse_calls_check CHECK ((calls >= 0)),
    CONSTRAINT traffic_routeuse_failures_check CHECK ((failures >= 0)),
    CONSTRAINT traffic_routeuse_slow_check CHECK ((slow >= 0)),
    CONSTRAINT traffic_routeuse_streams_check CHECK ((streams >= 0))
);
ALTER TABLE public.traffic_routeuse ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_routeuse_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_rubric (
    id bigint NOT NULL,
    name character varying(80) NOT NULL,
    version smallint NOT NULL,
    task character varying(20) NOT NULL,
    criteria jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    retired_at timestamp with time zone,
    by_id integer,
    CONSTRAINT traffic_rubric_version_check CHECK ((version >= 0))
);
ALTER TABLE public.traffic_rubric ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_rubric_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_sealedday (
    day date NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    totals jsonb NOT NULL
);
CREATE TABLE public.traffic_setaside (
    id bigint NOT NULL,
    line bigint NOT NULL,
    words text NOT NULL,
    imported_id bigint NOT NULL
);
ALTER TABLE public.traffic_setaside ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_setaside_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_setitem (
    id bigint NOT NULL,
    number integer NOT NULL,
    task character varying(20) NOT NULL,
    prompt text NOT NULL,
    answer text NOT NULL,
    acceptable boolean,
    own_machines boolean NOT NULL,
    request_id uuid,
    answer_set_id bigint NOT NULL,
    application_id bigint,
    deployment_id bigint,
    prompt_request uuid,
    CONSTRAINT traffic_setitem_number_check CHECK ((number >= 0))
);
ALTER TABLE public.traffic_setitem ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_setitem_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_shadowcopy (
    id bigint NOT NULL,
    candidate_request uuid NOT NULL,
    baseline_request uuid NOT NULL,
    task text NOT NULL,
    at timestamp with time zone DEFAULT statement_timestamp() NOT NULL,
    application_id bigint NOT NULL,
    baseline_id bigint NOT NULL,
    candidate_id bigint NOT NULL
);
ALTER TABLE public.traffic_shadowcopy ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_shadowcopy_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_span_link (
    child uuid NOT NULL,
    parent uuid NOT NULL,
    day date NOT NULL
)
PARTITION BY RANGE (day);
CREATE TABLE public.traffic_storedscoreboard (
    id bigint NOT NULL,
    days smallint NOT NULL,
    calculated_at timestamp with time zone NOT NULL,
    figures bytea NOT NULL,
    CONSTRAINT traffic_storedscoreboard_days_check CHECK ((days >= 0))
);
ALTER TABLE public.traffic_storedscoreboard ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_storedscoreboard_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_trial (
    id bigint NOT NULL,
    name character varying(100) NOT NULL,
    concurrency smallint[] NOT NULL,
    seconds_per_step integer NOT NULL,
    answer_tokens integer NOT NULL,
    cap_usd numeric(20,12) NOT NULL,
    spent numeric(20,12) NOT NULL,
    prompt_source character varying(10) NOT NULL,
    source_name character varying(200) NOT NULL,
    rejected integer NOT NULL,
    rejected_lines jsonb NOT NULL,
    used_in_break_even boolean NOT NULL,
    state character varying(10) NOT NULL,
    problem text NOT NULL,
    stop_requested_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    claimed_until timestamp with time zone,
    capacity_tokens_per_second double precision,
    capacity_concurrency smallint,
    pairs integer NOT NULL,
    baseline_id bigint,
    by_id integer,
    candidate_id bigint NOT NULL,
    CONSTRAINT traffic_trial_answer_tokens_check CHECK ((answer_tokens >= 0)),
    CONSTRAINT traffic_trial_capacity_concurrency_check CHECK ((capacity_concurrency >= 0)),
    CONSTRAINT traffic_trial_pairs_check CHECK ((pairs >= 0)),
    CONSTRAINT traffic_trial_rejected_check CHECK ((rejected >= 0)),
    CONSTRAINT traffic_trial_seconds_per_step_check CHECK ((seconds_per_step >= 0))
);
ALTER TABLE public.traffic_trial ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_trial_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_trialcall (
    id bigint NOT NULL,
    state character varying(10) NOT NULL,
    charged numeric(20,12) NOT NULL,
    cost numeric(20,12),
    request_id uuid,
    offset_ms double precision,
    ttft_ms double precision,
    latency_ms double precision,
    output_tokens bigint,
    prompt_id bigint NOT NULL,
    step_id bigint NOT NULL,
    CONSTRAINT traffic_trialcall_output_tokens_check CHECK ((output_tokens >= 0))
);
ALTER TABLE public.traffic_trialcall ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_trialcall_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_trialprompt (
    id bigint NOT NULL,
    number integer NOT NULL,
    task character varying(20) NOT NULL,
    text text NOT NULL,
    answered_request uuid,
    answered_by_id bigint,
    application_id bigint,
    trial_id bigint NOT NULL,
    set_item_id bigint,
    prompt_request uuid,
    CONSTRAINT traffic_trialprompt_number_check CHECK ((number >= 0))
);
ALTER TABLE public.traffic_trialprompt ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_trialprompt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_trialstep (
    id bigint NOT NULL,
    number smallint NOT NULL,
    concurrency smallint NOT NULL,
    timed boolean NOT NULL,
    seconds double precision NOT NULL,
    ended_at timestamp with time zone,
    requests integer NOT NULL,
    errors integer NOT NULL,
    tokens_per_second double precision,
    stream_tokens_per_second double precision,
    ttft_p50_ms double precision,
    ttft_p95_ms double precision,
    latency_p50_ms double precision,
    latency_p95_ms double precision,
    output_tokens bigint NOT NULL,
    cost numeric(20,12),
    deployment_id bigint NOT NULL,
    trial_id bigint NOT NULL,
    CONSTRAINT traffic_trialstep_concurrency_check CHECK ((concurrency >= 0)),
    CONSTRAINT traffic_trialstep_errors_check CHECK ((errors >= 0)),
    CONSTRAINT traffic_trialstep_number_check CHECK ((number >= 0)),
    CONSTRAINT traffic_trialstep_output_tokens_check CHECK ((output_tokens >= 0)),
    CONSTRAINT traffic_trialstep_requests_check CHECK ((requests >= 0))
);
ALTER TABLE public.traffic_trialstep ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_trialstep_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_unread (
    id bigint NOT NULL,
    day date NOT NULL,
    signal character varying(10) NOT NULL,
    unread bigint NOT NULL,
    rejected bigint NOT NULL,
    reason text NOT NULL,
    application_id bigint
);
ALTER TABLE public.traffic_unread ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_unread_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.traffic_usage_day (
    day date NOT NULL,
    application_id bigint NOT NULL,
    deployment_id bigint NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    task text NOT NULL,
    requests bigint NOT NULL,
    errors bigint NOT NULL,
    unpriced bigint NOT NULL,
    unknown_usage bigint NOT NULL,
    leased bigint NOT NULL,
    batched bigint NOT NULL,
    uncached_input bigint NOT NULL,
    cache_read bigint NOT NULL,
    cache_write_5m bigint NOT NULL,
    cache_write_1h bigint NOT NULL,
    output bigint NOT NULL,
    reasoning bigint NOT NULL,
    cost numeric(30,12) NOT NULL,
    latency_us bigint NOT NULL,
    timed bigint NOT NULL,
    generated bigint NOT NULL,
    generating_us bigint NOT NULL,
    cost_reports bigint DEFAULT 0 NOT NULL,
    cost_mismatches bigint DEFAULT 0 NOT NULL,
    reported_cost numeric(30,12) DEFAULT 0 NOT NULL,
    computed_cost numeric(30,12) DEFAULT 0 NOT NULL
)
WITH (fillfactor='70');
CREATE TABLE public.traffic_usage_hour (
    hour timestamp with time zone NOT NULL,
    application_id bigint NOT NULL,
    deployment_id bigint NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    task text NOT NULL,
    requests bigint NOT NULL,
    errors bigint NOT NULL,
    unpriced bigint NOT NULL,
    unknown_usage bigint NOT NULL,
    leased bigint NOT NULL,
    batched bigint NOT NULL,
    uncached_input bigint NOT NULL,
    cache_read bigint NOT NULL,
    cache_write_5m bigint NOT NULL,
    cache_write_1h bigint NOT NULL,
    output bigint NOT NULL,
    reasoning bigint NOT NULL,
    cost numeric(30,12) NOT NULL,
    latency_us bigint NOT NULL,
    timed bigint NOT NULL,
    generated bigint NOT NULL,
    generating_us bigint NOT NULL,
    cost_reports bigint DEFAULT 0 NOT NULL,
    cost_mismatches bigint DEFAULT 0 NOT NULL,
    reported_cost numeric(30,12) DEFAULT 0 NOT NULL,
    computed_cost numeric(30,12) DEFAULT 0 NOT NULL
)
WITH (fillfactor='70');
CREATE TABLE public.traffic_waitingtext (
    id bigint NOT NULL,
    call text NOT NULL,
    at_ns bigint NOT NULL,
    digest uuid NOT NULL,
    whole boolean NOT NULL,
    prompt text,
    answer text,
    arrived_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    application_id bigint NOT NULL
);
ALTER TABLE public.traffic_waitingtext ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.traffic_waitingtext_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE ONLY public.costs_closing
    ADD CONSTRAINT a_month_is_closed_once UNIQUE (provider, month);
ALTER TABLE ONLY public.alerts_address
    ADD CONSTRAINT alerts_address_address_key UNIQUE (address);
ALTER TABLE ONLY public.alerts_address
    ADD CONSTRAINT alerts_address_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_alert
    ADD CONSTRAINT alerts_alert_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_channel
    ADD CONSTRAINT alerts_channel_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_channel
    ADD CONSTRAINT alerts_channel_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.alerts_delivery
    ADD CONSTRAINT alerts_delivery_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_delivery
    ADD CONSTRAINT alerts_delivery_report_id_key UNIQUE (report_id);
ALTER TABLE ONLY public.alerts_optout
    ADD CONSTRAINT alerts_optout_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_preference
    ADD CONSTRAINT alerts_preference_person_id_key UNIQUE (person_id);
ALTER TABLE ONLY public.alerts_preference
    ADD CONSTRAINT alerts_preference_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_report
    ADD CONSTRAINT alerts_report_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_rule_channels
    ADD CONSTRAINT alerts_rule_channels_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_rule_channels
    ADD CONSTRAINT alerts_rule_channels_rule_id_channel_id_6189f880_uniq UNIQUE (rule_id, channel_id);
ALTER TABLE ONLY public.alerts_rule
    ADD CONSTRAINT alerts_rule_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_rule_recipients
    ADD CONSTRAINT alerts_rule_recipients_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_rule_recipients
    ADD CONSTRAINT alerts_rule_recipients_rule_id_user_id_99e1034f_uniq UNIQUE (rule_id, user_id);
ALTER TABLE ONLY public.alerts_rule
    ADD CONSTRAINT alerts_rule_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.alerts_sample
    ADD CONSTRAINT alerts_sample_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_savedview
    ADD CONSTRAINT alerts_savedview_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_silence
    ADD CONSTRAINT alerts_silence_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_transition
    ADD CONSTRAINT alerts_transition_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alerts_usedlink
    ADD CONSTRAINT alerts_usedlink_digest_key UNIQUE (digest);
ALTER TABLE ONLY public.alerts_usedlink
    ADD CONSTRAINT alerts_usedlink_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_name_key UNIQUE (name);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_permission_id_0cd325b0_uniq UNIQUE (group_id, permission_id);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_codename_01ab375a_uniq UNIQUE (content_type_id, codename);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_user_id_group_id_94350c0c_uniq UNIQUE (user_id, group_id);
ALTER TABLE ONLY public.auth_user
    ADD CONSTRAINT auth_user_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_user_id_permission_id_14a6b632_uniq UNIQUE (user_id, permission_id);
ALTER TABLE ONLY public.auth_user
    ADD CONSTRAINT auth_user_username_key UNIQUE (username);
ALTER TABLE ONLY public.costs_anomaly
    ADD CONSTRAINT costs_anomaly_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_anomalylook
    ADD CONSTRAINT costs_anomalylook_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_billimport
    ADD CONSTRAINT costs_billimport_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_billstatus
    ADD CONSTRAINT costs_billstatus_month_key UNIQUE (month);
ALTER TABLE ONLY public.costs_billstatus
    ADD CONSTRAINT costs_billstatus_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_budget
    ADD CONSTRAINT costs_budget_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_budget
    ADD CONSTRAINT costs_budget_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.costs_charge
    ADD CONSTRAINT costs_charge_key_key UNIQUE (key);
ALTER TABLE ONLY public.costs_charge
    ADD CONSTRAINT costs_charge_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_closing
    ADD CONSTRAINT costs_closing_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_decision
    ADD CONSTRAINT costs_decision_number_key UNIQUE (number);
ALTER TABLE ONLY public.costs_decision
    ADD CONSTRAINT costs_decision_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_effort
    ADD CONSTRAINT costs_effort_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_exchangerate
    ADD CONSTRAINT costs_exchangerate_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_exporttarget
    ADD CONSTRAINT costs_exporttarget_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_finding
    ADD CONSTRAINT costs_finding_key_key UNIQUE (key);
ALTER TABLE ONLY public.costs_finding
    ADD CONSTRAINT costs_finding_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_forecastlook
    ADD CONSTRAINT costs_forecastlook_day_key UNIQUE (day);
ALTER TABLE ONLY public.costs_forecastlook
    ADD CONSTRAINT costs_forecastlook_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_justification
    ADD CONSTRAINT costs_justification_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_keyowner
    ADD CONSTRAINT costs_keyowner_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_nogo
    ADD CONSTRAINT costs_nogo_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_opsworkloadlimit
    ADD CONSTRAINT costs_opsworkloadlimit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_pageday
    ADD CONSTRAINT costs_pageday_pkey PRIMARY KEY (day);
ALTER TABLE ONLY public.costs_phase
    ADD CONSTRAINT costs_phase_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_phase
    ADD CONSTRAINT costs_phase_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.costs_posting
    ADD CONSTRAINT costs_posting_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_pricesheet
    ADD CONSTRAINT costs_pricesheet_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_pricesheet
    ADD CONSTRAINT costs_pricesheet_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.costs_receipt
    ADD CONSTRAINT costs_receipt_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_recurrence
    ADD CONSTRAINT costs_recurrence_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_search
    ADD CONSTRAINT costs_search_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_sharing
    ADD CONSTRAINT costs_sharing_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_sharing
    ADD CONSTRAINT costs_sharing_starts_on_key UNIQUE (starts_on);
ALTER TABLE ONLY public.costs_stage
    ADD CONSTRAINT costs_stage_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_stage
    ADD CONSTRAINT costs_stage_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.costs_taskmodel
    ADD CONSTRAINT costs_taskmodel_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_taskmodel
    ADD CONSTRAINT costs_taskmodel_task_key UNIQUE (task);
ALTER TABLE ONLY public.costs_tolerance
    ADD CONSTRAINT costs_tolerance_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.costs_tolerance
    ADD CONSTRAINT costs_tolerance_provider_key UNIQUE (provider);
ALTER TABLE ONLY public.costs_whatif
    ADD CONSTRAINT costs_whatif_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dashboard_attempts
    ADD CONSTRAINT dashboard_attempts_pkey PRIMARY KEY (bucket);
ALTER TABLE ONLY public.dashboard_givenpermission
    ADD CONSTRAINT dashboard_givenpermission_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dashboard_session
    ADD CONSTRAINT dashboard_session_pkey PRIMARY KEY (session_key);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_app_label_model_76bd3d3b_uniq UNIQUE (app_label, model);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_migrations
    ADD CONSTRAINT django_migrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dashboard_givenpermission
    ADD CONSTRAINT given_once UNIQUE (role, permission);
ALTER TABLE ONLY public.traffic_abstention
    ADD CONSTRAINT one_abstention_of_a_rater UNIQUE (rater_id, request_id);
ALTER TABLE ONLY public.traffic_pairassignment
    ADD CONSTRAINT one_assignment_of_a_rater UNIQUE (pair_id, rater_kind, by);
ALTER TABLE ONLY public.traffic_cachesaving
    ADD CONSTRAINT one_cache_saving_a_day UNIQUE (application_id, day, provider, model);
ALTER TABLE ONLY public.traffic_cap
    ADD CONSTRAINT one_cap_of_a_key UNIQUE (key_id, unit, period);
ALTER TABLE ONLY public.traffic_cap
    ADD CONSTRAINT one_cap_of_an_application UNIQUE (application_id, each_user, task, unit, period);
ALTER TABLE ONLY public.traffic_pairchoice
    ADD CONSTRAINT one_choice_of_a_rater UNIQUE (pair_id, rater_kind, by);
ALTER TABLE ONLY public.providers_offerday
    ADD CONSTRAINT one_day_of_offers UNIQUE (provider, gpu, kind, day);
ALTER TABLE ONLY public.traffic_repricedday
    ADD CONSTRAINT one_difference_of_a_day_and_model UNIQUE (repricing_id, planned, day, provider, model);
ALTER TABLE ONLY public.traffic_ratingdraft
    ADD CONSTRAINT one_draft_of_a_rater UNIQUE (rater_id, request_id);
ALTER TABLE ONLY public.traffic_queueentry
    ADD CONSTRAINT one_entry_of_a_number UNIQUE (queue_id, request_id, number);
ALTER TABLE ONLY public.traffic_fallback
    ADD CONSTRAINT one_fallback_in_a_place UNIQUE (route_id, "order");
ALTER TABLE ONLY public.providers_feed
    ADD CONSTRAINT one_feed_of_a_kind UNIQUE (account_id, kind);
ALTER TABLE ONLY public.providers_checkhour
    ADD CONSTRAINT one_hour_of_checks UNIQUE (deployment_id, hour);
ALTER TABLE ONLY public.traffic_setitem
    ADD CONSTRAINT one_item_of_a_number UNIQUE (answer_set_id, number);
ALTER TABLE ONLY public.providers_lease
    ADD CONSTRAINT one_lease_of_an_account UNIQUE (account_id, external_id);
ALTER TABLE ONLY public.providers_vendorcost
    ADD CONSTRAINT one_line_of_a_bill UNIQUE (account_id, external_id);
ALTER TABLE ONLY public.alerts_delivery
    ADD CONSTRAINT one_message_of_a_transition UNIQUE (transition_id, channel, recipient);
ALTER TABLE ONLY public.providers_model
    ADD CONSTRAINT one_model_of_a_name UNIQUE (provider, name);
ALTER TABLE ONLY public.providers_vendorname
    ADD CONSTRAINT one_name_of_a_thing UNIQUE (account_id, kind, external_id);
ALTER TABLE ONLY public.traffic_heldobject
    ADD CONSTRAINT one_object_of_a_deployment UNIQUE (vendor_id, deployment_id);
ALTER TABLE ONLY public.alerts_optout
    ADD CONSTRAINT one_opt_out_of_a_rule UNIQUE (rule_id, address);
ALTER TABLE ONLY public.costs_keyowner
    ADD CONSTRAINT one_owner_of_a_key UNIQUE (account_id, api_key);
ALTER TABLE ONLY public.providers_vendorpayment
    ADD CONSTRAINT one_payment_of_an_account UNIQUE (account_id, external_id);
ALTER TABLE ONLY public.providers_tokenprice
    ADD CONSTRAINT one_price_from_a_moment_on UNIQUE (provider, model, starts_at);
ALTER TABLE ONLY public.traffic_trialprompt
    ADD CONSTRAINT one_prompt_of_a_number UNIQUE (trial_id, number);
ALTER TABLE ONLY public.costs_exchangerate
    ADD CONSTRAINT one_rate_of_a_currency_and_day UNIQUE (currency, day);
ALTER TABLE ONLY public.traffic_rating_day
    ADD CONSTRAINT one_rating_day_of_a_key UNIQUE (day, application_id, deployment_id, model, task);
ALTER TABLE ONLY public.alerts_report
    ADD CONSTRAINT one_report_of_a_period UNIQUE (person_id, kind, starts_on);
ALTER TABLE ONLY public.providers_vendorusage
    ADD CONSTRAINT one_row_of_a_usage_report UNIQUE (account_id, starts_at, model, workspace, api_key, service_tier);
ALTER TABLE ONLY public.traffic_rubric
    ADD CONSTRAINT one_rubric_of_a_version UNIQUE (name, version);
ALTER TABLE ONLY public.traffic_judgescore
    ADD CONSTRAINT one_score_of_a_judge UNIQUE (judge_id, request_id);
ALTER TABLE ONLY public.traffic_answerset
    ADD CONSTRAINT one_set_of_a_version UNIQUE (name, version);
ALTER TABLE ONLY public.providers_offer
    ADD CONSTRAINT one_sight_of_an_offer UNIQUE (provider, external_id, kind, region);
ALTER TABLE ONLY public.providers_leasespan
    ADD CONSTRAINT one_span_at_a_time UNIQUE (lease_id, starts_at);
ALTER TABLE ONLY public.traffic_trialstep
    ADD CONSTRAINT one_step_of_a_number UNIQUE (trial_id, number);
ALTER TABLE ONLY public.providers_throughput
    ADD CONSTRAINT one_throughput_of_a_model_and_gpu UNIQUE (model, gpu, gpu_count, engine);
ALTER TABLE ONLY public.providers_unitprice
    ADD CONSTRAINT one_unit_price_from_a_moment_on UNIQUE (kind, provider, name, variant, starts_at);
ALTER TABLE ONLY public.traffic_capuse
    ADD CONSTRAINT one_use_of_a_cap_and_window UNIQUE (cap_id, user_hash, starts_at);
ALTER TABLE ONLY public.traffic_keyuse
    ADD CONSTRAINT one_use_of_a_key_and_day UNIQUE (key_id, day);
ALTER TABLE ONLY public.traffic_pair
    ADD CONSTRAINT pair_once UNIQUE (candidate_request, baseline_request);
ALTER TABLE ONLY public.providers_account
    ADD CONSTRAINT providers_account_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_account
    ADD CONSTRAINT providers_account_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.providers_auditentry
    ADD CONSTRAINT providers_auditentry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_auditkey
    ADD CONSTRAINT providers_auditkey_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_auditseal
    ADD CONSTRAINT providers_auditseal_entry_key UNIQUE (entry);
ALTER TABLE ONLY public.providers_auditseal
    ADD CONSTRAINT providers_auditseal_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.providers_balance
    ADD CONSTRAINT providers_balance_account_id_key UNIQUE (account_id);
ALTER TABLE ONLY public.providers_balance
    ADD CONSTRAINT providers_balance_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_check
    ADD CONSTRAINT providers_check_pkey PRIMARY KEY (day, deployment_id, at);
ALTER TABLE ONLY public.providers_checkhour
    ADD CONSTRAINT providers_checkhour_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_deployment
    ADD CONSTRAINT providers_deployment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_deployment
    ADD CONSTRAINT providers_deployment_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.providers_discount
    ADD CONSTRAINT providers_discount_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_enginebucket
    ADD CONSTRAINT providers_enginebucket_pkey PRIMARY KEY (deployment_id, resolution, start);
ALTER TABLE ONLY public.providers_enginereading
    ADD CONSTRAINT providers_enginereading_pkey PRIMARY KEY (deployment_id);
ALTER TABLE ONLY public.providers_feed
    ADD CONSTRAINT providers_feed_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_heartbeat
    ADD CONSTRAINT providers_heartbeat_ping_id_key UNIQUE (ping_id);
ALTER TABLE ONLY public.providers_heartbeat
    ADD CONSTRAINT providers_heartbeat_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_heartbeatping
    ADD CONSTRAINT providers_heartbeatping_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_heartbeatspan
    ADD CONSTRAINT providers_heartbeatspan_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_lease
    ADD CONSTRAINT providers_lease_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_leasespan
    ADD CONSTRAINT providers_leasespan_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_maintenance
    ADD CONSTRAINT providers_maintenance_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_model
    ADD CONSTRAINT providers_model_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_offer
    ADD CONSTRAINT providers_offer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_offerday
    ADD CONSTRAINT providers_offerday_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_offerwatch
    ADD CONSTRAINT providers_offerwatch_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_outage
    ADD CONSTRAINT providers_outage_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_removedaccount
    ADD CONSTRAINT providers_removedaccount_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_statuspage_deployments
    ADD CONSTRAINT providers_statuspage_dep_statuspage_id_deployment_67784474_uniq UNIQUE (statuspage_id, deployment_id);
ALTER TABLE ONLY public.providers_statuspage_deployments
    ADD CONSTRAINT providers_statuspage_deployments_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_statuspage_heartbeats
    ADD CONSTRAINT providers_statuspage_hea_statuspage_id_heartbeat__d8c0972b_uniq UNIQUE (statuspage_id, heartbeat_id);
ALTER TABLE ONLY public.providers_statuspage_heartbeats
    ADD CONSTRAINT providers_statuspage_heartbeats_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_statuspage
    ADD CONSTRAINT providers_statuspage_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_statuspage
    ADD CONSTRAINT providers_statuspage_token_key UNIQUE (token);
ALTER TABLE ONLY public.providers_throughput
    ADD CONSTRAINT providers_throughput_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_tokenprice
    ADD CONSTRAINT providers_tokenprice_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_unitprice
    ADD CONSTRAINT providers_unitprice_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_vendorcost
    ADD CONSTRAINT providers_vendorcost_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_vendorname
    ADD CONSTRAINT providers_vendorname_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_vendorpayment
    ADD CONSTRAINT providers_vendorpayment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.providers_vendorusage
    ADD CONSTRAINT providers_vendorusage_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_abstention
    ADD CONSTRAINT traffic_abstention_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_admittedname
    ADD CONSTRAINT traffic_admittedname_pkey PRIMARY KEY (day, kind, application_id, digest);
ALTER TABLE ONLY public.traffic_answerset
    ADD CONSTRAINT traffic_answerset_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_application_members
    ADD CONSTRAINT traffic_application_memb_application_id_user_id_e00e604c_uniq UNIQUE (application_id, user_id);
ALTER TABLE ONLY public.traffic_application_members
    ADD CONSTRAINT traffic_application_members_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_application
    ADD CONSTRAINT traffic_application_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_application
    ADD CONSTRAINT traffic_application_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.traffic_cachesaving
    ADD CONSTRAINT traffic_cachesaving_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_cap
    ADD CONSTRAINT traffic_cap_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_capuse
    ADD CONSTRAINT traffic_capuse_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_deadkeyuse
    ADD CONSTRAINT traffic_deadkeyuse_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_erasure
    ADD CONSTRAINT traffic_erasure_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_error_day
    ADD CONSTRAINT traffic_error_day_pkey PRIMARY KEY (day, application_id, deployment_id, provider, model, task, kind);
ALTER TABLE ONLY public.traffic_error_hour
    ADD CONSTRAINT traffic_error_hour_pkey PRIMARY KEY (hour, application_id, deployment_id, provider, model, task, kind);
ALTER TABLE ONLY public.traffic_fallback
    ADD CONSTRAINT traffic_fallback_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_feedbacklink
    ADD CONSTRAINT traffic_feedbacklink_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_heldobject
    ADD CONSTRAINT traffic_heldobject_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_import
    ADD CONSTRAINT traffic_import_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_installation
    ADD CONSTRAINT traffic_installation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_judge
    ADD CONSTRAINT traffic_judge_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_judge
    ADD CONSTRAINT traffic_judge_task_key UNIQUE (task);
ALTER TABLE ONLY public.traffic_judgescore
    ADD CONSTRAINT traffic_judgescore_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_key
    ADD CONSTRAINT traffic_key_hash_key UNIQUE (hash);
ALTER TABLE ONLY public.traffic_key
    ADD CONSTRAINT traffic_key_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_keyuse
    ADD CONSTRAINT traffic_keyuse_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_latency_day
    ADD CONSTRAINT traffic_latency_day_pkey PRIMARY KEY (day, application_id, deployment_id, provider, model, task, metric, bucket);
ALTER TABLE ONLY public.traffic_latency_hour
    ADD CONSTRAINT traffic_latency_hour_pkey PRIMARY KEY (hour, application_id, deployment_id, provider, model, task, metric, bucket);
ALTER TABLE ONLY public.traffic_pair
    ADD CONSTRAINT traffic_pair_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_pairassignment
    ADD CONSTRAINT traffic_pairassignment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_pairchoice
    ADD CONSTRAINT traffic_pairchoice_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_queueentry
    ADD CONSTRAINT traffic_queueentry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_raterpreference
    ADD CONSTRAINT traffic_raterpreference_person_id_key UNIQUE (person_id);
ALTER TABLE ONLY public.traffic_raterpreference
    ADD CONSTRAINT traffic_raterpreference_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_rating_day
    ADD CONSTRAINT traffic_rating_day_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_rating
    ADD CONSTRAINT traffic_rating_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_ratingdraft
    ADD CONSTRAINT traffic_ratingdraft_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_ratingqueue
    ADD CONSTRAINT traffic_ratingqueue_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_ratingqueue_raters
    ADD CONSTRAINT traffic_ratingqueue_raters_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_ratingqueue_raters
    ADD CONSTRAINT traffic_ratingqueue_raters_ratingqueue_id_user_id_baafe0ad_uniq UNIQUE (ratingqueue_id, user_id);
ALTER TABLE ONLY public.traffic_repriced
    ADD CONSTRAINT traffic_repriced_pkey PRIMARY KEY (day, repricing_id, id);
ALTER TABLE ONLY public.traffic_repricedday
    ADD CONSTRAINT traffic_repricedday_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_repricing
    ADD CONSTRAINT traffic_repricing_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_request_body
    ADD CONSTRAINT traffic_request_body_pkey PRIMARY KEY (day, request_id);
ALTER TABLE ONLY public.traffic_request
    ADD CONSTRAINT traffic_request_pkey PRIMARY KEY (day, id);
ALTER TABLE ONLY public.traffic_route_applications
    ADD CONSTRAINT traffic_route_applicatio_route_id_application_id_0353c514_uniq UNIQUE (route_id, application_id);
ALTER TABLE ONLY public.traffic_route_applications
    ADD CONSTRAINT traffic_route_applications_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_route
    ADD CONSTRAINT traffic_route_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_route
    ADD CONSTRAINT traffic_route_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.traffic_routeuse
    ADD CONSTRAINT traffic_routeuse_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_routeuse
    ADD CONSTRAINT traffic_routeuse_route_id_key UNIQUE (route_id);
ALTER TABLE ONLY public.traffic_rubric
    ADD CONSTRAINT traffic_rubric_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_sealedday
    ADD CONSTRAINT traffic_sealedday_pkey PRIMARY KEY (day);
ALTER TABLE ONLY public.traffic_setaside
    ADD CONSTRAINT traffic_setaside_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_setitem
    ADD CONSTRAINT traffic_setitem_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_shadowcopy
    ADD CONSTRAINT traffic_shadowcopy_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_span_link
    ADD CONSTRAINT traffic_span_link_pkey PRIMARY KEY (day, child);
ALTER TABLE ONLY public.traffic_storedscoreboard
    ADD CONSTRAINT traffic_storedscoreboard_days_key UNIQUE (days);
ALTER TABLE ONLY public.traffic_storedscoreboard
    ADD CONSTRAINT traffic_storedscoreboard_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_trial
    ADD CONSTRAINT traffic_trial_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_trialcall
    ADD CONSTRAINT traffic_trialcall_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_trialprompt
    ADD CONSTRAINT traffic_trialprompt_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_trialstep
    ADD CONSTRAINT traffic_trialstep_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_unread
    ADD CONSTRAINT traffic_unread_key UNIQUE NULLS NOT DISTINCT (day, application_id, signal);
ALTER TABLE ONLY public.traffic_unread
    ADD CONSTRAINT traffic_unread_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_usage_day
    ADD CONSTRAINT traffic_usage_day_pkey PRIMARY KEY (day, application_id, deployment_id, provider, model, task);
ALTER TABLE ONLY public.traffic_usage_hour
    ADD CONSTRAINT traffic_usage_hour_pkey PRIMARY KEY (hour, application_id, deployment_id, provider, model, task);
ALTER TABLE ONLY public.traffic_waitingtext
    ADD CONSTRAINT traffic_waitingtext_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.traffic_waitingtext
    ADD CONSTRAINT waiting_text_once UNIQUE (application_id, call, at_ns, digest);
CREATE INDEX alert_awaits_clear ON public.alerts_alert USING btree (rule_id, subject) WHERE awaits_clear;
CREATE INDEX alert_listed ON public.alerts_alert USING btree (state, pending_since DESC, id DESC);
CREATE INDEX alerts_address_address_c0d362e0_like ON public.alerts_address USING btree (address varchar_pattern_ops);
CREATE INDEX alerts_alert_acknowledged_by_id_6e4e3b9d ON public.alerts_alert USING btree (acknowledged_by_id);
CREATE INDEX alerts_alert_assigned_to_id_ed0310cd ON public.alerts_alert USING btree (assigned_to_id);
CREATE INDEX alerts_alert_rule_id_74644b2d ON public.alerts_alert USING btree (rule_id);
CREATE INDEX alerts_channel_slug_7861ebb2_like ON public.alerts_channel USING btree (slug varchar_pattern_ops);
CREATE INDEX alerts_delivery_alert_id_527311ab ON public.alerts_delivery USING btree (alert_id);
CREATE INDEX alerts_delivery_folded_into_id_ed097356 ON public.alerts_delivery USING btree (folded_into_id);
CREATE INDEX alerts_delivery_transition_id_0a5d8bce ON public.alerts_delivery USING btree (transition_id);
CREATE INDEX alerts_optout_rule_id_2745d433 ON public.alerts_optout USING btree (rule_id);
CREATE INDEX alerts_report_person_id_a3eaed46 ON public.alerts_report USING btree (person_id);
CREATE INDEX alerts_rule_channels_channel_id_da2fece5 ON public.alerts_rule_channels USING btree (channel_id);
CREATE INDEX alerts_rule_channels_rule_id_613b08c3 ON public.alerts_rule_channels USING btree (rule_id);
CREATE INDEX alerts_rule_recipients_rule_id_f4e2e6cf ON public.alerts_rule_recipients USING btree (rule_id);
CREATE INDEX alerts_rule_recipients_user_id_64aae95a ON public.alerts_rule_recipients USING btree (user_id);
CREATE INDEX alerts_rule_slug_13a052cd_like ON public.alerts_rule USING btree (slug varchar_pattern_ops);
CREATE INDEX alerts_sample_alert_id_c67a8633 ON public.alerts_sample USING btree (alert_id);
CREATE INDEX alerts_savedview_owner_id_7a625b9c ON public.alerts_savedview USING btree (owner_id);
CREATE INDEX alerts_silence_by_id_83726dd7 ON public.alerts_silence USING btree (by_id);
CREATE INDEX alerts_transition_alert_id_21b82e6e ON public.alerts_transition USING btree (alert_id);
CREATE INDEX alerts_transition_by_id_3494f1fb ON public.alerts_transition USING btree (by_id);
CREATE INDEX audit_action ON public.providers_auditentry USING btree (action, at);
CREATE INDEX audit_actor ON public.providers_auditentry USING btree (actor, at);
CREATE INDEX audit_acts ON public.providers_auditentry USING btree (at) WHERE (NOT ((action)::text = ANY ((ARRAY['login-failed'::character varying, 'refused'::character varying, 'revoked-key'::character varying])::text[])));
CREATE INDEX audit_address ON public.providers_auditentry USING btree (address, at);
CREATE INDEX audit_at ON public.providers_auditentry USING btree (at);
CREATE INDEX audit_name ON public.providers_auditentry USING btree (object_name, at);
CREATE INDEX audit_object ON public.providers_auditentry USING btree (object_type, object_id, at);
CREATE INDEX audit_refusals ON public.providers_auditentry USING btree (at) WHERE ((action)::text = ANY ((ARRAY['login-failed'::character varying, 'refused'::character varying, 'revoked-key'::character varying])::text[]));
CREATE INDEX audit_words ON public.providers_auditentry USING gin (to_tsvector('simple'::regconfig, (COALESCE(object_name, ''::character varying))::text));
CREATE INDEX auth_group_name_a6ea08ec_like ON public.auth_group USING btree (name varchar_pattern_ops);
CREATE INDEX auth_group_permissions_group_id_b120cbf9 ON public.auth_group_permissions USING btree (group_id);
CREATE INDEX auth_group_permissions_permission_id_84c5c92e ON public.auth_group_permissions USING btree (permission_id);
CREATE INDEX auth_permission_content_type_id_2f476e4b ON public.auth_permission USING btree (content_type_id);
CREATE INDEX auth_user_groups_group_id_97559544 ON public.auth_user_groups USING btree (group_id);
CREATE INDEX auth_user_groups_user_id_6a12ed8b ON public.auth_user_groups USING btree (user_id);
CREATE INDEX auth_user_user_permissions_permission_id_1fbb5f2c ON public.auth_user_user_permissions USING btree (permission_id);
CREATE INDEX auth_user_user_permissions_user_id_a95ead1b ON public.auth_user_user_permissions USING btree (user_id);
CREATE INDEX auth_user_username_6821ab7c_like ON public.auth_user USING btree (username varchar_pattern_ops);
CREATE INDEX cap_use_by_start ON public.traffic_capuse USING btree (starts_at);
CREATE INDEX costs_anomaly_dismissed_by_id_bc7f5252 ON public.costs_anomaly USING btree (dismissed_by_id);
CREATE INDEX costs_billimport_by_id_1a3ef67c ON public.costs_billimport USING btree (by_id);
CREATE INDEX costs_budget_application_id_be91574a ON public.costs_budget USING btree (application_id);
CREATE INDEX costs_budget_owner_id_b7f8e4b1 ON public.costs_budget USING btree (owner_id);
CREATE INDEX costs_budget_slug_369574c6_like ON public.costs_budget USING btree (slug varchar_pattern_ops);
CREATE INDEX costs_charg_day_387ac0_idx ON public.costs_charge USING btree (day, provider, provenance);
CREATE INDEX costs_charge_account_id_0e88f9c2 ON public.costs_charge USING btree (account_id);
CREATE INDEX costs_charge_application_id_5615dd4c ON public.costs_charge USING btree (application_id);
CREATE INDEX costs_charge_bill_import_id_6c4f71f1 ON public.costs_charge USING btree (bill_import_id);
CREATE INDEX costs_charge_closing_id_3ef06f7b ON public.costs_charge USING btree (closing_id);
CREATE INDEX costs_charge_corrects_id_47fa3cf7 ON public.costs_charge USING btree (corrects_id);
CREATE INDEX costs_charge_entered_by_id_17f19a68 ON public.costs_charge USING btree (entered_by_id);
CREATE INDEX costs_charge_key_9ce9f393_like ON public.costs_charge USING btree (key varchar_pattern_ops);
CREATE INDEX costs_charge_lease_id_1b1f6d07 ON public.costs_charge USING btree (lease_id);
CREATE INDEX costs_charge_receipt_id_24d07dbd ON public.costs_charge USING btree (receipt_id);
CREATE INDEX costs_charge_recurrence_id_21240064 ON public.costs_charge USING btree (recurrence_id);
CREATE INDEX costs_closing_account_id_a4f02eee ON public.costs_closing USING btree (account_id);
CREATE INDEX costs_closing_closed_by_id_e6dbfdd0 ON public.costs_closing USING btree (closed_by_id);
CREATE INDEX costs_closing_receipt_id_00d3f6c7 ON public.costs_closing USING btree (receipt_id);
CREATE INDEX costs_effor_day_43089b_idx ON public.costs_effort USING btree (day);
CREATE INDEX costs_effort_by_id_626e3f3a ON public.costs_effort USING btree (by_id);
CREATE INDEX costs_exchangerate_entered_by_id_8652182e ON public.costs_exchangerate USING btree (entered_by_id);
CREATE INDEX costs_exporttarget_created_by_id_4a7770a7 ON public.costs_exporttarget USING btree (created_by_id);
CREATE INDEX costs_finding_application_id_1ba81953 ON public.costs_finding USING btree (application_id);
CREATE INDEX costs_finding_decided_by_id_db5afd15 ON public.costs_finding USING btree (decided_by_id);
CREATE INDEX costs_finding_key_df60fab7_like ON public.costs_finding USING btree (key varchar_pattern_ops);
CREATE INDEX costs_finding_lease_id_4ee6f8a7 ON public.costs_finding USING btree (lease_id);
CREATE INDEX costs_justification_by_id_62dd1afb ON public.costs_justification USING btree (by_id);
CREATE INDEX costs_keyowner_account_id_35e52cd8 ON public.costs_keyowner USING btree (account_id);
CREATE INDEX costs_keyowner_application_id_2f8d9f20 ON public.costs_keyowner USING btree (application_id);
CREATE INDEX costs_keyowner_set_by_id_e6d5adc9 ON public.costs_keyowner USING btree (set_by_id);
CREATE INDEX costs_nogo_by_id_8eb606a6 ON public.costs_nogo USING btree (by_id);
CREATE INDEX costs_opsworkloadlimit_by_id_eedc5ea2 ON public.costs_opsworkloadlimit USING btree (by_id);
CREATE INDEX costs_phase_slug_57463ca4_like ON public.costs_phase USING btree (slug varchar_pattern_ops);
CREATE INDEX costs_pricesheet_slug_8d4dce5d_like ON public.costs_pricesheet USING btree (slug varchar_pattern_ops);
CREATE INDEX costs_receipt_uploaded_by_id_934e8fd9 ON public.costs_receipt USING btree (uploaded_by_id);
CREATE INDEX costs_recurrence_application_id_99b54e89 ON public.costs_recurrence USING btree (application_id);
CREATE INDEX costs_recurrence_entered_by_id_95bc2c30 ON public.costs_recurrence USING btree (entered_by_id);
CREATE INDEX costs_recurrence_receipt_id_33e3cf37 ON public.costs_recurrence USING btree (receipt_id);
CREATE INDEX costs_sharing_set_by_id_aeaa8586 ON public.costs_sharing USING btree (set_by_id);
CREATE INDEX costs_stage_slug_089f2218_like ON public.costs_stage USING btree (slug varchar_pattern_ops);
CREATE INDEX costs_taskmodel_by_id_5d95d022 ON public.costs_taskmodel USING btree (by_id);
CREATE INDEX costs_taskmodel_task_fc6e98af_like ON public.costs_taskmodel USING btree (task varchar_pattern_ops);
CREATE INDEX costs_tolerance_provider_d6d9a75d_like ON public.costs_tolerance USING btree (provider varchar_pattern_ops);
CREATE INDEX costs_tolerance_set_by_id_b208857e ON public.costs_tolerance USING btree (set_by_id);
CREATE INDEX costs_whatif_by_id_180b8007 ON public.costs_whatif USING btree (by_id);
CREATE INDEX dashboard_attempts_bucket_fc0f04ea_like ON public.dashboard_attempts USING btree (bucket varchar_pattern_ops);
CREATE INDEX dashboard_attempts_last_at_bade76fb ON public.dashboard_attempts USING btree (last_at);
CREATE INDEX dashboard_session_expire_date_90e3e469 ON public.dashboard_session USING btree (expire_date);
CREATE INDEX dashboard_session_session_key_1e54fbf8_like ON public.dashboard_session USING btree (session_key varchar_pattern_ops);
CREATE INDEX dashboard_session_user_id_3fd29335 ON public.dashboard_session USING btree (user_id);
CREATE INDEX delivery_before ON public.alerts_delivery USING btree (alert_id, recipient, channel, id) WHERE ((state)::text = ANY ((ARRAY['waiting'::character varying, 'sending'::character varying, 'failed'::character varying, 'folded'::character varying])::text[]));
CREATE INDEX delivery_by_due ON public.alerts_delivery USING btree (due_at, id) WHERE ((state)::text = ANY ((ARRAY['waiting'::character varying, 'sending'::character varying, 'failed'::character varying])::text[]));
CREATE INDEX delivery_to ON public.alerts_delivery USING btree (recipient, accepted_at);
CREATE INDEX delivery_unsent ON public.alerts_delivery USING btree (alert_id) WHERE ((state)::text = 'unsent'::text);
CREATE INDEX offers_to_be_had_by_price ON public.providers_offer USING btree (whole_per_gpu_hour, id) WHERE available;
CREATE UNIQUE INDEX one_account_of_a_bill_line ON public.providers_vendorcost USING btree (origin, external_id) WHERE (NOT ((origin)::text = ''::text));
CREATE UNIQUE INDEX one_account_of_a_lease ON public.providers_lease USING btree (origin, external_id) WHERE (NOT ((origin)::text = ''::text));
CREATE UNIQUE INDEX one_account_of_a_usage_row ON public.providers_vendorusage USING btree (origin, starts_at, model, workspace, api_key, service_tier) WHERE (NOT ((origin)::text = ''::text));
CREATE UNIQUE INDEX one_adjudication_of_a_pair ON public.traffic_pairchoice USING btree (pair_id) WHERE adjudicates;
CREATE UNIQUE INDEX one_bill_import_of_a_file ON public.costs_billimport USING btree (sha256) WHERE (undone_at IS NULL);
CREATE UNIQUE INDEX one_current_rubric_of_a_task ON public.traffic_rubric USING btree (task) WHERE ((retired_at IS NULL) AND (NOT ((task)::text = ''::text)));
CREATE UNIQUE INDEX one_entry_of_a_rater ON public.traffic_queueentry USING btree (queue_id, request_id, rater_id) WHERE (rater_id IS NOT NULL);
CREATE UNIQUE INDEX one_import_of_a_file ON public.traffic_import USING btree (sha256) WHERE (NOT ((state)::text = 'undone'::text));
CREATE UNIQUE INDEX one_kept_heartbeat_of_a_name ON public.providers_heartbeat USING btree (slug) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX one_kept_status_page_of_a_name ON public.providers_statuspage USING btree (slug) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX one_live_alert_of_a_subject ON public.alerts_alert USING btree (rule_id, subject) WHERE (NOT ((state)::text = 'resolved'::text));
CREATE UNIQUE INDEX one_made_for_each ON public.traffic_application USING btree (made_for) WHERE (NOT ((made_for)::text = ''::text));
CREATE UNIQUE INDEX one_open_anomaly_of_a_cause ON public.costs_anomaly USING btree (application_id, model, driver) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX one_open_outage_of_a_deployment ON public.providers_outage USING btree (deployment_id) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX one_open_span_of_a_heartbeat_and_kind ON public.providers_heartbeatspan USING btree (heartbeat_id, kind) WHERE (ended_at IS NULL);
CREATE UNIQUE INDEX one_rating_of_a_rater ON public.traffic_rating USING btree (request_id, rater_kind, by) WHERE (request_id IS NOT NULL);
CREATE UNIQUE INDEX one_standing_justification_of_a_kind ON public.costs_justification USING btree (kind) WHERE (withdrawn_at IS NULL);
CREATE UNIQUE INDEX one_what_if_of_a_name ON public.costs_whatif USING btree (name) WHERE (removed_at IS NULL);
CREATE INDEX pair_assignment_reserved ON public.traffic_pairassignment USING btree (reserved_until) WHERE (skipped_at IS NULL);
CREATE INDEX pair_choice_of_rater ON public.traffic_pairchoice USING btree (rater_kind, by, id DESC);
CREATE INDEX pair_queue ON public.traffic_pair USING btree (votes, id DESC) WHERE (NOT answers_deleted);
CREATE INDEX pair_results ON public.traffic_pair USING btree (candidate_id, baseline_id, task, outcome);
CREATE INDEX pair_trial ON public.traffic_pair USING btree (trial_id) WHERE (trial_id IS NOT NULL);
CREATE INDEX prompt_answered ON public.traffic_trialprompt USING btree (answered_request) WHERE (answered_request IS NOT NULL);
CREATE INDEX prompt_source ON public.traffic_trialprompt USING btree (prompt_request) WHERE (prompt_request IS NOT NULL);
CREATE INDEX providers_account_slug_c54299a9_like ON public.providers_account USING btree (slug varchar_pattern_ops);
CREATE INDEX providers_checkhour_deployment_id_9a88f89c ON public.providers_checkhour USING btree (deployment_id);
CREATE INDEX providers_d_check_d_2d5cc9_idx ON public.providers_deployment USING btree (check_due_at);
CREATE INDEX providers_deployment_lease_id_32fe574d ON public.providers_deployment USING btree (lease_id);
CREATE INDEX providers_deployment_slug_2cd0f4b7_like ON public.providers_deployment USING btree (slug varchar_pattern_ops);
CREATE INDEX providers_discount_account_id_76da1d15 ON public.providers_discount USING btree (account_id);
CREATE INDEX providers_discount_entered_by_id_d1a0302f ON public.providers_discount USING btree (entered_by_id);
CREATE INDEX providers_f_due_at_c25b6a_idx ON public.providers_feed USING btree (due_at);
CREATE INDEX providers_feed_account_id_9169299d ON public.providers_feed USING btree (account_id);
CREATE INDEX providers_h_due_at_2d36e0_idx ON public.providers_heartbeat USING btree (due_at);
CREATE INDEX providers_heartbeat_slug_22cdffd1 ON public.providers_heartbeat USING btree (slug);
CREATE INDEX providers_heartbeat_slug_22cdffd1_like ON public.providers_heartbeat USING btree (slug varchar_pattern_ops);
CREATE INDEX providers_heartbeatping_heartbeat_id_6b2b2429 ON public.providers_heartbeatping USING btree (heartbeat_id);
CREATE INDEX providers_heartbeatspan_heartbeat_id_9247a8d5 ON public.providers_heartbeatspan USING btree (heartbeat_id);
CREATE INDEX providers_lease_account_id_7e192840 ON public.providers_lease USING btree (account_id);
CREATE INDEX providers_leasespan_lease_id_6e908688 ON public.providers_leasespan USING btree (lease_id);
CREATE INDEX providers_maintenance_deployment_id_ddfdaa56 ON public.providers_maintenance USING btree (deployment_id);
CREATE INDEX providers_o_gpu_2edb7a_idx ON public.providers_offerday USING btree (gpu, kind, day);
CREATE INDEX providers_o_gpu_b12b15_idx ON public.providers_offer USING btree (gpu, kind, whole_per_gpu_hour);
CREATE INDEX providers_outage_deployment_id_ecee9607 ON public.providers_outage USING btree (deployment_id);
CREATE INDEX providers_removedaccount_slug_79a80632 ON public.providers_removedaccount USING btree (slug);
CREATE INDEX providers_removedaccount_slug_79a80632_like ON public.providers_removedaccount USING btree (slug varchar_pattern_ops);
CREATE INDEX providers_statuspage_deployments_deployment_id_57bc6530 ON public.providers_statuspage_deployments USING btree (deployment_id);
CREATE INDEX providers_statuspage_deployments_statuspage_id_71992723 ON public.providers_statuspage_deployments USING btree (statuspage_id);
CREATE INDEX providers_statuspage_heartbeats_heartbeat_id_674f0cd8 ON public.providers_statuspage_heartbeats USING btree (heartbeat_id);
CREATE INDEX providers_statuspage_heartbeats_statuspage_id_3d25c56c ON public.providers_statuspage_heartbeats USING btree (statuspage_id);
CREATE INDEX providers_statuspage_slug_bd14dab5 ON public.providers_statuspage USING btree (slug);
CREATE INDEX providers_statuspage_slug_bd14dab5_like ON public.providers_statuspage USING btree (slug varchar_pattern_ops);
CREATE INDEX providers_statuspage_token_a70f88f3_like ON public.providers_statuspage USING btree (token varchar_pattern_ops);
CREATE INDEX providers_tokenprice_entered_by_id_4c03e137 ON public.providers_tokenprice USING btree (entered_by_id);
CREATE INDEX providers_unitprice_entered_by_id_3b7e0893 ON public.providers_unitprice USING btree (entered_by_id);
CREATE INDEX providers_v_account_3760a5_idx ON public.providers_vendorcost USING btree (account_id, starts_at);
CREATE INDEX providers_vendorcost_account_id_544c7fc2 ON public.providers_vendorcost USING btree (account_id);
CREATE INDEX providers_vendorname_account_id_eecf001c ON public.providers_vendorname USING btree (account_id);
CREATE INDEX providers_vendorpayment_account_id_d1fa6a62 ON public.providers_vendorpayment USING btree (account_id);
CREATE INDEX providers_vendorusage_account_id_0bd7064b ON public.providers_vendorusage USING btree (account_id);
CREATE INDEX queue_entry_open ON public.traffic_queueentry USING btree (queue_id, "position", number) WHERE ((rated_at IS NULL) AND (NOT text_deleted));
CREATE INDEX queue_entry_request ON public.traffic_queueentry USING btree (request_id);
CREATE INDEX rating_commented ON public.traffic_rating USING btree (day) WHERE (NOT (comment = ''::text));
CREATE INDEX rating_day_due ON public.traffic_rating_day USING btree (day) WHERE agreement_due;
CREATE INDEX rating_day_of_person ON public.traffic_rating USING btree (rater_id, created_at) WHERE (rater_id IS NOT NULL);
CREATE INDEX rating_look ON public.traffic_rating USING btree (application_id, look_at) WHERE (request_id IS NULL);
CREATE INDEX rating_marked ON public.traffic_rating USING btree (day) WHERE (rubric_id IS NOT NULL);
CREATE INDEX rating_of_person ON public.traffic_rating USING btree (rater_id, id DESC) WHERE (rater_id IS NOT NULL);
CREATE INDEX rating_waiting ON public.traffic_rating USING btree (response_id) WHERE (request_id IS NULL);
CREATE INDEX sample_of_an_alert ON public.alerts_sample USING btree (alert_id, at);
CREATE INDEX session_expires ON public.dashboard_session USING btree (expire_date);
CREATE INDEX traffic_abstention_rater_id_f0c795c1 ON public.traffic_abstention USING btree (rater_id);
CREATE INDEX traffic_answerset_by_id_712434c4 ON public.traffic_answerset USING btree (by_id);
CREATE INDEX traffic_application_members_application_id_faf3100e ON public.traffic_application_members USING btree (application_id);
CREATE INDEX traffic_application_members_user_id_312aaf9c ON public.traffic_application_members USING btree (user_id);
CREATE INDEX traffic_application_owner_id_d8642522 ON public.traffic_application USING btree (owner_id);
CREATE INDEX traffic_application_slug_a51e3c34_like ON public.traffic_application USING btree (slug varchar_pattern_ops);
CREATE INDEX traffic_cachesaving_application_id_22c41b62 ON public.traffic_cachesaving USING btree (application_id);
CREATE INDEX traffic_cap_application_id_8e320eba ON public.traffic_cap USING btree (application_id);
CREATE INDEX traffic_cap_key_id_53875815 ON public.traffic_cap USING btree (key_id);
CREATE INDEX traffic_capuse_cap_id_3e00f964 ON public.traffic_capuse USING btree (cap_id);
CREATE INDEX traffic_deadkeyuse_key_id_6a3b109f ON public.traffic_deadkeyuse USING btree (key_id);
CREATE INDEX traffic_erasure_by_id_6ed5f187 ON public.traffic_erasure USING btree (by_id);
CREATE INDEX traffic_fallback_deployment_id_c999798c ON public.traffic_fallback USING btree (deployment_id);
CREATE INDEX traffic_fallback_route_id_a6bb56e2 ON public.traffic_fallback USING btree (route_id);
CREATE INDEX traffic_feedbacklink_application_id_582b5fb5 ON public.traffic_feedbacklink USING btree (application_id);
CREATE INDEX traffic_feedbacklink_expires_at_8b81e871 ON public.traffic_feedbacklink USING btree (expires_at);
CREATE INDEX traffic_heldobject_application_id_e8d4e482 ON public.traffic_heldobject USING btree (application_id);
CREATE INDEX traffic_heldobject_deployment_id_1fc180c8 ON public.traffic_heldobject USING btree (deployment_id);
CREATE INDEX traffic_import_by_id_d63f125c ON public.traffic_import USING btree (by_id);
CREATE INDEX traffic_jud_request_f0ad5d_idx ON public.traffic_judgescore USING btree (request_id);
CREATE INDEX traffic_judge_deployment_id_8e12e89a ON public.traffic_judge USING btree (deployment_id);
CREATE INDEX traffic_judge_task_1e306b77_like ON public.traffic_judge USING btree (task varchar_pattern_ops);
CREATE INDEX traffic_judgescore_judge_id_5e89e1e9 ON public.traffic_judgescore USING btree (judge_id);
CREATE INDEX traffic_key_application_id_e987f0a3 ON public.traffic_key USING btree (application_id);
CREATE INDEX traffic_key_created_by_id_937239f3 ON public.traffic_key USING btree (created_by_id);
CREATE INDEX traffic_key_first_id_24717069 ON public.traffic_key USING btree (first_id);
CREATE INDEX traffic_key_replaces_id_a1f5a92e ON public.traffic_key USING btree (replaces_id);
CREATE INDEX traffic_keyuse_key_id_42c6a18d ON public.traffic_keyuse USING btree (key_id);
CREATE INDEX traffic_pair_application_id_5bc01645 ON public.traffic_pair USING btree (application_id);
CREATE INDEX traffic_pair_baseline_id_3f889141 ON public.traffic_pair USING btree (baseline_id);
CREATE INDEX traffic_pair_candidate_id_6ef43d6e ON public.traffic_pair USING btree (candidate_id);
CREATE INDEX traffic_pair_prompt_application_id_94849606 ON public.traffic_pair USING btree (prompt_application_id);
CREATE INDEX traffic_pairassignment_pair_id_6d02083b ON public.traffic_pairassignment USING btree (pair_id);
CREATE INDEX traffic_pairassignment_rater_id_5ff378ea ON public.traffic_pairassignment USING btree (rater_id);
CREATE INDEX traffic_pairchoice_pair_id_05892796 ON public.traffic_pairchoice USING btree (pair_id);
CREATE INDEX traffic_pairchoice_rater_id_911cc600 ON public.traffic_pairchoice USING btree (rater_id);
CREATE INDEX traffic_queueentry_application_id_7582ae6d ON public.traffic_queueentry USING btree (application_id);
CREATE INDEX traffic_queueentry_queue_id_4f14b035 ON public.traffic_queueentry USING btree (queue_id);
CREATE INDEX traffic_queueentry_rater_id_e1653730 ON public.traffic_queueentry USING btree (rater_id);
CREATE INDEX traffic_rat_day_452b02_idx ON public.traffic_rating USING btree (day, deployment_id);
CREATE INDEX traffic_rating_application_id_4c2cf680 ON public.traffic_rating USING btree (application_id);
CREATE INDEX traffic_rating_deployment_id_2fe9aac8 ON public.traffic_rating USING btree (deployment_id);
CREATE INDEX traffic_rating_rater_id_d6fc393e ON public.traffic_rating USING btree (rater_id);
CREATE INDEX traffic_rating_rubric_id_6b18d8ca ON public.traffic_rating USING btree (rubric_id);
CREATE INDEX traffic_ratingdraft_rater_id_d96196dd ON public.traffic_ratingdraft USING btree (rater_id);
CREATE INDEX traffic_ratingqueue_application_id_67e9eba1 ON public.traffic_ratingqueue USING btree (application_id);
CREATE INDEX traffic_ratingqueue_by_id_d22ceeeb ON public.traffic_ratingqueue USING btree (by_id);
CREATE INDEX traffic_ratingqueue_deployment_id_8158a95f ON public.traffic_ratingqueue USING btree (deployment_id);
CREATE INDEX traffic_ratingqueue_raters_ratingqueue_id_12d01b6d ON public.traffic_ratingqueue_raters USING btree (ratingqueue_id);
CREATE INDEX traffic_ratingqueue_raters_user_id_43c350ff ON public.traffic_ratingqueue_raters USING btree (user_id);
CREATE INDEX traffic_ratingqueue_rubric_id_4b263678 ON public.traffic_ratingqueue USING btree (rubric_id);
CREATE INDEX traffic_repricedday_repricing_id_5490d6f4 ON public.traffic_repricedday USING btree (repricing_id);
CREATE INDEX traffic_repricing_by_id_b6ccd5ef ON public.traffic_repricing USING btree (by_id);
CREATE INDEX traffic_repricing_undone_by_id_0677486d ON public.traffic_repricing USING btree (undone_by_id);
CREATE INDEX traffic_request_body_unmarked ON ONLY public.traffic_request_body USING btree (day) WHERE ((marks IS NULL) AND (answer IS NOT NULL));
CREATE INDEX traffic_request_body_words ON ONLY public.traffic_request_body USING gin (to_tsvector('simple'::regconfig, regexp_replace((("left"(COALESCE(prompt, ''::text), 100000) || ' '::text) || "left"(COALESCE(answer, ''::text), 100000)), '(\S{60})'::text, '\1 '::text, 'g'::text)));
CREATE INDEX traffic_request_import ON ONLY public.traffic_request USING btree (import_id, id) WHERE (import_id IS NOT NULL);
CREATE INDEX traffic_request_odd ON ONLY public.traffic_request USING btree ((started_at AT TIME ZONE 'UTC'::text), id) WHERE ((outcome <> 'ok'::text) OR (uncached_input IS NULL) OR ((cost IS NULL) AND (cost_reason = ANY (ARRAY['unknown_model'::text, 'unknown_rate'::text]))));
CREATE UNIQUE INDEX traffic_request_response ON ONLY public.traffic_request USING btree (day, response_hash);
CREATE INDEX traffic_request_short ON ONLY public.traffic_request USING btree (COALESCE(application_id, (0)::bigint), response_id, (started_at AT TIME ZONE 'UTC'::text)) WHERE (length(response_id) < 20);
CREATE INDEX traffic_request_started ON ONLY public.traffic_request USING btree (started_at, id);
CREATE INDEX traffic_route_applications_application_id_d6576ff2 ON public.traffic_route_applications USING btree (application_id);
CREATE INDEX traffic_route_applications_route_id_7328ba7a ON public.traffic_route_applications USING btree (route_id);
CREATE INDEX traffic_route_canary_id_ce0cca97 ON public.traffic_route USING btree (canary_id);
CREATE INDEX traffic_route_deployment_id_07f2907a ON public.traffic_route USING btree (deployment_id);
CREATE INDEX traffic_route_shadow_id_e6fbf276 ON public.traffic_route USING btree (shadow_id);
CREATE INDEX traffic_route_slug_4ca7a7d1_like ON public.traffic_route USING btree (slug varchar_pattern_ops);
CREATE INDEX traffic_rubric_by_id_3eeb4cfb ON public.traffic_rubric USING btree (by_id);
CREATE INDEX traffic_setaside_imported_id_990ba8c3 ON public.traffic_setaside USING btree (imported_id);
CREATE INDEX traffic_setitem_answer_set_id_facb85d3 ON public.traffic_setitem USING btree (answer_set_id);
CREATE INDEX traffic_setitem_application_id_5368813b ON public.traffic_setitem USING btree (application_id);
CREATE INDEX traffic_setitem_deployment_id_59e43476 ON public.traffic_setitem USING btree (deployment_id);
CREATE INDEX traffic_setitem_prompt_request_3ea7e3f0 ON public.traffic_setitem USING btree (prompt_request);
CREATE INDEX traffic_setitem_request_id_ddac0c9b ON public.traffic_setitem USING btree (request_id);
CREATE INDEX traffic_shadowcopy_application_id_7679fdf2 ON public.traffic_shadowcopy USING btree (application_id);
CREATE INDEX traffic_shadowcopy_baseline_id_65dd0ab0 ON public.traffic_shadowcopy USING btree (baseline_id);
CREATE INDEX traffic_shadowcopy_candidate_id_d7dc235e ON public.traffic_shadowcopy USING btree (candidate_id);
CREATE INDEX traffic_span_link_parent ON ONLY public.traffic_span_link USING btree (day, parent);
CREATE INDEX traffic_tri_step_id_c72158_idx ON public.traffic_trialcall USING btree (step_id, state);
CREATE INDEX traffic_trial_baseline_id_cf72c64a ON public.traffic_trial USING btree (baseline_id);
CREATE INDEX traffic_trial_by_id_73df29b8 ON public.traffic_trial USING btree (by_id);
CREATE INDEX traffic_trial_candidate_id_52ad1dda ON public.traffic_trial USING btree (candidate_id);
CREATE INDEX traffic_trialcall_prompt_id_cad1bac7 ON public.traffic_trialcall USING btree (prompt_id);
CREATE INDEX traffic_trialcall_step_id_b77778c8 ON public.traffic_trialcall USING btree (step_id);
CREATE INDEX traffic_trialprompt_answered_by_id_d7d881ce ON public.traffic_trialprompt USING btree (answered_by_id);
CREATE INDEX traffic_trialprompt_application_id_87ce6495 ON public.traffic_trialprompt USING btree (application_id);
CREATE INDEX traffic_trialprompt_set_item_id_aa3faf69 ON public.traffic_trialprompt USING btree (set_item_id);
CREATE INDEX traffic_trialprompt_trial_id_b7b45bfd ON public.traffic_trialprompt USING btree (trial_id);
CREATE INDEX traffic_trialstep_deployment_id_c58e1faf ON public.traffic_trialstep USING btree (deployment_id);
CREATE INDEX traffic_trialstep_trial_id_493c00bb ON public.traffic_trialstep USING btree (trial_id);
CREATE INDEX traffic_unread_application_id_023a6a0f ON public.traffic_unread USING btree (application_id);
CREATE INDEX traffic_waitingtext_application_id_6c62e134 ON public.traffic_waitingtext USING btree (application_id);
CREATE INDEX trial_call_request ON public.traffic_trialcall USING btree (request_id) WHERE (request_id IS NOT NULL);
CREATE INDEX waiting_text_arrived ON public.traffic_waitingtext USING btree (arrived_at);
CREATE INDEX waiting_text_due ON public.traffic_waitingtext USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE TRIGGER audit_is_append_only BEFORE DELETE OR UPDATE ON public.providers_auditentry FOR EACH ROW EXECUTE FUNCTION public.audit_is_append_only();
CREATE TRIGGER audit_is_append_only BEFORE DELETE ON public.providers_auditkey FOR EACH ROW EXECUTE FUNCTION public.audit_is_append_only();
CREATE TRIGGER audit_is_append_only BEFORE DELETE OR UPDATE ON public.providers_auditseal FOR EACH ROW EXECUTE FUNCTION public.audit_is_append_only();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON public.providers_auditentry FOR EACH STATEMENT EXECUTE FUNCTION public.audit_is_append_only();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON public.providers_auditseal FOR EACH STATEMENT EXECUTE FUNCTION public.audit_is_append_only();
CREATE TRIGGER costs_decision_is_final BEFORE DELETE OR UPDATE ON public.costs_decision FOR EACH ROW EXECUTE FUNCTION public.costs_decision_is_final();
CREATE TRIGGER ratings_by_day_added AFTER INSERT ON public.traffic_rating REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION public.traffic_ratings_by_day();
CREATE TRIGGER ratings_by_day_changed AFTER UPDATE ON public.traffic_rating REFERENCING OLD TABLE AS gone NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION public.traffic_ratings_by_day();
CREATE TRIGGER ratings_by_day_deleted AFTER DELETE ON public.traffic_rating REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION public.traffic_ratings_by_day();
ALTER TABLE ONLY public.alerts_alert
    ADD CONSTRAINT alerts_alert_acknowledged_by_id_6e4e3b9d_fk_auth_user_id FOREIGN KEY (acknowledged_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_alert
    ADD CONSTRAINT alerts_alert_assigned_to_id_ed0310cd_fk_auth_user_id FOREIGN KEY (assigned_to_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_alert
    ADD CONSTRAINT alerts_alert_rule_id_74644b2d_fk_alerts_rule_id FOREIGN KEY (rule_id) REFERENCES public.alerts_rule(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_delivery
    ADD CONSTRAINT alerts_delivery_alert_id_527311ab_fk_alerts_alert_id FOREIGN KEY (alert_id) REFERENCES public.alerts_alert(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_delivery
    ADD CONSTRAINT alerts_delivery_folded_into_id_ed097356_fk_alerts_delivery_id FOREIGN KEY (folded_into_id) REFERENCES public.alerts_delivery(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_delivery
    ADD CONSTRAINT alerts_delivery_report_id_38893010_fk_alerts_report_id FOREIGN KEY (report_id) REFERENCES public.alerts_report(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_delivery
    ADD CONSTRAINT alerts_delivery_transition_id_0a5d8bce_fk_alerts_transition_id FOREIGN KEY (transition_id) REFERENCES public.alerts_transition(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_optout
    ADD CONSTRAINT alerts_optout_rule_id_2745d433_fk_alerts_rule_id FOREIGN KEY (rule_id) REFERENCES public.alerts_rule(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_preference
    ADD CONSTRAINT alerts_preference_person_id_b8d96810_fk_auth_user_id FOREIGN KEY (person_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_report
    ADD CONSTRAINT alerts_report_person_id_a3eaed46_fk_auth_user_id FOREIGN KEY (person_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_rule_channels
    ADD CONSTRAINT alerts_rule_channels_channel_id_da2fece5_fk_alerts_channel_id FOREIGN KEY (channel_id) REFERENCES public.alerts_channel(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_rule_channels
    ADD CONSTRAINT alerts_rule_channels_rule_id_613b08c3_fk_alerts_rule_id FOREIGN KEY (rule_id) REFERENCES public.alerts_rule(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_rule_recipients
    ADD CONSTRAINT alerts_rule_recipients_rule_id_f4e2e6cf_fk_alerts_rule_id FOREIGN KEY (rule_id) REFERENCES public.alerts_rule(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_rule_recipients
    ADD CONSTRAINT alerts_rule_recipients_user_id_64aae95a_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_sample
    ADD CONSTRAINT alerts_sample_alert_id_c67a8633_fk_alerts_alert_id FOREIGN KEY (alert_id) REFERENCES public.alerts_alert(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_savedview
    ADD CONSTRAINT alerts_savedview_owner_id_7a625b9c_fk_auth_user_id FOREIGN KEY (owner_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_silence
    ADD CONSTRAINT alerts_silence_by_id_83726dd7_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_transition
    ADD CONSTRAINT alerts_transition_alert_id_21b82e6e_fk_alerts_alert_id FOREIGN KEY (alert_id) REFERENCES public.alerts_alert(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.alerts_transition
    ADD CONSTRAINT alerts_transition_by_id_3494f1fb_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissio_permission_id_84c5c92e_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_b120cbf9_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_2f476e4b_fk_django_co FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_group_id_97559544_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_user_id_6a12ed8b_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permi_permission_id_1fbb5f2c_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_user_id_a95ead1b_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_anomaly
    ADD CONSTRAINT costs_anomaly_dismissed_by_id_bc7f5252_fk_auth_user_id FOREIGN KEY (dismissed_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_billimport
    ADD CONSTRAINT costs_billimport_by_id_1a3ef67c_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_budget
    ADD CONSTRAINT costs_budget_application_id_be91574a_fk_traffic_application_id FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_budget
    ADD CONSTRAINT costs_budget_owner_id_b7f8e4b1_fk_auth_user_id FOREIGN KEY (owner_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_charge
    ADD CONSTRAINT costs_charge_account_id_0e88f9c2_fk_providers_account_id FOREIGN KEY (account_id) REFERENCES public.providers_account(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_charge
    ADD CONSTRAINT costs_charge_application_id_5615dd4c_fk_traffic_application_id FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_charge
    ADD CONSTRAINT costs_charge_bill_import_id_6c4f71f1_fk_costs_billimport_id FOREIGN KEY (bill_import_id) REFERENCES public.costs_billimport(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_charge
    ADD CONSTRAINT costs_charge_closing_id_3ef06f7b_fk_costs_closing_id FOREIGN KEY (closing_id) REFERENCES public.costs_closing(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_charge
    ADD CONSTRAINT costs_charge_corrects_id_47fa3cf7_fk_costs_charge_id FOREIGN KEY (corrects_id) REFERENCES public.costs_charge(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_charge
    ADD CONSTRAINT costs_charge_entered_by_id_17f19a68_fk_auth_user_id FOREIGN KEY (entered_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_charge
    ADD CONSTRAINT costs_charge_lease_id_1b1f6d07_fk_providers_lease_id FOREIGN KEY (lease_id) REFERENCES public.providers_lease(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_charge
    ADD CONSTRAINT costs_charge_receipt_id_24d07dbd_fk_costs_receipt_id FOREIGN KEY (receipt_id) REFERENCES public.costs_receipt(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_charge
    ADD CONSTRAINT costs_charge_recurrence_id_21240064_fk_costs_recurrence_id FOREIGN KEY (recurrence_id) REFERENCES public.costs_recurrence(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_closing
    ADD CONSTRAINT costs_closing_account_id_a4f02eee_fk_providers_account_id FOREIGN KEY (account_id) REFERENCES public.providers_account(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_closing
    ADD CONSTRAINT costs_closing_closed_by_id_e6dbfdd0_fk_auth_user_id FOREIGN KEY (closed_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_closing
    ADD CONSTRAINT costs_closing_receipt_id_00d3f6c7_fk_costs_receipt_id FOREIGN KEY (receipt_id) REFERENCES public.costs_receipt(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_effort
    ADD CONSTRAINT costs_effort_by_id_626e3f3a_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_exchangerate
    ADD CONSTRAINT costs_exchangerate_entered_by_id_8652182e_fk_auth_user_id FOREIGN KEY (entered_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_exporttarget
    ADD CONSTRAINT costs_exporttarget_created_by_id_4a7770a7_fk_auth_user_id FOREIGN KEY (created_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_finding
    ADD CONSTRAINT costs_finding_application_id_1ba81953_fk_traffic_application_id FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_finding
    ADD CONSTRAINT costs_finding_decided_by_id_db5afd15_fk_auth_user_id FOREIGN KEY (decided_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_finding
    ADD CONSTRAINT costs_finding_lease_id_4ee6f8a7_fk_providers_lease_id FOREIGN KEY (lease_id) REFERENCES public.providers_lease(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_justification
    ADD CONSTRAINT costs_justification_by_id_62dd1afb_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_keyowner
    ADD CONSTRAINT costs_keyowner_account_id_35e52cd8_fk_providers_account_id FOREIGN KEY (account_id) REFERENCES public.providers_account(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_keyowner
    ADD CONSTRAINT costs_keyowner_application_id_2f8d9f20_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_keyowner
    ADD CONSTRAINT costs_keyowner_set_by_id_e6d5adc9_fk_auth_user_id FOREIGN KEY (set_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_nogo
    ADD CONSTRAINT costs_nogo_by_id_8eb606a6_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_opsworkloadlimit
    ADD CONSTRAINT costs_opsworkloadlimit_by_id_eedc5ea2_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_receipt
    ADD CONSTRAINT costs_receipt_uploaded_by_id_934e8fd9_fk_auth_user_id FOREIGN KEY (uploaded_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_recurrence
    ADD CONSTRAINT costs_recurrence_application_id_99b54e89_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_recurrence
    ADD CONSTRAINT costs_recurrence_entered_by_id_95bc2c30_fk_auth_user_id FOREIGN KEY (entered_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_recurrence
    ADD CONSTRAINT costs_recurrence_receipt_id_33e3cf37_fk_costs_receipt_id FOREIGN KEY (receipt_id) REFERENCES public.costs_receipt(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_sharing
    ADD CONSTRAINT costs_sharing_set_by_id_aeaa8586_fk_auth_user_id FOREIGN KEY (set_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_taskmodel
    ADD CONSTRAINT costs_taskmodel_by_id_5d95d022_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_tolerance
    ADD CONSTRAINT costs_tolerance_set_by_id_b208857e_fk_auth_user_id FOREIGN KEY (set_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.costs_whatif
    ADD CONSTRAINT costs_whatif_by_id_180b8007_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_balance
    ADD CONSTRAINT providers_balance_account_id_957f1aff_fk_providers_account_id FOREIGN KEY (account_id) REFERENCES public.providers_account(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_checkhour
    ADD CONSTRAINT providers_checkhour_deployment_id_9a88f89c_fk_providers FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_deployment
    ADD CONSTRAINT providers_deployment_lease_id_32fe574d_fk_providers_lease_id FOREIGN KEY (lease_id) REFERENCES public.providers_lease(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_discount
    ADD CONSTRAINT providers_discount_account_id_76da1d15_fk_providers_account_id FOREIGN KEY (account_id) REFERENCES public.providers_account(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_discount
    ADD CONSTRAINT providers_discount_entered_by_id_d1a0302f_fk_auth_user_id FOREIGN KEY (entered_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_enginebucket
    ADD CONSTRAINT providers_enginebuck_deployment_id_09fa3ee3_fk_providers FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_enginereading
    ADD CONSTRAINT providers_engineread_deployment_id_71e4a4e2_fk_providers FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_feed
    ADD CONSTRAINT providers_feed_account_id_9169299d_fk_providers_account_id FOREIGN KEY (account_id) REFERENCES public.providers_account(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_heartbeatping
    ADD CONSTRAINT providers_heartbeatp_heartbeat_id_6b2b2429_fk_providers FOREIGN KEY (heartbeat_id) REFERENCES public.providers_heartbeat(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_heartbeatspan
    ADD CONSTRAINT providers_heartbeats_heartbeat_id_9247a8d5_fk_providers FOREIGN KEY (heartbeat_id) REFERENCES public.providers_heartbeat(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_lease
    ADD CONSTRAINT providers_lease_account_id_7e192840_fk_providers_account_id FOREIGN KEY (account_id) REFERENCES public.providers_account(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_leasespan
    ADD CONSTRAINT providers_leasespan_lease_id_6e908688_fk_providers_lease_id FOREIGN KEY (lease_id) REFERENCES public.providers_lease(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_maintenance
    ADD CONSTRAINT providers_maintenanc_deployment_id_ddfdaa56_fk_providers FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_outage
    ADD CONSTRAINT providers_outage_deployment_id_ecee9607_fk_providers FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_statuspage_deployments
    ADD CONSTRAINT providers_statuspage_deployment_id_57bc6530_fk_providers FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_statuspage_heartbeats
    ADD CONSTRAINT providers_statuspage_heartbeat_id_674f0cd8_fk_providers FOREIGN KEY (heartbeat_id) REFERENCES public.providers_heartbeat(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_statuspage_heartbeats
    ADD CONSTRAINT providers_statuspage_statuspage_id_3d25c56c_fk_providers FOREIGN KEY (statuspage_id) REFERENCES public.providers_statuspage(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_statuspage_deployments
    ADD CONSTRAINT providers_statuspage_statuspage_id_71992723_fk_providers FOREIGN KEY (statuspage_id) REFERENCES public.providers_statuspage(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_tokenprice
    ADD CONSTRAINT providers_tokenprice_entered_by_id_4c03e137_fk_auth_user_id FOREIGN KEY (entered_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_unitprice
    ADD CONSTRAINT providers_unitprice_entered_by_id_3b7e0893_fk_auth_user_id FOREIGN KEY (entered_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_vendorcost
    ADD CONSTRAINT providers_vendorcost_account_id_544c7fc2_fk_providers FOREIGN KEY (account_id) REFERENCES public.providers_account(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_vendorname
    ADD CONSTRAINT providers_vendorname_account_id_eecf001c_fk_providers FOREIGN KEY (account_id) REFERENCES public.providers_account(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_vendorpayment
    ADD CONSTRAINT providers_vendorpaym_account_id_d1fa6a62_fk_providers FOREIGN KEY (account_id) REFERENCES public.providers_account(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.providers_vendorusage
    ADD CONSTRAINT providers_vendorusag_account_id_0bd7064b_fk_providers FOREIGN KEY (account_id) REFERENCES public.providers_account(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_abstention
    ADD CONSTRAINT traffic_abstention_rater_id_f0c795c1_fk_auth_user_id FOREIGN KEY (rater_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_answerset
    ADD CONSTRAINT traffic_answerset_by_id_712434c4_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_application_members
    ADD CONSTRAINT traffic_application__application_id_faf3100e_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_application_members
    ADD CONSTRAINT traffic_application_members_user_id_312aaf9c_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_application
    ADD CONSTRAINT traffic_application_owner_id_d8642522_fk_auth_user_id FOREIGN KEY (owner_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_cachesaving
    ADD CONSTRAINT traffic_cachesaving_application_id_22c41b62_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_cap
    ADD CONSTRAINT traffic_cap_application_id_8e320eba_fk_traffic_application_id FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_cap
    ADD CONSTRAINT traffic_cap_key_id_53875815_fk_traffic_key_id FOREIGN KEY (key_id) REFERENCES public.traffic_key(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_capuse
    ADD CONSTRAINT traffic_capuse_cap_id_3e00f964_fk_traffic_cap_id FOREIGN KEY (cap_id) REFERENCES public.traffic_cap(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_deadkeyuse
    ADD CONSTRAINT traffic_deadkeyuse_key_id_6a3b109f_fk_traffic_key_id FOREIGN KEY (key_id) REFERENCES public.traffic_key(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_erasure
    ADD CONSTRAINT traffic_erasure_by_id_6ed5f187_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_fallback
    ADD CONSTRAINT traffic_fallback_deployment_id_c999798c_fk_providers FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_fallback
    ADD CONSTRAINT traffic_fallback_route_id_a6bb56e2_fk_traffic_route_id FOREIGN KEY (route_id) REFERENCES public.traffic_route(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_heldobject
    ADD CONSTRAINT traffic_heldobject_application_id_e8d4e482_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_heldobject
    ADD CONSTRAINT traffic_heldobject_deployment_id_1fc180c8_fk_providers FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_import
    ADD CONSTRAINT traffic_import_by_id_d63f125c_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_judge
    ADD CONSTRAINT traffic_judge_deployment_id_8e12e89a_fk_providers_deployment_id FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_judgescore
    ADD CONSTRAINT traffic_judgescore_judge_id_5e89e1e9_fk_traffic_judge_id FOREIGN KEY (judge_id) REFERENCES public.traffic_judge(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_key
    ADD CONSTRAINT traffic_key_application_id_e987f0a3_fk_traffic_application_id FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_key
    ADD CONSTRAINT traffic_key_created_by_id_937239f3_fk_auth_user_id FOREIGN KEY (created_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_key
    ADD CONSTRAINT traffic_key_first_id_24717069_fk_traffic_key_id FOREIGN KEY (first_id) REFERENCES public.traffic_key(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_key
    ADD CONSTRAINT traffic_key_replaces_id_a1f5a92e_fk_traffic_key_id FOREIGN KEY (replaces_id) REFERENCES public.traffic_key(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_keyuse
    ADD CONSTRAINT traffic_keyuse_key_id_42c6a18d_fk_traffic_key_id FOREIGN KEY (key_id) REFERENCES public.traffic_key(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_pairassignment
    ADD CONSTRAINT traffic_pairassignment_pair_id_6d02083b_fk_traffic_pair_id FOREIGN KEY (pair_id) REFERENCES public.traffic_pair(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_pairassignment
    ADD CONSTRAINT traffic_pairassignment_rater_id_5ff378ea_fk_auth_user_id FOREIGN KEY (rater_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_pairchoice
    ADD CONSTRAINT traffic_pairchoice_pair_id_05892796_fk_traffic_pair_id FOREIGN KEY (pair_id) REFERENCES public.traffic_pair(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_pairchoice
    ADD CONSTRAINT traffic_pairchoice_rater_id_911cc600_fk_auth_user_id FOREIGN KEY (rater_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_queueentry
    ADD CONSTRAINT traffic_queueentry_application_id_7582ae6d_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_queueentry
    ADD CONSTRAINT traffic_queueentry_queue_id_4f14b035_fk_traffic_ratingqueue_id FOREIGN KEY (queue_id) REFERENCES public.traffic_ratingqueue(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_queueentry
    ADD CONSTRAINT traffic_queueentry_rater_id_e1653730_fk_auth_user_id FOREIGN KEY (rater_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_raterpreference
    ADD CONSTRAINT traffic_raterpreference_person_id_862e230c_fk_auth_user_id FOREIGN KEY (person_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_rating
    ADD CONSTRAINT traffic_rating_rater_id_d6fc393e_fk_auth_user_id FOREIGN KEY (rater_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_rating
    ADD CONSTRAINT traffic_rating_rubric_id_6b18d8ca_fk_traffic_rubric_id FOREIGN KEY (rubric_id) REFERENCES public.traffic_rubric(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_ratingdraft
    ADD CONSTRAINT traffic_ratingdraft_rater_id_d96196dd_fk_auth_user_id FOREIGN KEY (rater_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_ratingqueue_raters
    ADD CONSTRAINT traffic_ratingqueue__ratingqueue_id_12d01b6d_fk_traffic_r FOREIGN KEY (ratingqueue_id) REFERENCES public.traffic_ratingqueue(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_ratingqueue
    ADD CONSTRAINT traffic_ratingqueue_application_id_67e9eba1_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_ratingqueue
    ADD CONSTRAINT traffic_ratingqueue_by_id_d22ceeeb_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_ratingqueue
    ADD CONSTRAINT traffic_ratingqueue_deployment_id_8158a95f_fk_providers FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_ratingqueue_raters
    ADD CONSTRAINT traffic_ratingqueue_raters_user_id_43c350ff_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_ratingqueue
    ADD CONSTRAINT traffic_ratingqueue_rubric_id_4b263678_fk_traffic_rubric_id FOREIGN KEY (rubric_id) REFERENCES public.traffic_rubric(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_repricedday
    ADD CONSTRAINT traffic_repricedday_repricing_id_5490d6f4_fk_traffic_r FOREIGN KEY (repricing_id) REFERENCES public.traffic_repricing(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_repricing
    ADD CONSTRAINT traffic_repricing_by_id_b6ccd5ef_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_repricing
    ADD CONSTRAINT traffic_repricing_undone_by_id_0677486d_fk_auth_user_id FOREIGN KEY (undone_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_route_applications
    ADD CONSTRAINT traffic_route_applic_application_id_d6576ff2_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_route_applications
    ADD CONSTRAINT traffic_route_applic_route_id_7328ba7a_fk_traffic_r FOREIGN KEY (route_id) REFERENCES public.traffic_route(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_route
    ADD CONSTRAINT traffic_route_canary_id_ce0cca97_fk_providers_deployment_id FOREIGN KEY (canary_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_route
    ADD CONSTRAINT traffic_route_deployment_id_07f2907a_fk_providers_deployment_id FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_route
    ADD CONSTRAINT traffic_route_shadow_id_e6fbf276_fk_providers_deployment_id FOREIGN KEY (shadow_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_routeuse
    ADD CONSTRAINT traffic_routeuse_route_id_88767927_fk_traffic_route_id FOREIGN KEY (route_id) REFERENCES public.traffic_route(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_rubric
    ADD CONSTRAINT traffic_rubric_by_id_3eeb4cfb_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_setaside
    ADD CONSTRAINT traffic_setaside_imported_id_990ba8c3_fk_traffic_import_id FOREIGN KEY (imported_id) REFERENCES public.traffic_import(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_setitem
    ADD CONSTRAINT traffic_setitem_answer_set_id_facb85d3_fk_traffic_answerset_id FOREIGN KEY (answer_set_id) REFERENCES public.traffic_answerset(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_setitem
    ADD CONSTRAINT traffic_setitem_application_id_5368813b_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_setitem
    ADD CONSTRAINT traffic_setitem_deployment_id_59e43476_fk_providers FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_shadowcopy
    ADD CONSTRAINT traffic_shadowcopy_application_id_7679fdf2_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_shadowcopy
    ADD CONSTRAINT traffic_shadowcopy_baseline_id_65dd0ab0_fk_providers FOREIGN KEY (baseline_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_shadowcopy
    ADD CONSTRAINT traffic_shadowcopy_candidate_id_d7dc235e_fk_providers FOREIGN KEY (candidate_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_trial
    ADD CONSTRAINT traffic_trial_baseline_id_cf72c64a_fk_providers_deployment_id FOREIGN KEY (baseline_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_trial
    ADD CONSTRAINT traffic_trial_by_id_73df29b8_fk_auth_user_id FOREIGN KEY (by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_trial
    ADD CONSTRAINT traffic_trial_candidate_id_52ad1dda_fk_providers_deployment_id FOREIGN KEY (candidate_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_trialcall
    ADD CONSTRAINT traffic_trialcall_prompt_id_cad1bac7_fk_traffic_trialprompt_id FOREIGN KEY (prompt_id) REFERENCES public.traffic_trialprompt(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_trialcall
    ADD CONSTRAINT traffic_trialcall_step_id_b77778c8_fk_traffic_trialstep_id FOREIGN KEY (step_id) REFERENCES public.traffic_trialstep(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_trialprompt
    ADD CONSTRAINT traffic_trialprompt_answered_by_id_d7d881ce_fk_providers FOREIGN KEY (answered_by_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_trialprompt
    ADD CONSTRAINT traffic_trialprompt_application_id_87ce6495_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_trialprompt
    ADD CONSTRAINT traffic_trialprompt_set_item_id_aa3faf69_fk_traffic_setitem_id FOREIGN KEY (set_item_id) REFERENCES public.traffic_setitem(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_trialprompt
    ADD CONSTRAINT traffic_trialprompt_trial_id_b7b45bfd_fk_traffic_trial_id FOREIGN KEY (trial_id) REFERENCES public.traffic_trial(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_trialstep
    ADD CONSTRAINT traffic_trialstep_deployment_id_c58e1faf_fk_providers FOREIGN KEY (deployment_id) REFERENCES public.providers_deployment(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_trialstep
    ADD CONSTRAINT traffic_trialstep_trial_id_493c00bb_fk_traffic_trial_id FOREIGN KEY (trial_id) REFERENCES public.traffic_trial(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_unread
    ADD CONSTRAINT traffic_unread_application_id_023a6a0f_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.traffic_waitingtext
    ADD CONSTRAINT traffic_waitingtext_application_id_6c62e134_fk_traffic_a FOREIGN KEY (application_id) REFERENCES public.traffic_application(id) DEFERRABLE INITIALLY DEFERRED;
