-- The schema that the migrations make, as the catalog tells it. For reading and for reviews; nothing runs it.
-- Written by: go test ./controlplane/store -run TestSchemaFile -update

CREATE TABLE access_event PARTITION BY RANGE (day)
-- Requests and decisions as edges reported them, one partition a day by the edge's clock. The event is json, not jsonb: nothing an upstream or a stranger sent can make it unstorable.
    tenant_uid uuid NOT NULL
    day date NOT NULL
    edge_uid uuid NOT NULL
    boot text COLLATE "C" NOT NULL
    seq bigint NOT NULL
    id text COLLATE "C" NOT NULL
    at timestamp with time zone NOT NULL
    received_at timestamp with time zone NOT NULL DEFAULT now()
    app text NOT NULL
    principal text NOT NULL
    email text NOT NULL
    outcome text NOT NULL
    reason text NOT NULL
    event json NOT NULL
    CONSTRAINT access_event_pkey PRIMARY KEY (tenant_uid, edge_uid, boot, seq, day)
CREATE INDEX access_event_newest ON ONLY public.access_event USING btree (tenant_uid, id DESC)
CREATE INDEX access_event_received ON ONLY public.access_event USING btree (tenant_uid, received_at)
ROW SECURITY ENABLED FORCED
POLICY feed_insert FOR INSERT TO sallyport_feed WITH CHECK true
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT SELECT TO sallyport_app
GRANT INSERT, SELECT TO sallyport_feed

CREATE TABLE access_event_default PARTITION DEFAULT
-- Access events of days that have no partition: an edge's clock was far off.
ROW SECURITY ENABLED FORCED

CREATE TABLE api_token
-- SHA-256 of the secret of each API token, beside its resource.
    tenant_uid uuid NOT NULL
    resource_uid uuid NOT NULL
    token_id text COLLATE "C" NOT NULL
    hash bytea NOT NULL
    expires_at timestamp with time zone NOT NULL
    used_on date
    CONSTRAINT api_token_pkey PRIMARY KEY (tenant_uid, resource_uid)
    CONSTRAINT api_token_tenant_uid_resource_uid_fkey FOREIGN KEY (tenant_uid, resource_uid) REFERENCES resource(tenant_uid, uid) ON DELETE CASCADE
    CONSTRAINT api_token_token_id_key UNIQUE (token_id)
ROW SECURITY ENABLED FORCED
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY feed_used FOR UPDATE TO sallyport_feed USING true WITH CHECK true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT DELETE, INSERT, SELECT, UPDATE TO sallyport_app
GRANT SELECT TO sallyport_feed
GRANT UPDATE (used_on) TO sallyport_feed

CREATE TABLE app_host
-- Hosts of apps, and of tenants for signing in: each belongs to one resource of one tenant in the whole deployment.
    host text COLLATE "C" NOT NULL
    tenant_uid uuid NOT NULL
    owner_uid uuid NOT NULL
    CONSTRAINT app_host_pkey PRIMARY KEY (host)
    CONSTRAINT app_host_tenant_uid_owner_uid_fkey FOREIGN KEY (tenant_uid, owner_uid) REFERENCES resource(tenant_uid, uid) ON DELETE CASCADE
CREATE INDEX app_host_owner ON public.app_host USING btree (tenant_uid, owner_uid)
ROW SECURITY ENABLED FORCED
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT DELETE, INSERT, SELECT, UPDATE TO sallyport_app

CREATE TABLE change
-- The audit of changes: one row a revision and lane, chained by hash. Rows are inserted and never touched again; no role of the control plane may.
    tenant_uid uuid NOT NULL
    lane text COLLATE "C" NOT NULL
    revision bigint NOT NULL
    committed_at timestamp with time zone NOT NULL
    actor text NOT NULL
    actor_kind text NOT NULL
    ip text NOT NULL
    request_id text NOT NULL
    method text NOT NULL
    prev_hash bytea NOT NULL
    hash bytea NOT NULL
    notes json
    CONSTRAINT change_lane_check CHECK ((lane = ANY (ARRAY['config'::text, 'urgent'::text])))
    CONSTRAINT change_pkey PRIMARY KEY (tenant_uid, lane, revision)
    CONSTRAINT change_revision_check CHECK ((revision > 0))
CREATE INDEX change_time ON public.change USING btree (tenant_uid, committed_at)
ROW SECURITY ENABLED FORCED
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT INSERT, SELECT TO sallyport_app
GRANT SELECT (committed_at, hash, lane, revision, tenant_uid) TO sallyport_feed

CREATE TABLE change_item
-- What one change did to each resource, without secrets. Before and after are json, not jsonb: the chain's hash is over their bytes.
    tenant_uid uuid NOT NULL
    lane text COLLATE "C" NOT NULL
    revision bigint NOT NULL
    ordinal integer NOT NULL
    name text NOT NULL
    action text NOT NULL
    before json
    after json
    CONSTRAINT change_item_action_check CHECK ((action = ANY (ARRAY['CREATE'::text, 'UPDATE'::text, 'DELETE'::text])))
    CONSTRAINT change_item_pkey PRIMARY KEY (tenant_uid, lane, revision, ordinal)
    CONSTRAINT change_item_tenant_uid_lane_revision_fkey FOREIGN KEY (tenant_uid, lane, revision) REFERENCES change(tenant_uid, lane, revision)
ROW SECURITY ENABLED FORCED
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT INSERT, SELECT TO sallyport_app

CREATE TABLE deployment_secret
-- Secrets of the whole deployment, such as the internal CA and the key that signs heads, sealed with the deployment's key.
    tenant_uid uuid NOT NULL
    name text COLLATE "C" NOT NULL
    sealed bytea NOT NULL
    created_at timestamp with time zone NOT NULL DEFAULT now()
    CONSTRAINT deployment_secret_pkey PRIMARY KEY (name)
    CONSTRAINT deployment_secret_tenant_uid_check CHECK ((tenant_uid = '00000000-0000-0000-0000-000000000000'::uuid))
ROW SECURITY ENABLED FORCED
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT INSERT, SELECT TO sallyport_app
GRANT SELECT TO sallyport_feed

CREATE TABLE edge
-- What is known of an enrolled edge beyond its resource: its keys, and when it was last heard. Stays when the edge is disabled or deleted: the keys it held are replaced because of this row.
    tenant_uid uuid NOT NULL
    edge_uid uuid NOT NULL
    pool_uid uuid NOT NULL
    name text COLLATE "C" NOT NULL
    hpke_public_key bytea NOT NULL
    spki_sha256 bytea NOT NULL
    cert_serial text NOT NULL
    cert_expires_at timestamp with time zone NOT NULL
    enrolled_at timestamp with time zone NOT NULL DEFAULT now()
    boot text NOT NULL DEFAULT ''::text
    version text NOT NULL
    seen_at timestamp with time zone
    departed_at timestamp with time zone
    left_at timestamp with time zone
    left_how text
    keys_due text
    CONSTRAINT edge_check CHECK (((left_at IS NULL) = (left_how IS NULL)))
    CONSTRAINT edge_keys_due_check CHECK ((keys_due = ANY (ARRAY['replace'::text, 'rotate'::text])))
    CONSTRAINT edge_left_how_check CHECK ((left_how = ANY (ARRAY['disabled'::text, 'deleted'::text])))
    CONSTRAINT edge_pkey PRIMARY KEY (edge_uid)
CREATE INDEX edge_pool ON public.edge USING btree (pool_uid)
ROW SECURITY ENABLED FORCED
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY feed_seen FOR UPDATE TO sallyport_feed USING true WITH CHECK true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT DELETE, INSERT, SELECT, UPDATE TO sallyport_app
GRANT SELECT TO sallyport_feed
GRANT UPDATE (boot, cert_expires_at, cert_serial, departed_at, seen_at, version) TO sallyport_feed

CREATE UNLOGGED TABLE edge_ack
-- What each edge last said it enforces of each tenant, and what it refused since. Unlogged: edges say it again.
    tenant_uid uuid NOT NULL
    edge_uid uuid NOT NULL
    lineage text NOT NULL
    config bigint NOT NULL
    urgent bigint NOT NULL
    closed_apps text[] NOT NULL
    max_staleness interval NOT NULL
    refused json
    acked_at timestamp with time zone NOT NULL
    CONSTRAINT edge_ack_pkey PRIMARY KEY (tenant_uid, edge_uid)
ROW SECURITY ENABLED FORCED
POLICY feed FOR ALL TO sallyport_feed USING true WITH CHECK true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT SELECT TO sallyport_app
GRANT DELETE, INSERT, SELECT, UPDATE TO sallyport_feed

CREATE TABLE head WITH (fillfactor=50)
-- A tenant's two gap-free counters, each with the hash chain over its changes. Updating a row is the last step of a transaction that changes the lane, and the lock that orders them.
    tenant_uid uuid NOT NULL
    lane text COLLATE "C" NOT NULL
    revision bigint NOT NULL DEFAULT 0
    chain bytea NOT NULL DEFAULT '\x'::bytea
    CONSTRAINT head_lane_check CHECK ((lane = ANY (ARRAY['config'::text, 'urgent'::text])))
    CONSTRAINT head_pkey PRIMARY KEY (tenant_uid, lane)
ROW SECURITY ENABLED FORCED
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT INSERT, SELECT TO sallyport_app
GRANT SELECT TO sallyport_feed
GRANT UPDATE (chain, revision) TO sallyport_app

CREATE TABLE join_token
-- SHA-256 of the secret of each join token: good for one edge name, once, for an hour at most.
    tenant_uid uuid NOT NULL
    token_id text COLLATE "C" NOT NULL
    hash bytea NOT NULL
    pool text NOT NULL
    edge text NOT NULL
    expires_at timestamp with time zone NOT NULL
    used_at timestamp with time zone
    CONSTRAINT join_token_pkey PRIMARY KEY (token_id)
CREATE INDEX join_token_age ON public.join_token USING btree (expires_at)
ROW SECURITY ENABLED FORCED
POLICY feed_prune FOR DELETE TO sallyport_feed USING (expires_at < (now() - '7 days'::interval))
POLICY feed_read FOR SELECT TO sallyport_feed USING (expires_at < (now() - '7 days'::interval))
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT INSERT, SELECT TO sallyport_app
GRANT DELETE TO sallyport_feed
GRANT UPDATE (used_at) TO sallyport_app
GRANT SELECT (expires_at) TO sallyport_feed

CREATE TABLE reference
-- Which resource mentions which, and in what field. Derived from resource.body; says what cannot be deleted.
    tenant_uid uuid NOT NULL
    from_kind text COLLATE "C" NOT NULL
    from_id text COLLATE "C" NOT NULL
    field text NOT NULL
    to_kind text COLLATE "C" NOT NULL
    to_id text COLLATE "C" NOT NULL
    CONSTRAINT reference_pkey PRIMARY KEY (tenant_uid, from_kind, from_id, field)
    CONSTRAINT reference_tenant_uid_from_kind_from_id_fkey FOREIGN KEY (tenant_uid, from_kind, from_id) REFERENCES resource(tenant_uid, kind, id) ON DELETE CASCADE
CREATE INDEX reference_to ON public.reference USING btree (tenant_uid, to_kind, to_id)
ROW SECURITY ENABLED FORCED
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT DELETE, INSERT, SELECT, UPDATE TO sallyport_app

CREATE TABLE removed
-- What an edge has to forget that comes back within 7 days. Older rows are pruned: then it is sent everything.
    tenant_uid uuid NOT NULL
    lane text COLLATE "C" NOT NULL
    kind text COLLATE "C" NOT NULL
    id text COLLATE "C" NOT NULL
    pool_uid uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'::uuid
    revision bigint NOT NULL
    removed_at timestamp with time zone NOT NULL DEFAULT now()
    CONSTRAINT removed_lane_check CHECK ((lane = ANY (ARRAY['config'::text, 'urgent'::text])))
    CONSTRAINT removed_pkey PRIMARY KEY (tenant_uid, lane, kind, id, pool_uid)
CREATE INDEX removed_age ON public.removed USING btree (removed_at)
CREATE INDEX removed_revision ON public.removed USING btree (tenant_uid, lane, revision)
ROW SECURITY ENABLED FORCED
POLICY feed_prune FOR DELETE TO sallyport_feed USING (removed_at < (now() - '7 days'::interval))
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT DELETE, INSERT, SELECT, UPDATE TO sallyport_app
GRANT DELETE, SELECT TO sallyport_feed

CREATE TABLE request_seen
-- Answers to requests that carried a request_id, for a day, so that a retry gets the first answer. Sealed with the tenant's data key.
    tenant_uid uuid NOT NULL
    actor text COLLATE "C" NOT NULL
    request_id text COLLATE "C" NOT NULL
    method text NOT NULL
    digest bytea NOT NULL
    response bytea NOT NULL
    seen_at timestamp with time zone NOT NULL DEFAULT now()
    CONSTRAINT request_seen_pkey PRIMARY KEY (tenant_uid, actor, request_id)
CREATE INDEX request_seen_age ON public.request_seen USING btree (seen_at)
ROW SECURITY ENABLED FORCED
POLICY feed_prune FOR DELETE TO sallyport_feed USING (seen_at < (now() - '1 day'::interval))
POLICY feed_read FOR SELECT TO sallyport_feed USING (seen_at < (now() - '1 day'::interval))
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT DELETE, INSERT, SELECT TO sallyport_app
GRANT DELETE TO sallyport_feed
GRANT SELECT (seen_at) TO sallyport_feed

CREATE TABLE resource
-- Whatever admins write, of every kind. The body is the JSON form of the kind's spec; secrets are in resource_secret. The revision is the config counter of the change that last touched what edges are sent.
    tenant_uid uuid NOT NULL
    kind text COLLATE "C" NOT NULL
    id text COLLATE "C" NOT NULL
    uid uuid NOT NULL
    etag text NOT NULL
    display_name text NOT NULL
    labels jsonb NOT NULL
    annotations jsonb NOT NULL
    managed_by text NOT NULL
    body jsonb NOT NULL
    secret_version bigint NOT NULL DEFAULT 0
    revision bigint NOT NULL
    created_at timestamp with time zone NOT NULL DEFAULT now()
    updated_at timestamp with time zone NOT NULL DEFAULT now()
    CONSTRAINT resource_pkey PRIMARY KEY (tenant_uid, kind, id)
    CONSTRAINT resource_tenant_uid_uid_key UNIQUE (tenant_uid, uid)
    CONSTRAINT resource_uid_key UNIQUE (uid)
CREATE INDEX resource_revision ON public.resource USING btree (tenant_uid, revision)
ROW SECURITY ENABLED FORCED
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT DELETE, INSERT, SELECT, UPDATE TO sallyport_app
GRANT SELECT TO sallyport_feed

CREATE TABLE resource_secret
-- Write-only fields of resources, sealed with the tenant's data key.
    tenant_uid uuid NOT NULL
    resource_uid uuid NOT NULL
    field text COLLATE "C" NOT NULL
    sealed bytea NOT NULL
    CONSTRAINT resource_secret_pkey PRIMARY KEY (tenant_uid, resource_uid, field)
    CONSTRAINT resource_secret_tenant_uid_resource_uid_fkey FOREIGN KEY (tenant_uid, resource_uid) REFERENCES resource(tenant_uid, uid) ON DELETE CASCADE
ROW SECURITY ENABLED FORCED
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT DELETE, INSERT, SELECT, UPDATE TO sallyport_app
GRANT SELECT TO sallyport_feed

CREATE TABLE revocation
-- Whatever of the subject was made under an earlier urgent revision is dead. Expired ones go with an urgent change of their own, because edges hold them.
    tenant_uid uuid NOT NULL
    uid uuid NOT NULL
    subject text COLLATE "C" NOT NULL
    reason text NOT NULL
    urgent bigint NOT NULL
    created_at timestamp with time zone NOT NULL DEFAULT now()
    expires_at timestamp with time zone NOT NULL
    CONSTRAINT revocation_pkey PRIMARY KEY (tenant_uid, uid)
CREATE INDEX revocation_subject ON public.revocation USING btree (tenant_uid, subject, urgent DESC)
CREATE INDEX revocation_urgent ON public.revocation USING btree (tenant_uid, urgent)
ROW SECURITY ENABLED FORCED
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT DELETE, INSERT, SELECT TO sallyport_app
GRANT SELECT TO sallyport_feed

CREATE TABLE service_token
-- SHA-256 of the secret of each service account's token.
    tenant_uid uuid NOT NULL
    resource_uid uuid NOT NULL
    token_id text COLLATE "C" NOT NULL
    hash bytea NOT NULL
    created_at timestamp with time zone NOT NULL DEFAULT now()
    expires_at timestamp with time zone NOT NULL
    revoked_at timestamp with time zone
    urgent bigint NOT NULL DEFAULT 0
    CONSTRAINT service_token_pkey PRIMARY KEY (tenant_uid, resource_uid, token_id)
    CONSTRAINT service_token_tenant_uid_resource_uid_fkey FOREIGN KEY (tenant_uid, resource_uid) REFERENCES resource(tenant_uid, uid) ON DELETE CASCADE
    CONSTRAINT service_token_token_id_key UNIQUE (token_id)
ROW SECURITY ENABLED FORCED
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT DELETE, INSERT, SELECT, UPDATE TO sallyport_app
GRANT SELECT TO sallyport_feed

CREATE TABLE session
-- Sign-ins as edges reported them: for lists and for choosing what to revoke. No decision reads it.
    tenant_uid uuid NOT NULL
    sid text COLLATE "C" NOT NULL
    principal text COLLATE "C" NOT NULL
    email text NOT NULL
    idp text NOT NULL
    began_at timestamp with time zone NOT NULL
    began_ip text NOT NULL
    began_edge text NOT NULL
    seen_at timestamp with time zone NOT NULL
    expires_at timestamp with time zone NOT NULL
    ended_at timestamp with time zone
    end_reason text NOT NULL DEFAULT ''::text
    hosts text[] NOT NULL DEFAULT '{}'::text[]
    CONSTRAINT session_pkey PRIMARY KEY (tenant_uid, sid)
CREATE INDEX session_expiry ON public.session USING btree (expires_at)
CREATE INDEX session_newest ON public.session USING btree (tenant_uid, began_at DESC, sid)
ROW SECURITY ENABLED FORCED
POLICY feed_insert FOR INSERT TO sallyport_feed WITH CHECK true
POLICY feed_prune FOR DELETE TO sallyport_feed USING (expires_at < (now() - '30 days'::interval))
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY feed_update FOR UPDATE TO sallyport_feed USING true WITH CHECK true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT DELETE, SELECT TO sallyport_app
GRANT DELETE, INSERT, SELECT, UPDATE TO sallyport_feed
GRANT UPDATE (end_reason, ended_at) TO sallyport_app

CREATE TABLE tenant
-- One row a tenant, and one for the platform, with its data key wrapped by the deployment's key.
    tenant_uid uuid NOT NULL
    id text COLLATE "C" NOT NULL
    lineage text COLLATE "C" NOT NULL
    disabled boolean NOT NULL DEFAULT false
    dek bytea NOT NULL
    created_at timestamp with time zone NOT NULL DEFAULT now()
    deleted_at timestamp with time zone
    CONSTRAINT tenant_pkey PRIMARY KEY (tenant_uid)
CREATE UNIQUE INDEX tenant_id_key ON public.tenant USING btree (id) WHERE (deleted_at IS NULL)
ROW SECURITY ENABLED FORCED
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT INSERT, SELECT TO sallyport_app
GRANT SELECT TO sallyport_feed
GRANT UPDATE (dek, deleted_at, disabled) TO sallyport_app

CREATE TABLE tenant_key
-- Keys of a tenant at an edge pool, sealed with the tenant's data key. Dropped ones stay without key bytes, so that no key id is used twice.
    tenant_uid uuid NOT NULL
    pool_uid uuid NOT NULL
    purpose text COLLATE "C" NOT NULL
    key_id text COLLATE "C" NOT NULL
    state text COLLATE "C" NOT NULL
    public bytea
    sealed bytea
    created_at timestamp with time zone NOT NULL
    not_before timestamp with time zone NOT NULL
    retire_at timestamp with time zone
    revision bigint NOT NULL
    CONSTRAINT tenant_key_check CHECK (((state <> 'dropped'::text) OR ((sealed IS NULL) AND (public IS NULL))))
    CONSTRAINT tenant_key_pkey PRIMARY KEY (tenant_uid, pool_uid, purpose, key_id)
    CONSTRAINT tenant_key_purpose_check CHECK ((purpose = ANY (ARRAY['ticket'::text, 'redis'::text, 'login'::text, 'data'::text, 'assertion'::text])))
    CONSTRAINT tenant_key_state_check CHECK ((state = ANY (ARRAY['next'::text, 'active'::text, 'old'::text, 'dropped'::text])))
CREATE UNIQUE INDEX tenant_key_active ON public.tenant_key USING btree (tenant_uid, pool_uid, purpose) WHERE (state = 'active'::text)
CREATE INDEX tenant_key_revision ON public.tenant_key USING btree (tenant_uid, revision)
ROW SECURITY ENABLED FORCED
POLICY feed_read FOR SELECT TO sallyport_feed USING true
POLICY wall FOR ALL TO sallyport_app USING (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid) WITH CHECK (tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)
GRANT DELETE, INSERT, SELECT, UPDATE TO sallyport_app
GRANT SELECT TO sallyport_feed

CREATE OR REPLACE FUNCTION public.access_event_partitions(ahead integer, keep integer)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$
-- may be called by: sallyport_feed, sallyport_owner
