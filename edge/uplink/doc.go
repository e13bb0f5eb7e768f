// Package uplink is an edge's tie to the control plane: it joins once, keeps its certificate fresh, follows the stream of
// updates, and delivers reports.
//
//	         join token                half of its life
//	nobody ─────────────▶ enrolled ──────────────────────▶ renewed (same key)
//	                          │
//	                          ▼                      silence 15 s, error, goodbye
//	     Hello ─▶ Welcome ─▶ updates, heads, heartbeats ──────────────────────────▶ wait (full jitter) ─▶ Hello
//	                          │ goodbye "disabled"
//	                          ▼
//	              serve nothing, ask again every minute
//
// The first contact is pinned: the join token carries a hash of the authority's key, and nothing is sent to anybody else.
// Afterwards only that authority's certificates are believed, over TLS 1.3. It must never let private keys leave the data
// directory, nor take an update that package snapshot did not verify.
package uplink
