package changeset

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/app"
	"github.com/sallyport-iap/sallyport/controlplane/idp"
	"github.com/sallyport-iap/sallyport/controlplane/member"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// checkEach asks each noun about what is written of it.
func (r *run) checkEach() error {
	for _, c := range r.changes {
		if c.after == nil {
			continue
		}
		found, err := r.checkOne(c.after)
		if err != nil {
			return err
		}
		r.add(c.at, found...)
	}
	return nil
}

func (r *run) checkOne(resource *controlplane.Resource) ([]controlplane.Violation, error) {
	switch spec := resource.Spec.(type) {
	case *controlplane.App:
		return app.Check(spec), nil
	case *controlplane.IdentityProvider:
		return idp.Check(spec), nil
	case *controlplane.Member:
		return member.Check(spec), nil
	case *controlplane.Group:
		return policy.CheckGroup(spec), nil
	case *controlplane.Policy:
		return policy.Check(spec), nil
	case *controlplane.PolicyTest:
		return policy.CheckTest(spec), nil
	case *controlplane.Tenant:
		return append(policy.CheckHost("auth_host", spec.AuthHost), spec.Session.Check("session")...), nil
	case *controlplane.APIToken:
		return r.checkToken(spec), nil
	case *controlplane.EdgePool:
		return r.checkPool(spec, func(id string) (bool, error) { return r.outside.tenants[id], nil })
	default:
		return nil, nil // roles and grants mean something only together: see judge
	}
}

// checkToken wants a member of the same tenant: the reference that is stored has only its id.
func (r *run) checkToken(spec *controlplane.APIToken) []controlplane.Violation {
	name, err := controlplane.ParseName(spec.Member)
	if err == nil && name.Kind == controlplane.KindMember && spec.Member == r.set.Scope.Name(name.Kind, name.ID) {
		return nil
	}
	return []controlplane.Violation{{
		Field: "member", Reason: controlplane.ReasonFieldInvalid,
		Description: "must be a member's name: " + r.set.Scope.Parent() + "/members/{member}",
	}}
}

func (r *run) add(at string, found ...controlplane.Violation) {
	for _, v := range found {
		v.Field = join(at, v.Field)
		r.violations = append(r.violations, v)
	}
}

// checkAll looks at what the set leaves behind, all of it written.
func (r *run) checkAll() error {
	for _, step := range []func() error{r.references, r.referrers, r.keepOwner, r.addresses, r.callersCheck, r.judge} {
		if err := step(); err != nil || len(r.violations) > 0 {
			return err
		}
	}
	return nil
}

// Of references that lead nowhere, an error names some and suggests for fewer what was meant, among so many ids: a
// suggestion costs the number of ids.
const (
	maxMissing  = 100
	maxSuggests = 10
	maxNear     = 10_000
)

// references looks at what the set refers to, as the set leaves it: in a preview nothing is written.
func (r *run) references() error {
	planned := map[key]bool{} // whether it is there
	var refs []controlplane.Reference
	for _, c := range r.changes {
		planned[key{c.kind, c.id}] = c.after != nil
		if c.after != nil {
			refs = append(refs, c.after.Spec.References()...)
		}
	}
	missing, err := r.tx.Missing(refs)
	if err != nil {
		return err
	}
	gone := map[key]bool{}
	for _, m := range missing {
		gone[key{m.Kind, m.ID}] = true
	}
	for k, there := range planned {
		gone[k] = !there
	}
	found := 0
	for _, c := range r.changes {
		if c.after == nil {
			continue
		}
		for _, ref := range c.after.Spec.References() {
			if !gone[key{ref.Kind, ref.ID}] {
				continue
			}
			if found++; found > maxMissing {
				r.add(c.at, controlplane.Violation{
					Reason:      controlplane.ReasonReferenceNotFound,
					Description: fmt.Sprintf("and more: the first %d references that lead nowhere are named", maxMissing),
				})
				return nil
			}
			suggestion := ""
			if found <= maxSuggests {
				if suggestion, err = r.nearest(ref); err != nil {
					return err
				}
			}
			r.add(c.at, controlplane.Violation{
				Field: ref.Field, Reason: controlplane.ReasonReferenceNotFound, Suggestion: suggestion,
				Description: fmt.Sprintf("%s %q does not exist", noun(ref.Kind), ref.ID),
			})
		}
	}
	return nil
}

func (r *run) nearest(ref controlplane.Reference) (string, error) {
	ids, read := r.ids[ref.Kind]
	if !read {
		var err error
		if ids, err = r.tx.IDs(ref.Kind, maxNear); err != nil {
			return "", err
		}
		gone := map[string]bool{}
		for _, c := range r.changes {
			switch {
			case c.kind == ref.Kind && c.after == nil:
				gone[c.id] = true
			case c.kind == ref.Kind && c.before == nil:
				ids = append(ids, c.id)
			}
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return gone[id] })
		r.ids[ref.Kind] = ids
	}
	return controlplane.Nearest(ref.ID, ids), nil
}

// noun is a kind in a sentence: `identity provider`.
func noun(kind controlplane.Kind) string {
	var text strings.Builder
	for i, c := range string(kind) {
		if i > 0 && c >= 'A' && c <= 'Z' {
			text.WriteByte(' ')
		}
		text.WriteRune(c)
	}
	return strings.ToLower(text.String())
}

// callersCheck asks what only the caller knows to ask.
func (r *run) callersCheck() error {
	if r.set.Check == nil {
		return nil
	}
	return r.set.Check(r.tx)
}

// told is how many referrers an error names.
const told = 10

func (r *run) referrers() error {
	for _, c := range r.changes {
		if c.after != nil {
			continue
		}
		found, err := r.tx.Referrers(c.kind, c.id)
		if err != nil {
			return err
		}
		// One that the set changes is asked by its references, as they become.
		found = slices.DeleteFunc(found, func(f store.Referrer) bool {
			return slices.ContainsFunc(r.changes, func(c *change) bool { return c.kind == f.Kind && c.id == f.ID })
		})
		if len(found) == 0 {
			continue
		}
		var names []string
		for _, f := range found {
			if name := r.name(f.Kind, f.ID); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		text := strings.Join(names[:min(told, len(names))], ", ")
		if more := len(names) - told; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		return &controlplane.Error{
			Kind: controlplane.Precondition, Reason: controlplane.ReasonInUse,
			Message: fmt.Sprintf("%s is in use by %s", r.name(c.kind, c.id), text), Metadata: map[string]string{"referrers": text},
		}
	}
	return nil
}

func (r *run) keepOwner() error {
	isOwner := func(m *controlplane.Resource) bool {
		spec := specOf[*controlplane.Member](m)
		return spec != nil && spec.Role == controlplane.Owner
	}
	lost := slices.ContainsFunc(r.changes, func(c *change) bool { return isOwner(c.before) && !isOwner(c.after) })
	if !lost {
		return nil
	}
	members, err := r.tx.AllResources(controlplane.KindMember)
	if err != nil {
		return err
	}
	owners := map[string]bool{}
	for _, m := range members {
		owners[m.ID] = isOwner(m)
	}
	for _, c := range r.changes {
		if c.kind == controlplane.KindMember {
			owners[c.id] = isOwner(c.after)
		}
	}
	count := 0
	for _, is := range owners {
		if is {
			count++
		}
	}
	return member.KeepOwner(count)
}
