// Package openapi reads OpenAPI documents and says what operations they make of an app. [Parse] reads a document, which
// depends on nothing but its bytes; [Document.Plan] says what becomes of one app: what is added, changed, renamed, removed.
//
// It must never look at anything but the bytes that it is given: a reference to elsewhere is refused and never fetched,
// for whoever sends a document would choose what the control plane reads and whom it calls. And it must never grant
// anything: what a document calls public is told as a hint, and stays as closed as everything else until a rule says
// otherwise.
//
// # What becomes of what
//
//	operationId          the operation's id, in our form: getUser is get-user; none: by method and path, get-users-id
//	/users/{id}          the same pattern; a part of a segment is "*": /files/{name}.json is /files/*.json
//	servers              their path goes in front; servers that differ in it are refused, unless one is of the app's hosts
//	HEAD                 part of GET where there is one, as in all our patterns
//	TRACE                left out: no request of that method gets through an edge
//	x-sallyport-access   READ, WRITE or ADMIN, on an operation or on a path; else what the app has for it, else by method
//	security             a hint where it is empty
//	webhooks, callbacks  left out: requests that the app makes
//
// Two operations whose ids come down to the same get a suffix, made of method and path. So an id never comes to mean
// another operation because a third one was added: rules go by ids.
//
// # Why not one of the libraries
//
// They read the whole model, of which this needs a dozen fields, and a document comes from a tenant, who may be anybody.
// libopenapi reads schemas in goroutines of its own, where a panic (there were several) ends the process of all tenants.
// kin-openapi takes six times the CPU and more than twice the memory for the same 4 MiB, refuses documents for
// what an app never sees (a version that is no string, a schema that is odd) and lets the last of two equal keys win. So
// YAML and JSON are read by their libraries, and of the tree only what makes operations, each value with its line.
//
// # Bounds
//
// A document has at most [MaxBytes], [MaxValues] values, a depth of [MaxDepth] and [MaxOperations] operations, and
// however its aliases and references multiply, at most [MaxSteps] values are looked at. Reading the worst of 4 MiB takes
// about a second and 300 MiB, so callers let one document in at a time.
package openapi
