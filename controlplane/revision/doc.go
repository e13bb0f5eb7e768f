// Package revision says how far a change has come: the receipt. It reads what edges have acknowledged and answers one
// question, at any replica: does every edge that may still serve a tenant enforce this revision?
//
// An edge of a pool that serves the tenant is accountable until
//
//   - it has acknowledged the revision, in the lineage that the tenant has now;
//   - it has said goodbye, which it does when it serves no more;
//   - it was disabled or deleted, so its stream is cut and its certificate good for nothing;
//   - it has been silent for so long that every app of the tenant has closed itself there: what it was last sent was
//     verified at most [edgefleet.Silence] after it was last heard, and lasts for the apps' longest max_staleness;
//   - it has enrolled but never been connected, so it has nothing that it could serve.
//
// An accountable edge that has not acknowledged is pending while it is connected, and unreachable when it has been silent.
// With nobody accountable left the revision is enforced, also where there is no edge at all: nothing anywhere enforces
// anything older, which is what the caller asked.
//
// The package must never call a revision enforced because it could not find out: an error is an error.
package revision
