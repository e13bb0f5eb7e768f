ALTER TABLE service_token DROP COLUMN urgent;
