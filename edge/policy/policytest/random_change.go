package policytest

import (
	"fmt"
	"slices"
)

// Shuffle writes a world in another order.
func (d Dice) Shuffle(w *World) *World {
	s := &World{
		Apps: shuffled(d, w.Apps), Roles: shuffled(d, w.Roles), Groups: shuffled(d, w.Groups), Memberships: shuffled(d, w.Memberships),
		Policies: shuffled(d, w.Policies), Grants: shuffled(d, w.Grants), Providers: shuffled(d, w.Providers), ServiceAccounts: shuffled(d, w.ServiceAccounts),
	}
	for i, p := range s.Policies {
		q := *p
		q.Rules, q.Exemptions, q.Selector, q.Apps = shuffled(d, p.Rules), shuffled(d, p.Exemptions), shuffled(d, p.Selector), shuffled(d, p.Apps)
		for j := range q.Rules {
			q.Rules[j].Principals = shuffled(d, q.Rules[j].Principals)
		}
		s.Policies[i] = &q
	}
	return s
}

// shuffled keeps nil nil.
func shuffled[T any](d Dice, list []T) []T {
	list = slices.Clone(list)
	for i := len(list) - 1; i > 0; i-- {
		j := d(i + 1)
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// Tighter adds a DENY or a REQUIRE: to a policy, or as a guard-rail of its own.
func (d Dice) Tighter(w *World) *World {
	t := *w
	t.Policies = slices.Clone(w.Policies)
	rule := d.Rule("more", pick(d, []string{"DENY", "REQUIRE"}))
	i := d(len(t.Policies) + 1)
	if i < len(t.Policies) && t.Policies[i].Mode == "ENFORCED" {
		p := *t.Policies[i]
		p.Rules = append(slices.Clone(p.Rules), rule)
		t.Policies[i] = &p
		return &t
	}
	t.Policies = append(t.Policies, &Policy{ID: pick(d, []string{"a", "z"}), Mode: "ENFORCED", Selector: d.selector(), Rules: []Rule{rule}})
	return &t
}

// WithoutAllow removes an ALLOW or a grant, if there is one.
func (d Dice) WithoutAllow(w *World) *World {
	t := *w
	t.Policies = slices.Clone(w.Policies)
	if len(t.Grants) > 0 && d.one(3) {
		i := d(len(t.Grants))
		t.Grants = slices.Delete(slices.Clone(t.Grants), i, i+1)
		return &t
	}
	i := d(len(t.Policies))
	p := *t.Policies[i]
	if j := slices.IndexFunc(p.Rules, func(r Rule) bool { return r.Effect == "ALLOW" }); j >= 0 {
		p.Rules = slices.Delete(slices.Clone(p.Rules), j, j+1)
		t.Policies[i] = &p
	}
	if len(p.Rules) == 0 {
		t.Policies = slices.Delete(t.Policies, i, i+1)
	}
	return &t
}

// Edits are the worlds on some way to this one, which is the last of them. Each
// shares with the one before what it leaves as it was. Some are faulty.
func (d Dice) Edits(goal *World) []*World {
	w := d.RandomWorld()
	steps := []*World{w}
	for _, part := range shuffled(d, []int{0, 1, 2, 3, 4, 5, 6, 7}) {
		next := *w
		switch part {
		case 0:
			next.Apps = slices.Clone(w.Apps)
			i := d(len(next.Apps))
			next.Apps[i] = goal.Apps[i]
		case 1:
			next.Groups = slices.Clone(w.Groups)
			i := d(len(someGroups))
			next.Groups[i] = goal.Groups[i]
		case 2:
			next.Groups = goal.Groups
		case 3:
			next.Memberships = goal.Memberships
		case 4:
			next.Policies = append(slices.Clone(w.Policies), d.policy(fmt.Sprintf("q%d", len(steps))))
		case 5:
			next.Policies = goal.Policies
		case 6:
			next.Grants = goal.Grants
		case 7:
			i := d(len(next.Policies))
			next.Policies = slices.Clone(w.Policies)
			p := *next.Policies[i]
			p.Rules = append(slices.Clone(p.Rules), d.Rule("extra", "DENY"))
			next.Policies[i] = &p
		}
		w = &next
		if d.one(4) {
			steps = append(steps, d.Spoil(w))
		}
		steps = append(steps, w)
	}
	return append(steps, goal)
}
