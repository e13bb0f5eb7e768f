package snapshot

import (
	"slices"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// documents are the messages of a config lane, parsed, in the order of kind and id.
type documents struct {
	tenant    *edgev1.Tenant
	pool      *edgev1.Pool
	apps      []*edgev1.App
	providers []provider
	roles     []*edgev1.Role
	groups    []*edgev1.Group
	policies  []*edgev1.Policy
	accounts  []*edgev1.ServiceAccount
	// foreign is a resource of a kind that is not known here, or a tenant's setting that is not: it may bear on every app.
	foreign string
}

type provider struct {
	resource *resource
	message  *edgev1.IdentityProvider
}

// decode parses a config lane. Bytes that are not what their kind says make the whole lane unusable: it was signed like
// that, so something is badly wrong.
func decode(l *lane) (*documents, *Refusal) {
	d := &documents{}
	for _, k := range sortedKeys(l.resources) {
		r := l.resources[k]
		var m proto.Message
		switch k.kind {
		case "Tenant":
			d.tenant = &edgev1.Tenant{}
			m = d.tenant
		case "Pool":
			d.pool = &edgev1.Pool{}
			m = d.pool
		case "App":
			m = add(&d.apps, &edgev1.App{})
		case "IdentityProvider":
			p := &edgev1.IdentityProvider{}
			d.providers = append(d.providers, provider{r, p})
			m = p
		case "Role":
			m = add(&d.roles, &edgev1.Role{})
		case "Group":
			m = add(&d.groups, &edgev1.Group{})
		case "Policy":
			m = add(&d.policies, &edgev1.Policy{})
		case "ServiceAccount":
			m = add(&d.accounts, &edgev1.ServiceAccount{})
		default:
			d.foreign = k.kind
			continue
		}
		if err := proto.Unmarshal(r.GetBytes(), m); err != nil {
			return nil, refuse(notCompiling, "%s %q cannot be parsed", k.kind, k.id)
		}
	}
	if d.tenant != nil && !understood(d.tenant.ProtoReflect()) {
		d.foreign = "Tenant"
	}
	return d, nil
}

func add[M any](list *[]M, m M) M {
	*list = append(*list, m)
	return m
}

// closed returns the ids of the apps that something not understood bears on. A policy whose own fields are not
// understood may reach further than the apps it names (by a selector, say), so it closes them all.
func (d *documents) closed() (ids map[string]bool, all bool) {
	if d.foreign != "" {
		return nil, true
	}
	ids = map[string]bool{}
	badRoles, badGroups := d.badRoles(), d.badGroups()
	for _, p := range d.policies {
		if len(p.ProtoReflect().GetUnknown()) > 0 {
			return nil, true
		}
		if slices.ContainsFunc(p.GetRules(), func(r *edgev1.Rule) bool { return !understoodRule(r, badRoles, badGroups) }) {
			for _, id := range p.GetApps() {
				ids[id] = true
			}
		}
	}
	for _, a := range d.apps {
		if !understood(a.ProtoReflect()) {
			ids[a.GetId()] = true
		}
	}
	return ids, false
}

func understoodRule(r *edgev1.Rule, badRoles, badGroups map[string]bool) bool {
	if !understood(r.ProtoReflect()) {
		return false
	}
	for _, id := range r.GetRoles() {
		if badRoles[id] {
			return false
		}
	}
	for _, principal := range r.GetPrincipals() {
		if badGroups[principal] {
			return false
		}
	}
	for _, id := range r.GetConditions().GetMembersOf() {
		if badGroups["group:"+id] {
			return false
		}
	}
	return true
}

func (d *documents) badRoles() map[string]bool {
	bad := map[string]bool{}
	for _, r := range d.roles {
		if !understood(r.ProtoReflect()) {
			bad[r.GetId()] = true
		}
	}
	return bad
}

// badGroups are those that are not understood, and all that contain one, as rules name them.
func (d *documents) badGroups() map[string]bool {
	bad := map[string]bool{}
	for changed := true; changed; {
		changed = false
		for _, g := range d.groups {
			name := "group:" + g.GetId()
			if bad[name] {
				continue
			}
			if !understood(g.ProtoReflect()) || slices.ContainsFunc(g.GetMembers(), func(m *edgev1.GroupMember) bool {
				return m.GetMember() == nil || bad["group:"+m.GetGroup()]
			}) {
				bad[name], changed = true, true
			}
		}
	}
	return bad
}
