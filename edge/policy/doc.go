// Package policy decides whether a request may be: a request is allowed when
// some ALLOW rule matches, every REQUIRE rule in scope holds, and no DENY rule
// matches. Nothing matches: denied.
//
// It is the only evaluator there is. Whoever enforces, explains, simulates or
// lists what a person may open asks this package and never decides again. It
// must stay pure: no I/O, no clock (now is a fact of the request), no context,
// no logging, no import of ours. A decision allocates nothing.
//
// # Three values
//
// Every clause is true, false or unknown. Unknown is a fact that is missing: a
// group that the session's claims do not cover, a source address that nobody
// could tell, an e-mail address that its provider did not vouch for. It is not
// a polite "false": what is unknown must never let anybody in, neither by
// granting nor by switching off a refusal.
//
//	and   false wins, then unknown       (the least of false < unknown < true)
//	or    true wins, then unknown        (the greatest)
//
//	rule      counts if its clause is    so unknown
//	ALLOW     true                       does not grant
//	DENY      not false                  refuses
//	REQUIRE   in scope: not false        keeps the requirement
//	          met: true                  does not meet it
//
// A property test holds what follows from it: making any fact unknown, or
// adding a DENY or REQUIRE, never allows more.
//
// An anonymous principal is not unknown. Its identity is known and empty: all
// identity clauses are false for it, and "anyone" is all that it matches. Else
// one DENY for a group would lock strangers out of a public page.
//
// A person whose e-mail address is not verified by a provider that owns its
// domain has no address as far as ALLOW is concerned. If a rule names that very
// address, the clause is unknown, so a DENY of it still refuses.
//
// # The procedure
//
// The credential was checked before (a bad one never gets here).
//
//  1. App unknown, disabled, closed, or without policy: DENY.
//  2. No operation: AUTHENTICATE a stranger, DENY anybody else.
//  3. A DENY counts: DENY.
//  4. A REQUIRE fails on a clause that no sign-in can change (network, time): DENY.
//  5. An ALLOW counts and every REQUIRE in scope holds: ALLOW.
//  6. Anonymous: AUTHENTICATE, whatever the rules. Strangers learn nothing.
//  7. DENY.
//
// The rule reported is the first by policy id, then rule id, bytewise, of the
// DENYs, else the REQUIREs, else the ALLOWs. The order of writing never matters.
//
// # From source to program
//
// [Compile] turns a [Source] into an immutable [Program]. Every principal that
// a rule can name is numbered; [Program.Resolve] computes once per session and
// program which of them a principal is, may be, and is not, as two bitsets.
// [Program.Decide] walks the rules of one operation and tests bits.
//
// Compile never makes a program that allows more than its source says. An app
// that a faulty policy is attached to is closed, and a faulty group is unknown
// to everybody who is not surely in it. The control plane refuses a write with
// any [Problem]; an edge serves what it understood and names the closed apps.
package policy
