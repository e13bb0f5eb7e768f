package who

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/edge/policy/incremental"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// directory has a group in a group, and a membership.
func directory(t *testing.T) *Directory {
	t.Helper()
	var problems problem.List
	d := NewDirectory().Edit(&problems)
	d.Names([]string{"demo"}, []string{"ci"})
	groups := incremental.Difference(nil, []*Group{
		{ID: "all", Members: []Member{{Group: "team"}, {ServiceAccount: "ci"}}},
		{ID: "team", Members: []Member{{IDPGroup: IDPGroup{IDP: "demo", Name: "t"}}}},
	}, func(g *Group) string { return g.ID })
	d.Groups(&groups)
	memberships := incremental.Difference(nil, []*Membership{{User: "Eve@x.test", Groups: []string{"team"}}}, (*Membership).Key)
	d.Memberships(&memberships)
	d.Atom(User("bob@x.test"))
	if list := problems.Problems(nil); len(list) > 0 {
		t.Fatalf("%+v", list)
	}
	return d.Done()
}

func TestResolve(t *testing.T) {
	t.Parallel()
	d := directory(t)
	vouched := Identity{Kind: Person, IDP: "demo", EmailVerified: true, EmailDomainOwned: true, GroupsComplete: true}
	with := func(change func(*Identity)) Identity {
		id := vouched
		change(&id)
		return id
	}
	for name, test := range map[string]struct {
		id     Identity
		in     truth.Value // all
		groups []string
		text   string
	}{
		"a stranger":                        {Identity{}, truth.False, nil, "a stranger"},
		"a machine":                         {Identity{Kind: Machine, ServiceAccount: "ci"}, truth.True, []string{"all"}, "the service account ci"},
		"another machine":                   {Identity{Kind: Machine, ServiceAccount: "cron"}, truth.False, nil, "the service account cron"},
		"by claim":                          {with(func(id *Identity) { id.Groups = []string{"t", "u"} }), truth.True, []string{"all", "team"}, "a person of unknown address"},
		"without the claim":                 {with(func(id *Identity) { id.Groups = []string{"u"} }), truth.Unknown, nil, "a person of unknown address"},
		"perhaps with it":                   {with(func(id *Identity) { id.GroupsComplete = false }), truth.Unknown, nil, "a person of unknown address"},
		"surely without it":                 {with(func(id *Identity) { id.GroupsComplete, id.GroupsAbsent = false, []string{"t"} }), truth.Unknown, nil, "a person of unknown address"},
		"of no provider":                    {with(func(id *Identity) { id.IDP = "" }), truth.Unknown, nil, "a person of unknown address"},
		"somebody else, without the claim":  {with(func(id *Identity) { id.Email, id.Groups = "bob@x.test", []string{"u"} }), truth.False, nil, "bob@x.test"},
		"somebody else, surely without it":  {with(func(id *Identity) { id.Email, id.GroupsComplete, id.GroupsAbsent = "bob@x.test", false, []string{"t"} }), truth.False, nil, "bob@x.test"},
		"by membership":                     {with(func(id *Identity) { id.Email = "eve@X.test" }), truth.True, []string{"all", "team"}, "eve@x.test"},
		"perhaps a member":                  {with(func(id *Identity) { id.Email, id.EmailVerified = "eve@x.test", false }), truth.Unknown, nil, "eve@x.test (an address that nobody vouches for)"},
		"somebody else in a domain":         {with(func(id *Identity) { id.Domain = "X.test" }), truth.False, nil, "a person with an address in x.test"},
		"in a domain, perhaps with a claim": {with(func(id *Identity) { id.Domain, id.GroupsComplete = "x.test", false }), truth.Unknown, nil, "a person with an address in x.test"},
		"somebody else":                     {with(func(id *Identity) { id.Email = "bob@x.test" }), truth.False, nil, "bob@x.test"},
		"with an odd address":               {with(func(id *Identity) { id.Email = "eve" }), truth.False, nil, "eve (an address that nobody vouches for)"},
	} {
		p := d.Resolve(test.id)
		if got := p.In("all"); got != test.in {
			t.Errorf("%s: in all is %v", name, got)
		}
		if diff := cmp.Diff(test.groups, p.Groups()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		var unknown []string
		if test.in == truth.Unknown {
			unknown = []string{"all", "team"}
		}
		if diff := cmp.Diff(unknown, p.UnknownGroups()); diff != "" {
			t.Errorf("%s: perhaps: %s", name, diff)
		}
		if p.String() != test.text {
			t.Errorf("%s: %q", name, p)
		}
		if p.In("nosuch") != truth.Unknown || !p.Of(d) || p.Identity().Kind != test.id.Kind {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// A directory in which nothing changes is the one before, so that principals stay good.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	before := directory(t)
	edit := func(change func(*Draft)) *Directory {
		d := before.Edit(&problem.List{})
		d.Names([]string{"demo"}, []string{"ci"})
		d.Groups(&incremental.Delta[Group]{})
		d.Memberships(&incremental.Delta[Membership]{})
		change(d)
		return d.Done()
	}
	if edit(func(d *Draft) { d.Atom(User("bob@x.test")) }) != before {
		t.Error("nothing changed")
	}
	after := edit(func(d *Draft) { d.Atom(User("carol@x.test")) })
	if after == before || after.Size() != before.Size()+1 {
		t.Error("somebody new has no number")
	}
	if edit(func(d *Draft) { d.Names([]string{"demo"}, []string{"ci", "cd"}) }) == before {
		t.Error("there is another account")
	}
}

// FuzzCanonicalEmail holds that there is one form, and that its domain is one.
func FuzzCanonicalEmail(f *testing.F) {
	for _, s := range []string{"bob@acme.test", "Bob@ACME.test", "a@b", "@x.y", "a b@x.y", "ä@x.y", "a@b@c.d", strings.Repeat("a", 300) + "@b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		email, ok := CanonicalEmail(s)
		if !ok {
			if email != "" {
				t.Fatalf("%q is none, and %q", s, email)
			}
			return
		}
		if again, ok := CanonicalEmail(email); !ok || again != email || !strings.EqualFold(email, s) {
			t.Fatalf("%q is %q is %q", s, email, again)
		}
		_, domain, _ := strings.Cut(email, "@")
		if d, ok := CanonicalDomain(domain); !ok || d != domain {
			t.Fatalf("the domain of %q is %q", s, d)
		}
	})
}
