package who

import (
	"slices"

	"github.com/sallyport-iap/sallyport/edge/policy/incremental"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
)

// Directory is everything that tells who is what. It is immutable, and goes on
// to be used as long as nothing in it changes: principals that it resolved stay
// good.
type Directory struct {
	atoms       incremental.Table[Atom] // of all terms that were ever named, and of all groups
	groups      *groups
	memberships incremental.Table[*Membership] // by canonical e-mail address
	populated   incremental.Table[int]         // by group id: how many memberships name it
	doubtful    []Atom                         // groups that anybody may be in
	uncertain   []*Membership                  // memberships that have a problem
	providers   map[string]bool
	accounts    map[string]bool
}

// NewDirectory returns one that knows nobody.
func NewDirectory() *Directory {
	return &Directory{
		atoms: incremental.NewTable[Atom](), groups: &groups{}, memberships: incremental.NewTable[*Membership](),
		populated: incremental.NewTable[int](),
	}
}

// Size is how many atoms there are, in use or not.
func (d *Directory) Size() int { return int(firstNamed) + d.atoms.Size() }

// Provider says whether there is an identity provider.
func (d *Directory) Provider(id string) bool { return d.providers[id] }

// Account says whether there is a service account.
func (d *Directory) Account(id string) bool { return d.accounts[id] }

// Group returns the atom of a group, if there is one.
func (d *Directory) Group(id string) (Atom, bool) {
	a, ok := d.groups.ids[id]
	return a, ok
}

// Draft is a directory while it changes.
type Draft struct {
	*Directory
	before   *Directory
	problems *problem.List
	atoms    *incremental.Draft[Atom] // nil until there is a new one
	lost     []problem.Place
	renamed  bool
}

// Edit returns a draft that begins as the directory. Problems that it finds go to
// a list that has those of before.
func (d *Directory) Edit(problems *problem.List) *Draft {
	after := *d
	return &Draft{Directory: &after, before: d, problems: problems}
}

// Lost are the groups, providers and accounts of before that are no more.
func (d *Draft) Lost() []problem.Place { return d.lost }

// Done returns the directory: the one before if nothing has changed.
func (d *Draft) Done() *Directory {
	if d.atoms != nil {
		d.Directory.atoms = d.atoms.Table
	}
	if d.atoms == nil && d.groups == d.before.groups && d.memberships.Same(&d.before.memberships) && !d.renamed &&
		slices.Equal(d.doubtful, d.before.doubtful) {
		return d.before
	}
	return d.Directory
}

// Atom returns the number of a term, and gives it one if it has none.
func (d *Draft) Atom(t Term) Atom {
	table := &d.Directory.atoms
	if d.atoms != nil {
		table = &d.atoms.Table
	}
	if a, ok := table.Get(string(t)); ok {
		return a
	}
	if d.atoms == nil {
		d.atoms = d.Directory.atoms.Edit()
	}
	a := firstNamed + Atom(d.atoms.Size())
	d.atoms.Set(string(t), a)
	return a
}

// Names says which identity providers and service accounts there are.
func (d *Draft) Names(providers, accounts []string) {
	d.providers = d.rename(problem.Provider, d.before.providers, providers)
	d.accounts = d.rename(problem.Account, d.before.accounts, accounts)
}

func (d *Draft) rename(kind problem.Kind, before map[string]bool, names []string) map[string]bool {
	same := len(before) == len(names)
	for _, name := range names {
		same = same && before[name]
	}
	if same {
		return before
	}
	d.renamed = true
	after := make(map[string]bool, len(names))
	for _, name := range names {
		after[name] = true
	}
	for name := range before {
		if !after[name] {
			d.lost = append(d.lost, problem.Place{Kind: kind, ID: name})
		}
	}
	return after
}
