CREATE TABLE tenant_key (
    tenant_uid uuid        NOT NULL,
    pool_uid   uuid        NOT NULL,
    purpose    text        COLLATE "C" NOT NULL CHECK (purpose IN ('ticket', 'redis', 'login', 'data', 'assertion')),
    key_id     text        COLLATE "C" NOT NULL,
    state      text        COLLATE "C" NOT NULL CHECK (state IN ('next', 'active', 'old', 'dropped')),
    public     bytea,
    sealed     bytea,
    created_at timestamptz NOT NULL,
    not_before timestamptz NOT NULL,
    retire_at  timestamptz,
    revision   bigint      NOT NULL,
    PRIMARY KEY (tenant_uid, pool_uid, purpose, key_id),
    CHECK (state <> 'dropped' OR (sealed IS NULL AND public IS NULL))
);
CREATE UNIQUE INDEX tenant_key_active ON tenant_key (tenant_uid, pool_uid, purpose) WHERE state = 'active';
CREATE INDEX tenant_key_revision ON tenant_key (tenant_uid, revision);
COMMENT ON TABLE tenant_key IS 'Keys of a tenant at an edge pool, sealed with the tenant''s data key. Dropped ones stay without key bytes, so that no key id is used twice.';

CREATE TABLE deployment_secret (
    tenant_uid uuid        NOT NULL CHECK (tenant_uid = '00000000-0000-0000-0000-000000000000'),
    name       text        COLLATE "C" PRIMARY KEY,
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE deployment_secret IS 'Secrets of the whole deployment, such as the internal CA and the key that signs heads, sealed with the deployment''s key.';

CREATE TABLE api_token (
    tenant_uid   uuid        NOT NULL,
    resource_uid uuid        NOT NULL,
    token_id     text        COLLATE "C" NOT NULL UNIQUE,
    hash         bytea       NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_on      date,
    PRIMARY KEY (tenant_uid, resource_uid),
    FOREIGN KEY (tenant_uid, resource_uid) REFERENCES resource (tenant_uid, uid) ON DELETE CASCADE
);
COMMENT ON TABLE api_token IS 'SHA-256 of the secret of each API token, beside its resource.';

CREATE TABLE service_token (
    tenant_uid   uuid        NOT NULL,
    resource_uid uuid        NOT NULL,
    token_id     text        COLLATE "C" NOT NULL UNIQUE,
    hash         bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    PRIMARY KEY (tenant_uid, resource_uid, token_id),
    FOREIGN KEY (tenant_uid, resource_uid) REFERENCES resource (tenant_uid, uid) ON DELETE CASCADE
);
COMMENT ON TABLE service_token IS 'SHA-256 of the secret of each service account''s token.';

CREATE TABLE join_token (
    tenant_uid uuid        NOT NULL,
    token_id   text        COLLATE "C" PRIMARY KEY,
    hash       bytea       NOT NULL,
    pool       text        NOT NULL,
    edge       text        NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX join_token_age ON join_token (expires_at);
COMMENT ON TABLE join_token IS 'SHA-256 of the secret of each join token: good for one edge name, once, for an hour at most.';

ALTER TABLE tenant_key        ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE deployment_secret ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE api_token         ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE service_token     ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE join_token        ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY wall ON tenant_key TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON deployment_secret TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON api_token TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON service_token TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);
CREATE POLICY wall ON join_token TO sallyport_app
    USING      (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid)
    WITH CHECK (tenant_uid = nullif(current_setting('sallyport.tenant', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_key, api_token, service_token TO sallyport_app;
GRANT SELECT, INSERT ON deployment_secret TO sallyport_app;
GRANT SELECT, INSERT ON join_token TO sallyport_app;
GRANT UPDATE (used_at) ON join_token TO sallyport_app;

CREATE POLICY feed_read ON tenant_key        FOR SELECT TO sallyport_feed USING (true);
CREATE POLICY feed_read ON deployment_secret FOR SELECT TO sallyport_feed USING (true);
CREATE POLICY feed_read ON api_token         FOR SELECT TO sallyport_feed USING (true);
CREATE POLICY feed_read ON service_token     FOR SELECT TO sallyport_feed USING (true);
GRANT SELECT ON tenant_key, deployment_secret, api_token, service_token TO sallyport_feed;
CREATE POLICY feed_used ON api_token FOR UPDATE TO sallyport_feed USING (true) WITH CHECK (true);
GRANT UPDATE (used_on) ON api_token TO sallyport_feed;
CREATE POLICY feed_read  ON join_token FOR SELECT TO sallyport_feed USING (expires_at < now() - interval '7 days');
CREATE POLICY feed_prune ON join_token FOR DELETE TO sallyport_feed USING (expires_at < now() - interval '7 days');
GRANT SELECT (expires_at), DELETE ON join_token TO sallyport_feed;
