// Package audit carries what happened from an edge to the control plane: one record per request, and what became of
// sessions.
//
//	request ─▶ shard (bounded) ─▶ numbered per tenant ─▶ spool (bounded) ─▶ Report ─▶ ack ─▶ forgotten
//	                                       │ full
//	                                       └▶ a record goes, its number stays: a gap record says which, and why
//
// Numbers are per (edge, boot, tenant), from 1, given off the path of requests. Nothing is lost silently: each number that
// was given is a record's, or in a gap record, whose own number is the last of those that it names. Adding a record never
// blocks and never does I/O.
//
// # Limits
//
//	65,536 records          wait to be numbered, 4,096 in each of 16 shards; they are emptied five times a second, and at
//	                        once when one is half full. What becomes of sessions is not counted
//	50,000 records, 64 MiB  of one tenant wait to be acknowledged. Nine tenths are for any, the last for requests that
//	                        were not allowed; what becomes of sessions has a tenth more
//	10,000 records          of one tenant are besides for ends of sessions, which nothing else may take
//	224 MiB                 of all tenants together, and
//	32 MiB                  besides for ends of sessions
//	1,000 records, 3 MiB    of one tenant, and of all, are in one call
//
// These are bytes of memory, but for the last, which are bytes as they are sent.
//
// # Whose records go
//
// At its own limit a tenant loses what is new. At the limit of all together the tenant that holds the most loses what is
// oldest, allowed requests first, whoever adds: a tenant that is quiet keeps every record, however loud others are, and no
// access record costs an end of a session. Ends go only for ends, beyond both limits above; the sign-out that lost one is
// told that it is not known everywhere. What was sent once is never taken: it may be stored, and then it is not lost.
package audit
