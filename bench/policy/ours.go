package policy

import (
	"fmt"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy"
)

var noon = time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)

// ours decides by edge/policy.
func ours(c *corpus) (decide func(i int) bool, err error) {
	app := &policy.App{ID: "app"}
	for i := range c.operations {
		app.Operations = append(app.Operations, policy.Operation{ID: operation(i), Access: policy.Read})
	}
	source := policy.Source{Apps: []*policy.App{app}, Providers: []string{"corp"}}
	for i := range claimed {
		source.Groups = append(source.Groups,
			&policy.Group{ID: group(i), Members: []policy.Member{{IDPGroup: policy.IDPGroup{IDP: "corp", Name: group(i)}}}},
			&policy.Group{ID: group(i + claimed), Members: []policy.Member{{Group: group(i)}}})
	}
	rules := &policy.Policy{ID: "rules", Apps: []string{"app"}}
	for i, r := range c.rules {
		one := policy.Rule{
			ID: fmt.Sprintf("r%04d", i), Effect: policy.Effect(r.effect),
			Principals: []string{"group:" + group(r.group)}, Operations: []string{operation(r.operation)},
		}
		if r.network.IsValid() {
			one.Conditions.SourceCIDRs = []string{r.network.Masked().String()}
		}
		rules.Rules = append(rules.Rules, one)
	}
	source.Policies = []*policy.Policy{rules}
	program, problems := policy.Compile(source)
	if len(problems) > 0 {
		return nil, fmt.Errorf("%v", problems)
	}
	people := make([]*policy.Principal, len(c.people))
	for i, groups := range c.people {
		id := policy.Identity{Kind: policy.Person, IDP: "corp", GroupsComplete: true}
		for _, g := range groups {
			id.Groups = append(id.Groups, group(g))
		}
		people[i] = program.Resolve(id)
	}
	requests := make([]policy.Request, len(c.requests))
	for i, r := range c.requests {
		requests[i] = policy.Request{Operation: operation(r.operation), SourceIP: r.ip, Now: noon}
		if r.person >= 0 {
			requests[i].Principal = people[r.person]
		}
	}
	return func(i int) bool {
		d := program.Decide("app", &requests[i])
		return d.Outcome == policy.Allow
	}, nil
}
