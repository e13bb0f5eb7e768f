CREATE TABLE tenant (
    tenant_uid uuid        PRIMARY KEY,
    id         text        COLLATE "C" NOT NULL,
    lineage    text        COLLATE "C" NOT NULL,
    disabled   boolean     NOT NULL DEFAULT false,
    dek        bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
-- Ids of deleted tenants are free again; uids never are.
CREATE UNIQUE INDEX tenant_id_key ON tenant (id) WHERE deleted_at IS NULL;
COMMENT ON TABLE tenant IS 'One row a tenant, and one for the platform, with its data key wrapped by the deployment''s key.';

-- A row a lane, so that an urgent change neither waits for a config change that is being checked nor makes it start again:
-- people sign out all day long.
CREATE TABLE head (
    tenant_uid uuid   NOT NULL,
    lane       text   COLLATE "C" NOT NULL CHECK (lane IN ('config', 'urgent')),
    revision   bigint NOT NULL DEFAULT 0,
    chain      bytea  NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_uid, lane)
) WITH (fillfactor = 50);
COMMENT ON TABLE head IS 'A tenant''s two gap-free counters, each with the hash chain over its changes. Updating a row is the last step of a transaction that changes the lane, and the lock that orders them.';

CREATE TABLE resource (
    tenant_uid     uuid        NOT NULL,
    kind           text        COLLATE "C" NOT NULL,
    id             text        COLLATE "C" NOT NULL,
    uid            uuid        NOT NULL UNIQUE,
    etag           text        NOT NULL,
    display_name   text        NOT NULL,
    labels         jsonb       NOT NULL,
    annotations    jsonb       NOT NULL,
    managed_by     text        NOT NULL,
    body           jsonb       NOT NULL,
    secret_version bigint      NOT NULL DEFAULT 0,
    revision       bigint      NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_uid, kind, id),
    UNIQUE (tenant_uid, uid)
);
CREATE INDEX resource_revision ON resource (tenant_uid, revision);
COMMENT ON TABLE resource IS 'Whatever admins write, of every kind. The body is the JSON form of the kind''s spec; secrets are in resource_secret. The revision is the config counter of the change that last touched what edges are sent.';

CREATE TABLE resource_secret (
    tenant_uid   uuid  NOT NULL,
    resource_uid uuid  NOT NULL,
    field        text  COLLATE "C" NOT NULL,
    sealed       bytea NOT NULL,
    PRIMARY KEY (tenant_uid, resource_uid, field),
    FOREIGN KEY (tenant_uid, resource_uid) REFERENCES resource (tenant_uid, uid) ON DELETE CASCADE
);
COMMENT ON TABLE resource_secret IS 'Write-only fields of resources, sealed with the tenant''s data key.';

CREATE TABLE reference (
    tenant_uid uuid NOT NULL,
    from_kind  text COLLATE "C" NOT NULL,
    from_id    text COLLATE "C" NOT NULL,
    field      text NOT NULL,
    to_kind    text COLLATE "C" NOT NULL,
    to_id      text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_uid, from_kind, from_id, field),
    FOREIGN KEY (tenant_uid, from_kind, from_id) REFERENCES resource (tenant_uid, kind, id) ON DELETE CASCADE
);
CREATE INDEX reference_to ON reference (tenant_uid, to_kind, to_id);
COMMENT ON TABLE reference IS 'Which resource mentions which, and in what field. Derived from resource.body; says what cannot be deleted.';

CREATE TABLE app_host (
    host       text COLLATE "C" PRIMARY KEY,
    tenant_uid uuid NOT NULL,
    owner_uid  uuid NOT NULL,
    FOREIGN KEY (tenant_uid, owner_uid) REFERENCES resource (tenant_uid, uid) ON DELETE CASCADE
);
CREATE INDEX app_host_owner ON app_host (tenant_uid, owner_uid);
COMMENT ON TABLE app_host IS 'Hosts of apps, and of tenants for signing in: each belongs to one resource of one tenant in the whole deployment.';

CREATE TABLE removed (
    tenant_uid uuid        NOT NULL,
    lane       text        COLLATE "C" NOT NULL CHECK (lane IN ('config', 'urgent')),
    kind       text        COLLATE "C" NOT NULL,
    id         text        COLLATE "C" NOT NULL,
    pool_uid   uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    revision   bigint      NOT NULL,
    removed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_uid, lane, kind, id, pool_uid)
);
CREATE INDEX removed_revision ON removed (tenant_uid, lane, revision);
CREATE INDEX removed_age ON removed (removed_at);
COMMENT ON TABLE removed IS 'What an edge has to forget that comes back within 7 days. Older rows are pruned: then it is sent everything.';

CREATE TABLE change (
    tenant_uid   uuid        NOT NULL,
    lane         text        COLLATE "C" NOT NULL CHECK (lane IN ('config', 'urgent')),
    revision     bigint      NOT NULL CHECK (revision > 0),
    committed_at timestamptz NOT NULL,
    actor        text        NOT NULL,
    actor_kind   text        NOT NULL,
    ip           text        NOT NULL,
    request_id   text        NOT NULL,
    method       text        NOT NULL,
    prev_hash    bytea       NOT NULL,
    hash         bytea       NOT NULL,
    PRIMARY KEY (tenant_uid, lane, revision)
);
CREATE INDEX change_time ON change (tenant_uid, committed_at);
COMMENT ON TABLE change IS 'The audit of changes: one row a revision and lane, chained by hash. Rows are inserted and never touched again; no role of the control plane may.';

CREATE TABLE change_item (
    tenant_uid uuid    NOT NULL,
    lane       text    COLLATE "C" NOT NULL,
    revision   bigint  NOT NULL,
    ordinal    integer NOT NULL,
    name       text    NOT NULL,
    action     text    NOT NULL CHECK (action IN ('CREATE', 'UPDATE', 'DELETE')),
    before     json,
    after      json,
    PRIMARY KEY (tenant_uid, lane, revision, ordinal),
    FOREIGN KEY (tenant_uid, lane, revision) REFERENCES change (tenant_uid, lane, revision)
);
COMMENT ON TABLE change_item IS 'What one change did to each resource, without secrets. Before and after are json, not jsonb: the chain''s hash is over their bytes.';

CREATE TABLE request_seen (
    tenant_uid uuid        NOT NULL,
    actor      text        COLLATE "C" NOT NULL,
    request_id text        COLLATE "C" NOT NULL,
    method     text        NOT NULL,
    digest     bytea       NOT NULL,
    response   bytea       NOT NULL,
    seen_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_uid, actor, request_id)
);
CREATE INDEX request_seen_age ON request_seen (seen_at);
COMMENT ON TABLE request_seen IS 'Answers to requests that carried a request_id, for a day, so that a retry gets the first answer. Sealed with the tenant''s data key.';

ALTER TABLE tenant          ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE head            ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE resource        ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE resource_secret ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE reference       ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE app_host        ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE removed         ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE change          ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE change_item     ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE request_seen    ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY wall ON tenant TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON head TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON resource TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON resource_secret TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON reference TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON app_host TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON removed TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON change TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON change_item TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON request_seen TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);

GRANT SELECT, INSERT ON tenant, head TO sallyport_app;
GRANT UPDATE (disabled, dek, deleted_at) ON tenant TO sallyport_app;
GRANT UPDATE (revision, chain) ON head TO sallyport_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON resource, resource_secret, reference, app_host, removed TO sallyport_app;
GRANT SELECT, INSERT ON change, change_item TO sallyport_app;
GRANT SELECT, INSERT, DELETE ON request_seen TO sallyport_app;

-- The feed reads across tenants what it needs to build snapshots, and may prune what is too old to matter, only that.
CREATE POLICY feed_read ON tenant          FOR SELECT TO sallyport_feed USING (true);
CREATE POLICY feed_read ON head            FOR SELECT TO sallyport_feed USING (true);
CREATE POLICY feed_read ON resource        FOR SELECT TO sallyport_feed USING (true);
CREATE POLICY feed_read ON resource_secret FOR SELECT TO sallyport_feed USING (true);
CREATE POLICY feed_read ON removed         FOR SELECT TO sallyport_feed USING (true);
CREATE POLICY feed_read ON change          FOR SELECT TO sallyport_feed USING (true);
GRANT SELECT ON tenant, head, resource, resource_secret, removed TO sallyport_feed;
GRANT SELECT (tenant_uid, lane, revision, committed_at, hash) ON change TO sallyport_feed;

CREATE POLICY feed_read  ON request_seen FOR SELECT TO sallyport_feed USING (seen_at < now() - interval '1 day');
CREATE POLICY feed_prune ON request_seen FOR DELETE TO sallyport_feed USING (seen_at < now() - interval '1 day');
GRANT SELECT (seen_at), DELETE ON request_seen TO sallyport_feed;
CREATE POLICY feed_prune ON removed FOR DELETE TO sallyport_feed USING (removed_at < now() - interval '7 days');
GRANT DELETE ON removed TO sallyport_feed;
