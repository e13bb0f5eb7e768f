// Package changeset is the only way in which configuration is written. A call about one resource is a change set of one;
// Apply is one of many; both are a single transaction with a single revision, or nothing at all.
//
// The steps, each of which sees what the one before it left ([Service.Apply]):
//
//	replay      the same request id as before: the answer of then, and nothing is done
//	plan        what is there now, what it should become, and whether that is a difference in meaning
//	authorize   each difference, by what it was and what it becomes
//	check       each resource by itself: the rules of its noun's package
//	write       resources, then secrets; deletions last
//	check       all of it together: references, referrers, addresses, owners, the policy compiled as edges compile it, and
//	            the tenant's policy tests, which a set may be forced against
//	record      one change row with every difference; or none, if nothing differs
//
// Checks of the whole run after everything is written, so the order of a set means nothing: two apps may swap hosts, a
// group and the policy that names it may come together, the last policy of an app may go with the app.
//
// Meaning: a list of a resource is a set (of all our lists the order says nothing), durations and instants are values,
// and a secret that is not given is kept. What does not differ in meaning is no change: no row, no revision, and no
// permission is asked for it.
//
// It must never be gone around: whoever writes a resource without it loses the audit record and the compiled check.
package changeset
