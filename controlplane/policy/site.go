package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
)

// Key names a resource of a tenant.
type Key struct {
	Kind controlplane.Kind
	ID   string
}

// Site is all that a tenant's policy is made of, as an edge has it: compiled by the edges' own compiler, with the way from a
// request to its app and operation. It is immutable: a change makes another ([Site.With]), which costs what is changed and
// not what is there.
type Site struct {
	Program *policy.Program
	Source  policy.Source

	of       map[controlplane.Kind][]*thing // in order of ids
	problems []policy.Problem
	hosts    func() map[string]*App
}

// thing is a resource and what edges make of it.
type thing struct {
	*controlplane.Resource
	form   any // of package edge/policy, as in its Source; nil for what it knows only by id
	app    *App
	people []string // among the members of a group, in order
	weight int
}

// NewSite compiles a tenant's resources. What is not understood is closed, as at an edge; those of other kinds than [Kinds]
// are left out.
func NewSite(resources []*controlplane.Resource) *Site {
	return (&Site{of: map[controlplane.Kind][]*thing{}}).With(resources, nil)
}

// With is the site after a change: resources that are put, new or in place of what has their kind and id, and others
// that are gone.
func (s *Site) With(put []*controlplane.Resource, gone []Key) *Site {
	edits := map[controlplane.Kind][]edit{}
	for _, r := range put {
		if slices.Contains(Kinds, r.Kind) {
			edits[r.Kind] = append(edits[r.Kind], edit{r.ID, newThing(r)})
		}
	}
	for _, key := range gone {
		if slices.Contains(Kinds, key.Kind) {
			edits[key.Kind] = append(edits[key.Kind], edit{id: key.ID})
		}
	}
	if len(edits) == 0 && s.Program != nil {
		return s
	}
	next := &Site{of: maps.Clone(s.of), Source: s.Source}
	next.enrol(s, edits[controlplane.KindGroup])
	for kind, list := range edits {
		next.of[kind] = merge(s.of[kind], list)
		next.list(kind)
	}
	if s.Program == nil {
		next.Program, next.problems = policy.Compile(next.Source)
	} else {
		next.Program, next.problems = s.Program.Recompile(next.Source)
	}
	next.hosts = sync.OnceValue(next.byHost)
	return next
}

// edit is what becomes of an id; nil: nothing is there any more.
type edit struct {
	id string
	to *thing
}

func merge(things []*thing, edits []edit) []*thing {
	slices.SortFunc(edits, func(a, b edit) int { return strings.Compare(a.id, b.id) })
	merged := make([]*thing, 0, len(things)+len(edits))
	for _, e := range edits {
		at, found := slices.BinarySearchFunc(things, e.id, byID)
		merged = append(merged, things[:at]...)
		if e.to != nil {
			merged = append(merged, e.to)
		}
		if found {
			at++
		}
		things = things[at:]
	}
	return append(merged, things...)
}

func byID(t *thing, id string) int { return cmp.Compare(t.ID, id) }

func newThing(r *controlplane.Resource) *thing {
	t := &thing{Resource: r, weight: weigh(r)}
	switch spec := r.Spec.(type) {
	case *controlplane.App:
		t.form = appOf(r, spec)
		t.app = newApp(r.ID, spec)
	case *controlplane.Role:
		t.form = &policy.Role{ID: r.ID, Operations: spec.Operations, Access: accessOf(spec.Access)}
	case *controlplane.Group:
		t.form, t.people = groupOf(r.ID, spec), People(spec)
	case *controlplane.Policy:
		t.form = policyOf(r.ID, spec)
	case *controlplane.Grant:
		t.form = grantOf(r.ID, spec)
	}
	return t
}

// list writes one kind into the source.
func (s *Site) list(kind controlplane.Kind) {
	things := s.of[kind]
	switch kind {
	case controlplane.KindApp:
		s.Source.Apps = forms[*policy.App](things)
	case controlplane.KindRole:
		s.Source.Roles = forms[*policy.Role](things)
	case controlplane.KindGroup:
		s.Source.Groups = forms[*policy.Group](things)
	case controlplane.KindPolicy:
		s.Source.Policies = forms[*policy.Policy](things)
	case controlplane.KindGrant:
		s.Source.Grants = forms[*policy.Grant](things)
	case controlplane.KindIdentityProvider:
		s.Source.Providers = ids(things)
	case controlplane.KindServiceAccount:
		s.Source.ServiceAccounts = ids(things)
	}
}

func forms[F any](things []*thing) []F {
	list := make([]F, len(things))
	for i, t := range things {
		list[i] = t.form.(F)
	}
	return list
}

func ids(things []*thing) []string {
	list := make([]string, len(things))
	for i, t := range things {
		list[i] = t.ID
	}
	return list
}

// Findings are what is wrong with the policy, as edges would see it.
func (s *Site) Findings() []Finding {
	var findings []Finding
	for _, p := range s.problems {
		f := finding(p)
		if group := s.Resource(controlplane.KindGroup, f.ID); f.Kind == controlplane.KindGroup && group != nil {
			f.Field = memberField(group.Spec.(*controlplane.Group), f.Field)
		}
		findings = append(findings, f)
	}
	return findings
}

// Resource returns a resource, or nil.
func (s *Site) Resource(kind controlplane.Kind, id string) *controlplane.Resource {
	if t := s.thing(kind, id); t != nil {
		return t.Resource
	}
	return nil
}

// Resources yields those of one kind, in order of ids.
func (s *Site) Resources(kind controlplane.Kind) func(yield func(*controlplane.Resource) bool) {
	return func(yield func(*controlplane.Resource) bool) {
		for _, t := range s.of[kind] {
			if !yield(t.Resource) {
				return
			}
		}
	}
}

// Count is how many resources of one kind there are.
func (s *Site) Count(kind controlplane.Kind) int { return len(s.of[kind]) }

func (s *Site) thing(kind controlplane.Kind, id string) *thing {
	things := s.of[kind]
	if at, found := slices.BinarySearchFunc(things, id, byID); found {
		return things[at]
	}
	return nil
}
