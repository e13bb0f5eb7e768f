package policytest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// builder is a world while it is read.
type builder struct {
	*reader
	World
	people map[string]Identity
}

func newBuilder(r *reader) *builder { return &builder{reader: r, people: map[string]Identity{}} }

// clone is the world as it is, to which a row can add.
func (b *builder) clone() *builder {
	c := *b
	c.Apps, c.Roles, c.Groups = slices.Clone(b.Apps), slices.Clone(b.Roles), slices.Clone(b.Groups)
	c.Memberships, c.Policies, c.Grants = slices.Clone(b.Memberships), slices.Clone(b.Policies), slices.Clone(b.Grants)
	c.people = maps.Clone(b.people)
	return &c
}

// add understands one line of a world; it is false for any other line.
func (b *builder) add(text string) bool {
	verb, rest, _ := strings.Cut(text, " ")
	fields := words(rest)
	if len(fields) == 0 {
		return false
	}
	if named := slices.Contains([]string{"role", "group", "member", "who"}, verb); named && (len(fields) < 2 || fields[1] != "=") {
		b.fail("a %s is written NAME = …", verb)
		return true
	}
	switch verb {
	case "provider":
		b.Providers = append(b.Providers, fields...)
	case "account":
		b.ServiceAccounts = append(b.ServiceAccounts, fields...)
	case "app":
		b.Apps = append(b.Apps, b.app(fields))
	case "role":
		b.Roles = append(b.Roles, b.role(fields))
	case "group":
		b.Groups = append(b.Groups, b.group(fields))
	case "member":
		b.Memberships = append(b.Memberships, &Membership{User: fields[0], Groups: fields[2:]})
	case "policy":
		b.Policies = append(b.Policies, b.policy(fields))
	case "rule":
		policy, id, _ := strings.Cut(fields[0], ".")
		b.addRule(policy, id, fields[1:])
	case "exempt":
		policy, id, _ := strings.Cut(fields[0], ".")
		b.addExemption(policy, id, fields[1:])
	case "grant":
		b.addGrant(fields[0], fields[1:])
	case "who":
		b.people[fields[0]] = b.identity(fields[2:])
	default:
		return false
	}
	return true
}

func (b *builder) app(fields []string) *App {
	a := &App{ID: fields[0]}
	for _, f := range fields[1:] {
		if key, value, ok := strings.Cut(f, "="); ok {
			if a.Labels == nil {
				a.Labels = map[string]string{}
			}
			a.Labels[key] = value
			continue
		}
		switch id, access, isOperation := strings.Cut(f, ":"); {
		case isOperation:
			a.Operations = append(a.Operations, Operation{ID: id, Access: access})
		case f == "disabled":
			a.Disabled = true
		case f == "closed":
			a.Closed = true
		default:
			b.fail("what is %q of an app?", f)
		}
	}
	return a
}

func (b *builder) role(fields []string) *Role {
	role := &Role{ID: fields[0]}
	for _, f := range fields[2:] {
		switch {
		case f == "[]":
			role.Operations = []string{}
		case f == "READ" || f == "WRITE" || f == "ADMIN":
			role.Access = append(role.Access, f)
		default:
			role.Operations = append(role.Operations, f)
		}
	}
	return role
}

func (b *builder) group(fields []string) *Group {
	g := &Group{ID: fields[0]}
	for _, f := range fields[2:] {
		kind, name, _ := strings.Cut(strings.TrimSuffix(f, ")"), "(")
		var m Member
		switch kind {
		case "user":
			m.User = name
		case "account":
			m.ServiceAccount = name
		case "group":
			m.Group = name
		case "idp":
			m.IDPGroup.IDP, m.IDPGroup.Name, _ = strings.Cut(name, ",")
		}
		g.Members = append(g.Members, m)
	}
	return g
}

func (b *builder) policy(fields []string) *Policy {
	p := &Policy{ID: fields[0], Mode: "ENFORCED"}
	for i, f := range fields[1:] {
		key, value, ok := strings.Cut(f, "=")
		switch {
		case f == "shadow":
			p.Mode = "SHADOW"
		case f == "for":
		case ok:
			l := LabelRequirement{Key: key, Values: list(value), Unset: "MATCH"}
			if inner, found := strings.CutPrefix(key, "set("); found {
				l.Key, l.Unset = strings.TrimSuffix(inner, ")"), "NO_MATCH"
			}
			p.Selector = append(p.Selector, l)
		case i == 0:
			p.Apps = list(f)
		default:
			b.fail("what is %q of a policy?", f)
		}
	}
	return p
}

func (b *builder) identity(fields []string) Identity {
	id := Identity{Kind: Person, GroupsComplete: true}
	for _, f := range fields {
		switch key, value, _ := strings.Cut(b.long(f), "="); key {
		case "person":
		case "machine":
			id = Identity{Kind: Machine}
		case "account":
			id.ServiceAccount = value
		case "idp":
			id.IDP = value
		case "sub":
			id.Subject = value
		case "mail":
			if id.Email = value; strings.HasPrefix(value, `"`) {
				id.Email = b.unquote(value)
			}
		case "in":
			id.Domain = value
		case "verified":
			id.EmailVerified = true
		case "trusted":
			id.EmailVerified, id.EmailDomainOwned = true, true
		case "groups":
			id.Groups = list(value)
		case "absent":
			id.GroupsAbsent = list(value)
		case "incomplete":
			id.GroupsComplete = false
		default:
			if !b.sessionFact(&id, key, value, noon) {
				b.fail("what is %q of somebody?", f)
			}
		}
	}
	return id
}

// sessionFact understands what both a person's line and a row may say.
func (b *builder) sessionFact(id *Identity, key, value string, now time.Time) bool {
	if value == "?" && (key == "acr" || key == "amr") {
		value = ""
	}
	switch key {
	case "auth":
		id.AuthTime = b.instant(value, now)
	case "acr":
		id.ACR = value
	case "amr":
		id.AMR = list(value)
	case "asked":
		id.Asked.At = b.instant(value, now)
	case "asked.age":
		id.Asked.MaxAge = b.duration(value)
	case "asked.acr":
		id.Asked.ACR = list(value)
	case "asked.amr":
		id.Asked.AMR = list(value)
	default:
		return false
	}
	return true
}
