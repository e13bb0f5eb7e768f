CREATE TABLE edge (
    tenant_uid      uuid        NOT NULL,
    edge_uid        uuid        PRIMARY KEY,
    pool_uid        uuid        NOT NULL,
    name            text        COLLATE "C" NOT NULL,
    hpke_public_key bytea       NOT NULL,
    spki_sha256     bytea       NOT NULL,
    cert_serial     text        NOT NULL,
    cert_expires_at timestamptz NOT NULL,
    enrolled_at     timestamptz NOT NULL DEFAULT now(),
    boot            text        NOT NULL DEFAULT '',
    version         text        NOT NULL,
    seen_at         timestamptz,
    departed_at     timestamptz,
    left_at         timestamptz,
    left_how        text        CHECK (left_how IN ('disabled', 'deleted')),
    keys_due        text        CHECK (keys_due IN ('replace', 'rotate')),
    CHECK ((left_at IS NULL) = (left_how IS NULL))
);
CREATE INDEX edge_pool ON edge (pool_uid);
COMMENT ON TABLE edge IS 'What is known of an enrolled edge beyond its resource: its keys, and when it was last heard. Stays when the edge is disabled or deleted: the keys it held are replaced because of this row.';

-- Unlogged: many small writes, and after a crash of Postgres the edges say it all again.
CREATE UNLOGGED TABLE edge_ack (
    tenant_uid    uuid        NOT NULL,
    edge_uid      uuid        NOT NULL,
    lineage       text        NOT NULL,
    config        bigint      NOT NULL,
    urgent        bigint      NOT NULL,
    closed_apps   text[]      NOT NULL,
    max_staleness interval    NOT NULL,
    refused       json,
    acked_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_uid, edge_uid)
);
COMMENT ON TABLE edge_ack IS 'What each edge last said it enforces of each tenant, and what it refused since. Unlogged: edges say it again.';

ALTER TABLE edge     ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE edge_ack ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON edge TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON edge_ack TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON edge TO sallyport_app;
GRANT SELECT ON edge_ack TO sallyport_app;

CREATE POLICY feed_read ON edge FOR SELECT TO sallyport_feed USING (true);
CREATE POLICY feed_seen ON edge FOR UPDATE TO sallyport_feed USING (true) WITH CHECK (true);
GRANT SELECT ON edge TO sallyport_feed;
GRANT UPDATE (boot, version, seen_at, departed_at, cert_serial, cert_expires_at) ON edge TO sallyport_feed;
CREATE POLICY feed ON edge_ack TO sallyport_feed USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON edge_ack TO sallyport_feed;
