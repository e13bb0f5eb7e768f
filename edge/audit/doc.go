// Package audit carries what happened from an edge to the control plane: one record per request, and what became of
// sessions.
//
//	request ─▶ shard (bounded) ─▶ shipper numbers it per tenant ─▶ spool (bounded) ─▶ Report ─▶ ack ─▶ forgotten
//	                                                       │ full
//	                                                       └▶ its number is lost, and a gap record says which and why
//
// Numbers are per (edge, boot, tenant), from 1, given off the path of requests. Nothing is lost silently: what does not fit
// keeps its number, and the next record that fits is preceded by one that names the numbers that are missing. Adding a
// record never blocks and never does I/O.
package audit
