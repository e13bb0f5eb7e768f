// Package edgetest is an edge in one process, for tests: a literal snapshot that is signed, sealed and taken in as a real
// one is, real TLS on a loopback socket, a raw recording upstream, and the oracles that hold after every case.
//
//	up := edgetest.NewUpstream(t)
//	e := edgetest.Start(t, edgetest.Demo(up.URL(), up.URL()))
//	res := e.Get(t, "https://api.acme.localhost/v1/status", nil)
//	e.Oracles(t, up)
//
// It must never be imported but by tests.
package edgetest
