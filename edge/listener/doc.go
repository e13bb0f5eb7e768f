// Package listener is the front door: TLS by server name, HTTP/1.1 and HTTP/2, limits, timeouts by progress, and a drain
// that loses nothing.
//
// It refuses what net/http would let through and what two parsers could read differently ([Check]), before anything
// else looks at a request. It must never answer for a name that no tenant has, and never let one tenant's connection
// carry another's requests.
package listener
