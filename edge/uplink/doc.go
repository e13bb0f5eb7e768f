// Package uplink is an edge's tie to the control plane: it joins once, keeps its certificate fresh, follows the stream of
// updates, and delivers reports.
//
//	         join token                half of its life
//	nobody ─────────────▶ enrolled ──────────────────────▶ renewed (same key)
//	                          │
//	                          ▼                      silence 15 s, error, goodbye
//	     Hello ─▶ Welcome ─▶ updates, heads, heartbeats ──────────────────────────▶ wait (full jitter) ─▶ Hello
//	                          │ disabled                 removed                       unknown
//	                          ▼                          ▼                             ▼
//	              serve nothing, ask every      serve nothing, ask      serve on; after 30 min of it serve nothing,
//	              few seconds                   every minute            and ask on
//
// "Disabled" and "removed" are somebody's will. "Unknown" is more likely a mistake, and never made by one who was asked to
// remove this edge: verdict.go says why it is waited for, and for how long.
//
// The first contact is pinned: the join token carries a hash of the authority's key, and nothing is sent to anybody else.
// Afterwards only that authority's certificates are believed, over TLS 1.3. It must never let private keys leave the data
// directory, nor take an update that package snapshot did not verify.
package uplink
