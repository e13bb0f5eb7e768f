package policy_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// One person more in a group, in a tenant of 100,000 people with 20 groups each: what a write of it costs to compile.
func BenchmarkMembership(b *testing.B) {
	const people, each, size = 100_000, 20, 1000
	groups := make([][]controlplane.GroupMember, people*each/size)
	for p := range people {
		for g := range each {
			at := (p/size*each + g) % len(groups)
			groups[at] = append(groups[at], controlplane.GroupMember{User: fmt.Sprintf("person-%06d@acme.test", p)})
		}
	}
	specs := map[string]controlplane.Spec{"app": &controlplane.App{}}
	for i, members := range groups {
		specs[fmt.Sprintf("group-%04d", i)] = &controlplane.Group{Members: members}
	}
	site := policy.NewSite(resources(specs))
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		members := append(slices.Clone(groups[7]), controlplane.GroupMember{User: fmt.Sprintf("new-%d@acme.test", n)})
		site = site.With([]*controlplane.Resource{resource("group-0007", &controlplane.Group{Members: members}, nil)}, nil)
	}
}
