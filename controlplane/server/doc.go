// Package server puts the control plane together: it opens the database, starts the loops, serves the three ports, and
// takes everything down in an order that drops nothing.
//
//	API     8080  the admin API: HTTP/1.1 and HTTP/2 without TLS, behind whatever ends TLS
//	sync    8081  edges: TLS 1.3 and HTTP/2 only, certificates of the internal CA
//	health  8090  /livez /readyz /metrics /debug/pprof/, private
//
// It holds no rule of the product. Whatever it does beyond wiring belongs into a package of its own.
package server
