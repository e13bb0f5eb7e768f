// Package clause evaluates what a rule requires: its conditions and expression,
// on the facts of one request. It must never ask for a fact (not even for the
// time), and never turn one that is missing into a yes or a no.
//
// Each kind of clause is a type with a file, or a part of one, of its own: how it
// is compiled, what it is on some facts, and how that is said in words. A clause
// is true, false or unknown; unknown is a fact that is missing: an address that
// nobody could tell, a device that nobody reported, an identity provider that
// did not say how somebody signed in.
package clause
