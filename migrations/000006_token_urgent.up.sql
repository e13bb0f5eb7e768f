-- Tokens from before do not say when they were made: for revocations they count as made before all of them.
ALTER TABLE service_token ADD COLUMN urgent bigint NOT NULL DEFAULT 0;
