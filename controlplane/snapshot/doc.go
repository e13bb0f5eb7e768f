// Package snapshot turns a tenant's rows into what its edges enforce: signed, typed resources, and the updates that
// carry an edge from what it has to what is true.
//
// # What an edge is sent
//
// A tenant has two lanes, config and urgent, each with a gap-free counter. What one edge pool sees of a lane is a set of
// resources (kind, id, uid, revision, bytes). Building it is a pure function of the tenant's rows: two replicas that
// read the same revision make the same bytes, so an edge may move between them. Two things follow. Secrets are sealed by
// a deterministic AEAD. And nothing of another tenant, the clock, or this process may influence a byte: what depends on
// a pool (its keys, whether it signs people in) is written into the tenant's own key rows before the builder reads it,
// in a transaction that moves the counters.
//
// # Roots
//
// An edge checks that it has exactly what was signed by computing a root over each lane and comparing it with the head.
// Both planes have their own few lines for it, tested against proto/sallyport/edge/v1/testdata/roots.json:
//
//	lp(x)  = length of x as 4 bytes, big endian, then x
//	entry  = lp(lane) lp(kind) lp(id) lp(uid) lp(revision as 8 bytes, big endian) lp(SHA-256(bytes))
//	root   = SHA-256("sp-root-v1" entry₁ entry₂ …)
//
// lane is "config" or "urgent"; entries are sorted by kind, then id, as bytes; the empty lane's root is
// SHA-256("sp-root-v1"). The lanes have a root each because an urgent item must apply, and be verifiable, whatever an
// edge has of config.
//
// # People
//
// Who is in which group by address is told by person: a Membership follows from the groups that have the person among their
// members, as far as some policy, grant or app names them. It is no row, so it has no revision of its own (0 is hashed):
// its group's would send everybody of the group again. Each replica notes at which revision it saw one change, which is
// what a delta goes by; one that has just started has seen nothing, and sends nothing but replacements to who is behind.
//
// # Updates
//
// There is no queue. A stream knows what its edge acknowledged; whatever is newer than that is one delta, computed when
// the stream is free to send. A slow edge costs nothing but its version. A delta starts at a revision; when the revision
// is unknown, foreign, or older than the removal records that are kept, the update is a replacement of the lane.
//
// The package must never send a tenant to a pool that does not serve it, write a secret in clear, or decide what an
// edge's pool is: that comes from its certificate.
package snapshot
