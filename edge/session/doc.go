// Package session knows which cookies are somebody: it seals, reads, carries and ends the sessions of people.
//
// A Session is one sign-in of one person (sid "s_…"). Under it there is a host session (cookie, "h_…") for each host that
// was visited. A cookie holds a random id and a sealed ticket that alone is enough to decide on; Redis (one a region)
// holds a copy under hashes; this process remembers what it saw lately.
//
//	               no cookie, malformed, foreign, sealed by nobody we know
//	cookie ──────────────────────────────────────────────────────────────────▶ Anonymous
//	  │ opens
//	  ▼         past absolute or idle limit
//	ticket ───────────────────────────────────────────────────────────────────▶ Anonymous (identity.expired)
//	  │         revocation of the urgent lane · tombstone · ended here · provider gone or disabled
//	  │───────────────────────────────────────────────────────────────────────▶ Ended
//	  │         the store was asked less than 120 s ago, or answers now
//	  │───────────────────────────────────────────────────────────────────────▶ Live
//	  │         the store is down, since less than the app's grace
//	  │───────────────────────────────────────────────────────────────────────▶ Live, carried by the ticket
//	  └───────────────────────────────────────────────────────────────────────▶ Unavailable
//
// Ending is a positive fact; absence proves nothing. A record that Redis has lost is written again from the ticket, and
// an error of Redis never clears a cookie, never signs anybody out and is never "no session".
//
// Why the grace counts from the later of "this edge last saw the store healthy" and what the ticket says: a ticket holds
// when its Session was alive for certain, at the sign-in or when the store was asked; what could be missed is an end since
// then. So a ticket that is sealed while the store is down, as a hand-off to another host needs, repeats what is known and
// says nothing newer. Otherwise a host with a long grace would lend it to every app.
//
// A step-up (Raise) changes how a Session's person signed in, and neither its limits nor what revokes it. It holds for the
// cookies that it was handed to, and for no other of the Session: whoever stole one before is not signed in any stronger.
//
// A warm request (the cookie was seen within 120 s) does no I/O and takes no lock that other sessions share.
package session
