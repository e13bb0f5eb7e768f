// Package edgefleet is who the edges are: how one joins with a token, what certificate says who it is, when it was last
// heard, and when it may no longer be served.
//
//	operator                 edge                               control plane
//	CreateJoinToken ───────▶ spj_… (pins the CA's key)
//	                         makes a TLS key and an HPKE key
//	                         Enrol(token, CSR, HPKE key) ─────▶ token spent, Edge written, enrolment kept: one transaction
//	                         ◀───── certificate for 24 h, CA, keys that sign heads
//	                         Renew(CSR over the same key) ────▶ from half life on, and up to 30 days after expiry
//
// What an edge is told that may not be served says whether it is disabled, removed, or unknown:
//
//	enrolled ──disable──▶ disabled ──enable──▶ enrolled
//	enrolled, disabled ──delete──▶ removed ── 31 days: no certificate of its is good any more ──▶ (forgotten)
//	enrolled ──somebody enrols its name anew──▶ removed, for whoever has the old key
//	never heard of ─▶ unknown
//
// "Removed" is somebody's will and takes effect at once. "Unknown" is nobody's: a deleted edge is remembered for as long
// as it can ask, so this one is missing because the database is an older one, or a damaged one. What an edge makes of that
// is in edge/uplink.
//
// An edge is its certificate's one URI, sallyport://edges/<uid>, and the key that it enrolled with: enrolling a name anew
// ends the old key at once. Nothing that an edge says of itself counts, and its pool comes from the database.
//
// The package must never tell an unauthenticated caller why a join token is refused, and never issue a certificate to an
// edge that is disabled or gone.
package edgefleet
