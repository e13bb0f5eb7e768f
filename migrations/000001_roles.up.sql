-- Roles belong to the whole server, so another database of it may have made them already, or be making them now.
-- They get no password here: whoever deploys sets one.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sallyport_app', 'sallyport_feed'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I LOGIN', name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = name AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)) THEN
            RAISE EXCEPTION 'the role % must be without SUPERUSER, BYPASSRLS, CREATEROLE and CREATEDB', name;
        END IF;
    END LOOP;
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO sallyport_app, sallyport_feed;
-- The migrations runner's own table: the control plane refuses to start on a schema that is older than itself.
GRANT SELECT ON schema_migrations TO sallyport_app, sallyport_feed;
