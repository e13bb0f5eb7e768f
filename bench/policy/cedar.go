package policy

import (
	"fmt"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// cedarPeer decides by cedar-go: a policy a rule, groups as parents in the entity hierarchy, networks as conditions over
// the context. A REQUIRE is "forbid unless", which is how Cedar's documentation writes guard-rails.
func cedarPeer(c *corpus) (decide func(i int) bool, err error) {
	var text strings.Builder
	for _, r := range c.rules {
		effect, condition := "permit", ""
		switch {
		case r.effect == "REQUIRE":
			effect, condition = "forbid", fmt.Sprintf(" unless { context.ip.isInRange(ip(%q)) }", r.network.Masked())
		case r.network.IsValid():
			condition = fmt.Sprintf(" when { context.ip.isInRange(ip(%q)) }", r.network.Masked())
		}
		if r.effect == "DENY" {
			effect = "forbid"
		}
		fmt.Fprintf(&text, "%s (principal in Group::%q, action == Action::%q, resource == App::\"app\")%s;\n", effect, group(r.group), operation(r.operation), condition)
	}
	policies, err := cedar.NewPolicySetFromBytes("corpus.cedar", []byte(text.String()))
	if err != nil {
		return nil, err
	}
	entities := types.EntityMap{}
	add := func(uid types.EntityUID, parents ...types.EntityUID) {
		entities[uid] = types.Entity{UID: uid, Parents: types.NewEntityUIDSet(parents...)}
	}
	uid := func(kind, id string) types.EntityUID {
		return types.NewEntityUID(types.EntityType(kind), types.String(id))
	}
	for i := range claimed {
		add(uid("Group", group(i)), uid("Group", group(i+claimed)))
		add(uid("Group", group(i+claimed)))
	}
	for i, groups := range c.people {
		var parents []types.EntityUID
		for _, g := range groups {
			parents = append(parents, uid("Group", group(g)))
		}
		add(uid("User", fmt.Sprint(i)), parents...)
	}
	add(uid("App", "app"))
	requests := make([]cedar.Request, len(c.requests))
	for i, r := range c.requests {
		ip, err := types.ParseIPAddr(r.ip.String())
		if err != nil {
			return nil, err
		}
		requests[i] = cedar.Request{
			Principal: uid("User", fmt.Sprint(r.person)), Action: uid("Action", operation(r.operation)), Resource: uid("App", "app"),
			Context: types.NewRecord(types.RecordMap{"ip": ip}),
		}
	}
	return func(i int) bool {
		decision, _ := cedar.Authorize(policies, entities, requests[i])
		return decision == cedar.Allow
	}, nil
}
