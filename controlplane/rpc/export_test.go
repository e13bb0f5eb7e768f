package rpc

import "github.com/sallyport-iap/sallyport/controlplane"

// Procedures and Rule let tests from outside be generated from the API and from the permission table.
func Procedures() []string { return procedures() }

func Rule(procedure string) (needs controlplane.Permission, operator, bootstrap bool) {
	r := rules[procedure]
	return r.needs, r.operator, r.bootstrap
}
