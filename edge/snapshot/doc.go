// Package snapshot is what an edge knows: verified, compiled and immutable.
//
// A [Store] takes signed updates, one tenant and lane at a time, and publishes a [Table] by swapping one pointer. A
// request loads the table once and is decided wholly on what it loaded, so a change of policy is never half seen.
//
//	update ─▶ head's signature, pool, lineage, order ─▶ apply aside ─▶ root equal? ─▶ compile aside ─▶ swap ─▶ Swapped
//	                     │ no                                │ no            │ no
//	                     ▼                                   ▼               ▼
//	                  Refused (the last good state is kept whole)         Refused
//
// The two lanes of a tenant are independent: an urgent update (revocations, keys) refers to nothing in config and applies
// whatever its state. Tenants are independent: one tenant's broken or huge update never holds up another's.
//
// A change costs what it changes: resources that an update leaves as they are keep what was made of them (their parsed
// message, an app's routes, their place in the policy), and the program is made again from the one before.
//
// What is not understood closes: an unknown field, enum value or kind closes the apps that it bears on, and the rest is
// applied; a guard-rail bears on all that it may reach. It must never skip a rule that it cannot read, serve a tenant that its pool does not list, or let a head of
// an older history replace a newer one.
package snapshot
