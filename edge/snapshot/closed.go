package snapshot

import (
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// closed returns the ids of the apps that something not understood bears on. What may bear on every app closes them all:
// a kind that is not known here, a tenant's setting, a policy's own fields or its selector, and what is said of a person.
func closed(l *lane) (ids map[string]bool, all bool) {
	ids = map[string]bool{}
	for _, r := range l.resources {
		switch {
		case r.message == nil:
			return nil, true
		case r.understood:
		case r.GetKind() == "Tenant" || r.GetKind() == "Membership":
			return nil, true
		case r.GetKind() == "App":
			ids[r.GetId()] = true
		}
	}
	bad := newBad(l)
	for _, r := range l.of("Policy") {
		m := r.message.(*edgev1.Policy)
		switch {
		case r.understood && !bad.policy(m):
			continue
		case len(m.ProtoReflect().GetUnknown()) > 0 || slices.ContainsFunc(m.GetSelector(), misread):
			return nil, true
		}
		for _, app := range l.of("App") {
			if r.form.(*policy.Policy).Reaches(app.form.(*policy.App)) {
				ids[app.GetId()] = true
			}
		}
	}
	for _, r := range l.of("Grant") {
		m := r.message.(*edgev1.Grant)
		if !r.understood || bad.roles.any(m.GetRoles()) || bad.principals(m.GetPrincipals()) {
			ids[m.GetApp()] = true
		}
	}
	return ids, false
}

// misread reports whether a requirement cannot be told to select or not.
func misread(l *edgev1.LabelRequirement) bool {
	return !understood(l.ProtoReflect()) || l.GetUnset() == edgev1.UnsetLabel_UNSET_LABEL_UNSPECIFIED
}

// bad is what rules may name and is not understood.
type bad struct {
	roles  names
	groups names // these, and all that contain one
}

type names map[string]bool

func (n names) any(ids []string) bool {
	return len(n) > 0 && slices.ContainsFunc(ids, func(id string) bool { return n[id] })
}

func newBad(l *lane) bad {
	b := bad{roles: names{}, groups: names{}}
	for _, r := range l.of("Role") {
		if !r.understood {
			b.roles[r.GetId()] = true
		}
	}
	for _, r := range l.of("Group") {
		if !r.understood || slices.ContainsFunc(r.message.(*edgev1.Group).GetMembers(), func(m *edgev1.GroupMember) bool { return m.GetMember() == nil }) {
			b.groups[r.GetId()] = true
		}
	}
	for changed := len(b.groups) > 0; changed; {
		changed = false
		for _, r := range l.of("Group") {
			if !b.groups[r.GetId()] && slices.ContainsFunc(r.message.(*edgev1.Group).GetMembers(), func(m *edgev1.GroupMember) bool { return b.groups[m.GetGroup()] }) {
				b.groups[r.GetId()], changed = true, true
			}
		}
	}
	return b
}

func (b bad) principals(list []string) bool {
	return len(b.groups) > 0 && slices.ContainsFunc(list, func(p string) bool {
		id, ok := strings.CutPrefix(p, "group:")
		return ok && b.groups[id]
	})
}

func (b bad) policy(m *edgev1.Policy) bool {
	if len(b.roles)+len(b.groups) == 0 {
		return false
	}
	return slices.ContainsFunc(m.GetRules(), b.rule) ||
		slices.ContainsFunc(m.GetExemptions(), func(e *edgev1.Exemption) bool { return b.principals(e.GetPrincipals()) })
}

// rule takes an expression that asks for groups to ask for a bad one.
func (b bad) rule(r *edgev1.Rule) bool {
	return b.roles.any(r.GetRoles()) || b.principals(r.GetPrincipals()) || b.groups.any(r.GetConditions().GetMembersOf()) ||
		len(b.groups) > 0 && strings.Contains(r.GetExpression(), "groups") // the whole name may be written with spaces in it
}
