package problem

import "strconv"

// Kind is what has a problem, or is missing.
type Kind int8

// The kinds that have problems, in the order in which these are told, and then
// those that can only be named.
const (
	App Kind = iota
	Group
	Membership
	Role
	Policy
	Grant
	Provider
	Account
	Operation
)

func (k Kind) String() string {
	return [...]string{
		"app", "group", "membership", "role", "policy", "grant", "identity provider", "service account", "operation",
	}[k]
}

// Place is a resource.
type Place struct {
	Kind Kind
	ID   string
}

func (p Place) String() string {
	return [...]string{"apps", "groups", "memberships", "roles", "policies", "grants"}[p.Kind] + "[" + p.ID + "]"
}

// Path is a place, or an item of a list in it.
type Path struct {
	Place
	list  string
	index int
}

// In is the path of a whole place.
func In(kind Kind, id string) Path { return Path{Place: Place{kind, id}} }

// Of is an item of a list at the place.
func (p Path) Of(list string, index int) Path { return Path{p.Place, list, index} }

// Item is a field: an item of a list. Only who has a problem writes it.
func Item(list string, index int) string { return list + "[" + strconv.Itoa(index) + "]" }

func (p Path) field(name string) string {
	s := p.String()
	if p.list != "" {
		s += "." + Item(p.list, p.index)
	}
	if name != "" {
		s += "." + name
	}
	return s
}
