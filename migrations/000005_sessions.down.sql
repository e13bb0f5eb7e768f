DROP FUNCTION access_event_partitions(integer, integer);
DROP TABLE access_event, session, revocation;
