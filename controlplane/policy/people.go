package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
)

// People returns the canonical addresses of the people among a group's members, in order. An address that is none, which
// is refused at write, belongs to nobody.
func People(group *controlplane.Group) []string {
	var people []string
	for _, m := range group.Members {
		if user, ok := policy.CanonicalEmail(m.User); ok {
			people = append(people, user)
		}
	}
	slices.Sort(people)
	return slices.Compact(people)
}

// CheckGroup says what is wrong with a group by itself.
func CheckGroup(group *controlplane.Group) []controlplane.Violation {
	var violations []controlplane.Violation
	for i, m := range group.Members {
		if _, ok := policy.CanonicalEmail(m.User); m.User != "" && !ok {
			violations = append(violations, controlplane.Violation{
				Field: fmt.Sprintf("members[%d].user", i), Reason: controlplane.ReasonFieldInvalid,
				Description: fmt.Sprintf("%q is not an e-mail address", m.User),
			})
		}
	}
	return violations
}

// memberField says where in a group a field is that the evaluator, to which people are no members of it, counts otherwise.
func memberField(group *controlplane.Group, field string) string {
	var n int
	if _, err := fmt.Sscanf(field, "members[%d]", &n); err != nil {
		return field
	}
	_, rest, _ := strings.Cut(field, "]")
	for i, m := range group.Members {
		if _, person := policy.CanonicalEmail(m.User); person {
			continue
		}
		if n == 0 {
			return fmt.Sprintf("members[%d]%s", i, rest)
		}
		n--
	}
	return field
}

// enrol brings the memberships up to date with groups that are edited. To the evaluator, as on an edge, people are members
// one by one: the groups of who is not concerned are not looked at.
func (s *Site) enrol(before *Site, edits []edit) {
	to := map[string][]string{} // by person: ids of groups, in order
	groups := func(user string) []string {
		if known, ok := to[user]; ok {
			return known
		}
		if at, found := slices.BinarySearchFunc(before.Source.Memberships, user, byUser); found {
			return slices.Clone(before.Source.Memberships[at].Groups)
		}
		return nil
	}
	for _, e := range edits {
		var was, is []string
		if old := before.thing(controlplane.KindGroup, e.id); old != nil {
			was = old.people
		}
		if e.to != nil {
			is = e.to.people
		}
		for _, user := range without(was, is) {
			to[user] = slices.DeleteFunc(groups(user), func(id string) bool { return id == e.id })
		}
		for _, user := range without(is, was) {
			known := groups(user)
			at, _ := slices.BinarySearch(known, e.id)
			to[user] = slices.Insert(known, at, e.id)
		}
	}
	if len(to) == 0 {
		return
	}
	left := before.Source.Memberships
	merged := make([]*policy.Membership, 0, len(left)+len(to))
	for _, user := range slices.Sorted(maps.Keys(to)) {
		at, found := slices.BinarySearchFunc(left, user, byUser)
		merged = append(merged, left[:at]...)
		if len(to[user]) > 0 {
			merged = append(merged, &policy.Membership{User: user, Groups: to[user]})
		}
		if found {
			at++
		}
		left = left[at:]
	}
	s.Source.Memberships = append(merged, left...)
}

func byUser(m *policy.Membership, user string) int { return cmp.Compare(m.User, user) }

// without returns what is in a and not in b, both in order.
func without(a, b []string) []string {
	var rest []string
	for _, s := range a {
		if _, in := slices.BinarySearch(b, s); !in {
			rest = append(rest, s)
		}
	}
	return rest
}
