-- The roles stay: they belong to the server, and other databases may use them.
REVOKE ALL ON schema_migrations FROM sallyport_app, sallyport_feed;
REVOKE USAGE ON SCHEMA public FROM sallyport_app, sallyport_feed;
