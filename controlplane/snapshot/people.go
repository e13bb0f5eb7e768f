package snapshot

import (
	"maps"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// people is who is in which groups by address. Edges are told of it by person: who joins a group, in a tenant of
// 100,000 people, costs them one small resource. And they are told only of groups that matter: those that a policy, a grant or an app names, and
// those nested in them.
//
// What a person's resource says follows from several rows and is none itself, so it has no revision of its own: that of
// its group would send the whole group again, and a replica that has just started could not know a better one. When it
// changed, each replica notes for itself ([Entry.since]).
type people struct {
	groups map[string]roster   // by id
	named  map[Key]naming      // by policy, grant and app
	in     map[string][]string // by address: ids of groups, sorted
	matter map[string]bool     // ids of groups
	told   map[string]*Entry   // by address: what edges are sent
	spelt  map[string]string   // each address once
}

// roster is what a group says.
type roster struct {
	users  []string // canonical, sorted
	groups []string
}

// naming is which groups something names.
type naming struct {
	groups []string
	all    bool // any there is
}

func newPeople() *people {
	return &people{
		groups: make(map[string]roster), named: make(map[Key]naming), in: make(map[string][]string),
		matter: make(map[string]bool), told: make(map[string]*Entry), spelt: make(map[string]string),
	}
}

// draft is what one application of rows does to people.
type draft struct {
	people  *people
	touched map[string]bool // addresses
	renamed bool            // which groups matter may have changed
}

func (p *people) draft() *draft { return &draft{people: p, touched: make(map[string]bool)} }

// put takes in a row that people may depend on.
func (d *draft) put(r *controlplane.Resource) {
	if g, ok := r.Spec.(*controlplane.Group); ok {
		d.enrol(r.ID, d.people.read(g))
		return
	}
	var n naming
	n.groups, n.all = policy.GroupsNamed(r.Spec)
	d.name(Key{string(r.Kind), r.ID}, n)
}

// remove forgets a row.
func (d *draft) remove(key Key) {
	if key.Kind == string(controlplane.KindGroup) {
		d.enrol(key.ID, roster{})
		delete(d.people.groups, key.ID)
		return
	}
	d.name(key, naming{})
}

func (d *draft) name(key Key, n naming) {
	old := d.people.named[key]
	if slices.Equal(old.groups, n.groups) && old.all == n.all {
		return
	}
	d.renamed = true
	if n.all || len(n.groups) > 0 {
		d.people.named[key] = n
	} else {
		delete(d.people.named, key)
	}
}

// enrol notes who came into a group and who left it.
func (d *draft) enrol(id string, next roster) {
	old, known := d.people.groups[id]
	d.people.groups[id] = next
	d.renamed = d.renamed || !known || !slices.Equal(old.groups, next.groups)
	for user := range difference(old.users, next.users) {
		d.touched[user] = true
		groups := slices.DeleteFunc(slices.Clone(d.people.in[user]), func(g string) bool { return g == id })
		if len(groups) == 0 {
			delete(d.people.in, user)
		} else {
			d.people.in[user] = groups
		}
	}
	for user := range difference(next.users, old.users) {
		d.touched[user] = true
		groups := d.people.in[user]
		at, _ := slices.BinarySearch(groups, id)
		d.people.in[user] = slices.Insert(slices.Clip(groups), at, id)
	}
}

// difference yields what is in a and not in b, both sorted.
func difference(a, b []string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, s := range a {
			if _, in := slices.BinarySearch(b, s); !in && !yield(s) {
				return
			}
		}
	}
}

// finish returns the resources that are new or different at a revision, and those that are gone.
func (d *draft) finish(revision int64) (changed []*Entry, removed []removal, err error) {
	p := d.people
	if d.renamed {
		matter := p.mattering()
		for id := range p.groups {
			if matter[id] != p.matter[id] {
				for _, user := range p.groups[id].users {
					d.touched[user] = true
				}
			}
		}
		p.matter = matter
	}
	for _, user := range slices.Sorted(maps.Keys(d.touched)) {
		entry, err := p.entry(user, revision)
		if err != nil {
			return nil, nil, err
		}
		old := p.told[user]
		switch {
		case entry == nil && old != nil:
			delete(p.told, user)
			removed = append(removed, removal{old.key(), revision})
		case entry != nil && (old == nil || old.sum != entry.sum):
			p.told[user] = entry
			changed = append(changed, entry)
		}
		if p.in[user] == nil {
			delete(p.spelt, user)
		}
	}
	return changed, removed, nil
}

// mattering returns the groups that something names, and those nested in them.
func (p *people) mattering() map[string]bool {
	matter := make(map[string]bool)
	var add func(id string)
	add = func(id string) {
		if g, ok := p.groups[id]; ok && !matter[id] {
			matter[id] = true
			for _, nested := range g.groups {
				add(nested)
			}
		}
	}
	for _, n := range p.named {
		for _, id := range n.groups {
			add(id)
		}
		if n.all {
			for id := range p.groups {
				add(id)
			}
		}
	}
	return matter
}

// entry is what edges are sent of a person; nil if there is nothing to tell.
func (p *people) entry(user string, revision int64) (*Entry, error) {
	var groups []string
	for _, id := range p.in[user] {
		if p.matter[id] {
			groups = append(groups, id)
		}
	}
	if groups == nil {
		return nil, nil
	}
	entry, err := newEntry(user, "", 0, &edgev1.Membership{User: user, Groups: groups})
	if err != nil {
		return nil, err
	}
	entry.since = revision
	return entry, nil
}

// read takes a group apart.
func (p *people) read(g *controlplane.Group) roster {
	r := roster{users: policy.People(g)}
	for i, user := range r.users {
		if _, known := p.spelt[user]; !known {
			p.spelt[user] = user
		}
		r.users[i] = p.spelt[user]
	}
	for _, m := range g.Members {
		if m.Group != "" {
			r.groups = append(r.groups, m.Group)
		}
	}
	return r
}
