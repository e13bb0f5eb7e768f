ALTER TABLE change ADD COLUMN notes json;
COMMENT ON COLUMN change.notes IS 'What is to be known of the change beyond its items: where guard-rails reach less, and policy tests that it was forced against. json, not jsonb: the chain''s hash is over its bytes. NULL for most.';
