// Package listener is the front door: TLS by server name, HTTP/1.1 and HTTP/2, limits, timeouts by progress, and a drain
// that loses nothing.
//
// It refuses what net/http would let through and what two parsers could read differently ([Check]), before anything
// else looks at a request. It must never answer for a name that no tenant has, and never let one tenant's connection
// carry another's requests.
//
// Connections are counted when they are accepted, before a handshake costs anything: of all, of each source, and of each
// source those that have not sent a request yet ([Limits]). What is over a limit is closed at once. So one address can
// neither take the room of others nor make them wait behind it; trusted proxies, who bring many people's requests, are no
// source.
package listener
