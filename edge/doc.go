// Package edge is the request pipeline: the stages that a request goes through, in order, on one screen (handler.go).
//
//	receive ─▶ locate ─▶ strip ─▶ canonicalise ─▶ ours ─▶ fresh ─▶ identify ─▶ decide ─▶ introduce ─▶ forward
//	  400        421       400        400        answer     503    401/400   303/401/403    503      502/504
//	  405        503                                                                                     │
//	  505                                                                            judged again while open: cut
//
// A stage refuses by returning a Denial, and only respond.go says it to a client. The audit record is filled in as the
// stages learn things and written once, whatever happened, panics included. A request is decided wholly on the table that
// it loaded. The pipeline must never send a byte upstream before ALLOW, and never answer without a record.
package edge
