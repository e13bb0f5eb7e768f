package policy

import (
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy/expression"
)

// GroupsNamed returns the ids of the groups that a resource makes matter on an edge: those that its rules, its expressions
// or its upstreams' headers name. all is for what can ask for any group there is.
func GroupsNamed(spec controlplane.Spec) (ids []string, all bool) {
	named := map[string]bool{}
	principals := func(list []string) {
		for _, p := range list {
			if id, ok := strings.CutPrefix(p, "group:"); ok {
				named[id] = true
			}
		}
	}
	switch spec := spec.(type) {
	case *controlplane.Policy:
		for _, r := range spec.Rules {
			principals(r.Principals)
			if r.Conditions != nil {
				for _, id := range r.Conditions.MembersOf {
					named[id] = true
				}
			}
			// Compiling costs more than all else here. The whole name of the fact may be written with spaces in it.
			if !strings.Contains(r.Expression, "groups") {
				continue
			}
			compiled, issues := expression.Compile(r.Expression)
			if len(issues) > 0 {
				continue // it was refused at write
			}
			for _, id := range compiled.Groups() {
				named[id] = true
			}
		}
		for _, e := range spec.Exemptions {
			principals(e.Principals)
		}
	case *controlplane.Grant:
		principals(spec.Principals)
	case *controlplane.App:
		if tell := spec.UpstreamIdentity; tell != nil {
			for _, id := range tell.Groups {
				named[id] = true
			}
			all = len(tell.Groups) == 0 && slices.Contains(tell.Headers, "groups")
		}
	}
	for id := range named {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, all
}
