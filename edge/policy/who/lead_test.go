package who

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/edge/policy/incremental"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
)

// Whoever is resolved without some values of the claim and gets them later is who
// is resolved with all of them, in whichever two parts: of each value, that it is
// there, is not, or is unknown.
func TestWith(t *testing.T) {
	t.Parallel()
	d := NewDirectory().Edit(&problem.List{})
	d.Names([]string{"demo"}, nil)
	// Far from each other, so that words differ.
	list := []*Group{
		{ID: "all", Members: []Member{{Group: "some"}, {IDPGroup: IDPGroup{IDP: "demo", Name: "c"}}}},
		{ID: "some", Members: []Member{{IDPGroup: IDPGroup{IDP: "demo", Name: "a"}}, {IDPGroup: IDPGroup{IDP: "demo", Name: "b"}}}},
		{ID: "wrong", Members: []Member{{}}},
	}
	for n := range 150 {
		list = append(list, &Group{ID: "m" + string(rune(' '+n)), Members: []Member{{IDPGroup: IDPGroup{IDP: "demo", Name: []string{"a", "c", "d"}[n/50]}}}})
	}
	slices.SortFunc(list, func(a, b *Group) int { return strings.Compare(a.ID, b.ID) })
	groups := incremental.Difference(nil, list, func(g *Group) string { return g.ID })
	d.Groups(&groups)
	memberships := incremental.Difference(nil, []*Membership{{User: "eve@x.test", Groups: []string{"some"}}}, (*Membership).Key)
	d.Memberships(&memberships)
	directory := d.Done()
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, directory.Claims("demo")); diff != "" {
		t.Fatal(diff)
	}
	for ways := range 3 * 3 * 3 * 3 {
		for parts := range 2 * 2 * 2 * 2 {
			whole := Identity{Kind: Person, IDP: "demo", Email: "eve@x.test", EmailVerified: ways%2 == 0, EmailDomainOwned: true}
			part := whole
			var has, perhaps []string
			for i, name := range directory.Claims("demo") {
				later := parts>>i&1 == 1
				switch ways / []int{1, 3, 9, 27}[i] % 3 {
				case 0:
					whole.Groups = append(whole.Groups, name)
					if later {
						has = append(has, name)
						part.GroupsAbsent = append(part.GroupsAbsent, name)
					} else {
						part.Groups = append(part.Groups, name)
					}
				case 1:
					whole.GroupsAbsent = append(whole.GroupsAbsent, name)
					part.GroupsAbsent = append(part.GroupsAbsent, name)
				default:
					if later {
						perhaps = append(perhaps, name)
						part.GroupsAbsent = append(part.GroupsAbsent, name)
					}
				}
			}
			want, got := directory.Resolve(whole), directory.Resolve(part).With(directory.Lead("demo", has, perhaps))
			if diff := cmp.Diff(want.Atoms(), got.Atoms()) + cmp.Diff(want.Groups(), got.Groups()) + cmp.Diff(want.UnknownGroups(), got.UnknownGroups()); diff != "" {
				t.Fatalf("%+v, later %q and perhaps %q: %s", part, has, perhaps, diff)
			}
		}
	}
}
