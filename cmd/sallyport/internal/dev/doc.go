// Package dev is `sallyport dev`: the whole product on one machine, for a first look, for development and for tests.
//
//	stage 1   Postgres, a Redis for each region      the machine's own programs, private data
//	          directory (OIDC provider), two apps    in this process, real protocols
//	stage 2   control plane                          the real binary, as a child
//	          first time: operator, tenants, pool, admins, demo resources, through the public API
//	stage 3   edges eu-1, us-1                       the real binary, as children, enrolled with join tokens
//	          both enforce everything
//	          dev.json is written, the welcome is printed
//
// What died is started again. Everything stops in the opposite order within 3 s, and goes with us if we are killed. A
// second start finds the data, the tokens and the edges' identities of the first.
//
// It must never do to the control plane what a user could not: all it says goes through the API and the binaries'
// documented commands. It must never listen beyond this machine.
package dev
