CREATE TABLE revocation (
    tenant_uid uuid        NOT NULL,
    uid        uuid        NOT NULL,
    subject    text        COLLATE "C" NOT NULL,
    reason     text        NOT NULL,
    urgent     bigint      NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_uid, uid)
);
CREATE INDEX revocation_subject ON revocation (tenant_uid, subject, urgent DESC);
CREATE INDEX revocation_urgent ON revocation (tenant_uid, urgent);
COMMENT ON TABLE revocation IS 'Whatever of the subject was made under an earlier urgent revision is dead. Expired ones go with an urgent change of their own, because edges hold them.';

CREATE TABLE session (
    tenant_uid uuid        NOT NULL,
    sid        text        COLLATE "C" NOT NULL,
    principal  text        COLLATE "C" NOT NULL,
    email      text        NOT NULL,
    idp        text        NOT NULL,
    began_at   timestamptz NOT NULL,
    began_ip   text        NOT NULL,
    began_edge text        NOT NULL,
    seen_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    end_reason text        NOT NULL DEFAULT '',
    hosts      text[]      NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_uid, sid)
);
CREATE INDEX session_newest ON session (tenant_uid, began_at DESC, sid);
CREATE INDEX session_expiry ON session (expires_at);
COMMENT ON TABLE session IS 'Sign-ins as edges reported them: for lists and for choosing what to revoke. No decision reads it.';

CREATE TABLE access_event (
    tenant_uid  uuid        NOT NULL,
    day         date        NOT NULL,
    edge_uid    uuid        NOT NULL,
    boot        text        COLLATE "C" NOT NULL,
    seq         bigint      NOT NULL,
    id          text        COLLATE "C" NOT NULL,
    at          timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    app         text        NOT NULL,
    principal   text        NOT NULL,
    email       text        NOT NULL,
    outcome     text        NOT NULL,
    reason      text        NOT NULL,
    event       json        NOT NULL,
    PRIMARY KEY (tenant_uid, edge_uid, boot, seq, day)
) PARTITION BY RANGE (day);
CREATE INDEX access_event_newest ON access_event (tenant_uid, id DESC);
CREATE INDEX access_event_received ON access_event (tenant_uid, received_at);
COMMENT ON TABLE access_event IS 'Requests and decisions as edges reported them, one partition a day by the edge''s clock. The event is json, not jsonb: nothing an upstream or a stranger sent can make it unstorable.';
CREATE TABLE access_event_default PARTITION OF access_event DEFAULT;
COMMENT ON TABLE access_event_default IS 'Access events of days that have no partition: an edge''s clock was far off.';

ALTER TABLE revocation           ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE session              ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE access_event         ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
-- Partitions are reached through their parent only; asked directly they show nobody anything.
ALTER TABLE access_event_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON revocation TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON session TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON access_event TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON revocation TO sallyport_app;
GRANT SELECT, DELETE ON session TO sallyport_app;
GRANT UPDATE (ended_at, end_reason) ON session TO sallyport_app;
GRANT SELECT ON access_event TO sallyport_app;

CREATE POLICY feed_read ON revocation FOR SELECT TO sallyport_feed USING (true);
GRANT SELECT ON revocation TO sallyport_feed;
CREATE POLICY feed_read   ON session FOR SELECT TO sallyport_feed USING (true);
CREATE POLICY feed_insert ON session FOR INSERT TO sallyport_feed WITH CHECK (true);
CREATE POLICY feed_update ON session FOR UPDATE TO sallyport_feed USING (true) WITH CHECK (true);
CREATE POLICY feed_prune  ON session FOR DELETE TO sallyport_feed USING (expires_at < now() - interval '30 days');
GRANT SELECT, INSERT, UPDATE, DELETE ON session TO sallyport_feed;
CREATE POLICY feed_read   ON access_event FOR SELECT TO sallyport_feed USING (true);
CREATE POLICY feed_insert ON access_event FOR INSERT TO sallyport_feed WITH CHECK (true);
GRANT SELECT, INSERT ON access_event TO sallyport_feed;

-- Partitions are made and dropped by their owner; the feed may only ask for it. The days kept have a floor, so that
-- whoever holds the feed role cannot drop what happened this month.
CREATE FUNCTION access_event_partitions(ahead integer, keep integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    today     date := (now() AT TIME ZONE 'UTC')::date;
    day       date;
    partition text;
BEGIN
    IF ahead NOT BETWEEN 0 AND 31 OR keep < 31 THEN
        RAISE EXCEPTION 'access_event_partitions: ahead must be 0 to 31, keep at least 31';
    END IF;
    FOR day IN SELECT today + n FROM generate_series(-1, ahead) AS n LOOP
        partition := 'access_event_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('public.' || partition) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE public.%I PARTITION OF public.access_event FOR VALUES FROM (%L) TO (%L)', partition, day, day + 1);
            EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partition);
            EXECUTE format('COMMENT ON TABLE public.%I IS %L', partition, 'Access events of ' || day || '.');
        EXCEPTION
            WHEN duplicate_table OR unique_violation THEN NULL;  -- another replica was first
            WHEN check_violation THEN NULL;  -- the default partition has rows of that day already: they stay there
        END;
    END LOOP;
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.access_event'::regclass AND c.relname ~ '^access_event_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - keep
    LOOP
        EXECUTE format('DROP TABLE public.%I', partition);
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION access_event_partitions(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION access_event_partitions(integer, integer) TO sallyport_feed;
SELECT access_event_partitions(7, 90);
