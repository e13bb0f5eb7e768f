// Package edgerpc is the Connect handlers of the edge protocol: what package rpc is to the admin API. A handler turns
// messages into calls of edgefleet, snapshot and report, and their errors into codes.
//
// Who calls is decided here, once, from the client certificate: [Handlers.ServeHTTP] puts the identity into the request's
// context. The package must never take an edge's, a pool's or a tenant's name from a message where the certificate
// answers, and never let an error's text out that is not meant for the caller.
package edgerpc
