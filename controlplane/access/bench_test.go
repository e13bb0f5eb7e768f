package access_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/access"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// large is 10,000 apps of 10 operations, with 10 rules each, and 100,000 people in 1,000 groups.
func large() *policy.Site {
	list := []*controlplane.Resource{resource("corp", &controlplane.IdentityProvider{EmailDomains: []string{"acme.test"}})}
	for g := range 1000 {
		spec := &controlplane.Group{}
		for p := range 100 {
			spec.Members = append(spec.Members, controlplane.GroupMember{User: fmt.Sprintf("person-%06d@acme.test", g*100+p)})
		}
		list = append(list, resource(fmt.Sprintf("group-%03d", g), spec))
	}
	for a := range 10_000 {
		id := fmt.Sprintf("app-%05d", a)
		app := &controlplane.App{Hosts: []string{id + ".acme.test"}, Routes: []controlplane.Route{{Path: "/**"}}}
		spec := &controlplane.Policy{Apps: []string{id}}
		for n := range 10 {
			operation := fmt.Sprintf("op-%d", n)
			app.Operations = append(app.Operations, controlplane.Operation{ID: operation, Methods: []string{"*"}, Paths: []string{"/" + operation + "/**"}})
			r := controlplane.Rule{ID: operation, Effect: "EFFECT_ALLOW", Principals: []string{fmt.Sprintf("group:group-%03d", (a+n*7)%1000)}, Operations: []string{operation}}
			if n == 3 {
				r.Conditions = &controlplane.Conditions{SourceCIDRs: []string{"10.0.0.0/8"}}
			}
			spec.Rules = append(spec.Rules, r)
		}
		list = append(list, resource(id, app), resource(id, spec))
	}
	return policy.NewSite(list)
}

// A page of each list, which has to look at all that a page looks at.
func BenchmarkPage(b *testing.B) {
	site := large()
	app, _ := site.App("app-00999") // its groups are among the last
	nobody := func() ([]access.Seen, error) { return nil, nil }
	b.Run("who", func(b *testing.B) {
		for b.Loop() {
			if _, err := access.WhoCan(context.Background(), site, app, "op-0", nobody, access.Query{Limit: 500}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("what", func(b *testing.B) {
		who := site.Program.Resolve(engine.Identity{
			Kind: engine.Person, IDP: "corp", Email: "person-000000@acme.test", EmailVerified: true, EmailDomainOwned: true, GroupsComplete: true,
		})
		for b.Loop() {
			if _, err := access.WhatCan(context.Background(), site, who, access.Query{Limit: 500}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
