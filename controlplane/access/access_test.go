package access_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/access"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) // a Monday

// dice makes tenants of few names, so that rules meet people.
type dice struct{ *rand.Rand }

func pick[T any](d dice, list ...T) T { return list[d.IntN(len(list))] }

func some[T any](d dice, most int, list ...T) []T {
	var chosen []T
	for range 1 + d.IntN(most) {
		chosen = append(chosen, pick(d, list...))
	}
	return chosen
}

var (
	emails    = []string{"ann@acme.test", "bob@acme.test", "eve@globex.test", "joe@nowhere.test"}
	unnamed   = []string{"amy@acme.test", "zed@acme.test"} // of whom no rule or group says anything
	claims    = []string{"dev", "ops"}
	providers = map[string]string{"corp": "acme.test", "guests": "globex.test"}
	groups    = []string{"staff", "team", "claimed", "bots"}
	names     = []string{
		"anyone", "people", "authenticated", "serviceAccounts", "serviceAccount:ci", "domain:acme.test", "idp:guests",
		"user:ann@acme.test", "user:eve@globex.test", "group:staff", "group:team", "group:claimed", "group:bots",
	}
)

func (d dice) tenant() []*controlplane.Resource {
	put := func(id string, spec controlplane.Spec) *controlplane.Resource { return resource(id, spec) }
	list := []*controlplane.Resource{
		put("ci", &controlplane.ServiceAccount{}), put("cd", &controlplane.ServiceAccount{Disabled: d.IntN(4) == 0}),
		put("staff", &controlplane.Group{Members: []controlplane.GroupMember{{User: pick(d, emails...)}, {Group: "team"}}}),
		put("team", &controlplane.Group{Members: []controlplane.GroupMember{{User: pick(d, emails...)}, {Group: "claimed"}}}),
		put("claimed", &controlplane.Group{Members: []controlplane.GroupMember{{IDPGroup: &controlplane.IDPGroup{IDP: pick(d, "corp", "guests"), Name: pick(d, claims...)}}}}),
		put("bots", &controlplane.Group{Members: []controlplane.GroupMember{{ServiceAccount: pick(d, "ci", "cd")}}}),
	}
	for id, domain := range providers {
		list = append(list, put(id, &controlplane.IdentityProvider{EmailDomains: []string{domain}}))
	}
	for _, id := range []string{"wiki", "shop"} {
		app := put(id, &controlplane.App{Hosts: []string{id + ".acme.test"}, Routes: []controlplane.Route{{Path: "/**"}}, Disabled: d.IntN(20) == 0})
		app.Labels = map[string]string{"env": pick(d, "prod", "test")}
		list = append(list, app)
	}
	for p := range 2 + d.IntN(2) {
		spec := &controlplane.Policy{Apps: some(d, 2, "wiki", "shop")}
		spec.Apps = slices.Compact(slices.Sorted(slices.Values(spec.Apps)))
		for r := range 1 + d.IntN(3) {
			spec.Rules = append(spec.Rules, d.rule(r, pick(d, "ALLOW", "ALLOW", "ALLOW", "DENY", "REQUIRE")))
		}
		if d.IntN(8) == 0 {
			spec.Mode = "POLICY_MODE_SHADOW"
		}
		list = append(list, put(fmt.Sprintf("policy-%d", p), spec))
	}
	if d.IntN(2) == 0 {
		rail := &controlplane.Policy{Selector: []controlplane.LabelRequirement{{Key: "env", Values: []string{"prod"}}}}
		rail.Rules = []controlplane.Rule{d.rule(0, pick(d, "DENY", "REQUIRE"))}
		exemption := controlplane.Exemption{ID: "e", Principals: some(d, 2, names...)}
		if d.IntN(2) == 0 {
			exemption.NotAfter = new(noon.Add(pick(d, -time.Hour, time.Hour)))
		}
		rail.Exemptions = []controlplane.Exemption{exemption}
		list = append(list, put("rail", rail))
	}
	if d.IntN(2) == 0 {
		list = append(list, put("grant", &controlplane.Grant{
			App: "wiki", Principals: some(d, 2, names...), Operations: []string{"*"}, NotAfter: new(noon.Add(pick(d, -time.Hour, time.Hour))),
		}))
	}
	return list
}

func (d dice) rule(n int, effect string) controlplane.Rule {
	r := controlplane.Rule{ID: fmt.Sprintf("rule-%d", n), Effect: "EFFECT_" + effect, Principals: some(d, 2, names...), Operations: []string{pick(d, "*", "read", "write")}}
	c := &controlplane.Conditions{}
	kinds := d.IntN(9)
	if kinds > 5 && effect == "REQUIRE" {
		kinds = 0
	}
	switch kinds {
	case 0:
		c.SourceCIDRs = []string{"10.0.0.0/8"}
	case 1:
		c.Countries = []string{pick(d, "DE", "unknown")}
	case 2:
		c.NotAfter = new(noon.Add(pick(d, -time.Hour, time.Hour)))
	case 3:
		c.MembersOf = some(d, 2, groups...)
	case 4:
		c.IDPs = []string{"corp"}
	case 5:
		r.Expression = pick(d, `principal.email.endsWith("@acme.test")`, `principal.email.startsWith("a")`, `principal.domain == "acme.test"`, `source.country == "DE"`, `"team" in principal.groups`, `principal.idp == "corp" || inCIDR(source.ip, "10.0.0.0/8")`)
	default:
		return r
	}
	if r.Expression == "" {
		r.Conditions = c
	}
	return r
}

func resource(id string, spec controlplane.Spec) *controlplane.Resource {
	for kind, traits := range controlplane.Kinds {
		if fmt.Sprintf("%T", traits.New()) == fmt.Sprintf("%T", spec) {
			return &controlplane.Resource{Kind: kind, ID: id, Spec: spec}
		}
	}
	panic("a spec of no kind")
}

// everybody are all people and machines that there can be here, each with all that is known of them.
func everybody(site *policy.Site) map[string]engine.Identity {
	all := map[string]engine.Identity{"anyone": {}}
	for _, id := range site.Source.ServiceAccounts {
		if !site.Resource(controlplane.KindServiceAccount, id).Spec.(*controlplane.ServiceAccount).Disabled {
			all["serviceAccount:"+id] = policy.Machine(id)
		}
	}
	for provider := range providers {
		for _, email := range slices.Concat(emails, unnamed) {
			for n := range 1 << len(claims) {
				who := engine.Identity{
					Kind: engine.Person, Subject: "user:x", IDP: provider, Email: email, GroupsComplete: true,
					EmailVerified: site.Owns(provider, email), EmailDomainOwned: site.Owns(provider, email),
				}
				for i, claim := range claims {
					if n>>i&1 == 1 {
						who.Groups = append(who.Groups, claim)
					}
				}
				if who.EmailVerified {
					all[fmt.Sprintf("user:%s %s %d", email, provider, n)] = who
				}
			}
		}
	}
	return all
}

// list returns all pages, by id and provider.
func list(t *testing.T, site *policy.Site, app *policy.App, operation string, seen []access.Seen, q access.Query) map[string]access.PrincipalAccess {
	t.Helper()
	all := map[string]access.PrincipalAccess{}
	last := ""
	for {
		page, err := access.WhoCan(context.Background(), site, app, operation, func() ([]access.Seen, error) { return seen, nil }, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Principals {
			key := strings.TrimSpace(p.ID + " " + p.Provider)
			if _, twice := all[key]; twice || len(page.Principals) > q.Limit {
				t.Fatalf("%s is there twice, or a page of %d has %d", key, q.Limit, len(page.Principals))
			}
			all[key] = p
		}
		if q.After = page.Next; q.After == "" {
			return all
		}
		if q.After <= last {
			t.Fatalf("page %q after %q", q.After, last)
		}
		last = q.After
	}
}

// Whoever an edge would let in is on the list, alone or in a class; whoever is on it as allowed would be let in, whatever is
// not said; and of whom all is known, the list says what is decided.
func TestTheListIsWhatIsDecided(t *testing.T) {
	t.Parallel()
	checked := map[string]int{}
	for n := range uint64(400) {
		d := dice{rand.New(rand.NewPCG(11, n))}
		site := policy.NewSite(d.tenant())
		if problems := site.Findings(); len(problems) > 0 {
			t.Fatalf("tenant %d: %+v", n, problems)
		}
		where := access.Circumstances{From: noon}
		if d.IntN(2) == 0 {
			where.SourceIP = netip.MustParseAddr(pick(d, "10.1.2.3", "192.0.2.1"))
		}
		where.Country = pick(d, "", "DE", "FR")
		if d.IntN(2) == 0 {
			where.Time = noon
		}
		people := everybody(site)
		known := access.Seen{Subject: "user:seen", Email: "ann@acme.test", Provider: "corp", Time: noon, Claims: some(d, 2, claims...)}
		for _, c := range claims {
			if !slices.Contains(known.Claims, c) {
				known.Absent = append(known.Absent, c)
			}
		}
		for _, id := range []string{"wiki", "shop"} {
			app, _ := site.App(id)
			for _, operation := range []string{"read", "write"} {
				listed := list(t, site, app, operation, []access.Seen{known}, access.Query{Circumstances: where, ShowUnknown: true, Limit: 1 + d.IntN(5)})
				for _, key := range slices.Sorted(maps.Keys(people)) {
					checked["people"]++
					agree(t, checked, n, site, d, app.ID, operation, where, key, people[key], listed, &known)
				}
			}
		}
	}
	t.Log(checked)
}

func agree(t *testing.T, checked map[string]int, n uint64, site *policy.Site, d dice, app, operation string, where access.Circumstances, key string, who engine.Identity, listed map[string]access.PrincipalAccess, known *access.Seen) {
	t.Helper()
	r := engine.Request{Operation: operation, Principal: site.Program.Resolve(who), SourceIP: where.SourceIP, Country: where.Country, Now: where.Time, Host: app + ".acme.test"}
	r.Method, r.Path = "GET", "/"
	complete := r.SourceIP.IsValid() && r.Country != "" && !r.Now.IsZero()
	if !r.SourceIP.IsValid() {
		r.SourceIP = netip.MustParseAddr(pick(d, "10.1.2.3", "192.0.2.1"))
	}
	if r.Country == "" {
		r.Country = pick(d, "DE", "FR", "")
	}
	if r.Now.IsZero() {
		r.Now = noon.Add(pick(d, 0, 2*time.Hour))
	}
	decided := site.Program.Decide(app, &r)
	allowed := decided.Outcome == engine.Allow
	id, rest, _ := strings.Cut(key, " ")
	provider, _, _ := strings.Cut(rest, " ")
	row, is := listed[strings.TrimSpace(id+" "+provider)]
	if is {
		checked[string(row.Access.Outlook)]++
		if row.Access.Outlook == access.Allowed && !allowed && (row.Subject == "" || sameClaims(who, known)) {
			t.Fatalf("tenant %d: %s %s: %s is listed as allowed, and is decided %+v", n, app, operation, key, decided)
		}
		if row.Access.Outlook != access.Allowed && len(row.Access.Rules) == 0 {
			t.Fatalf("tenant %d: %s %s: %s hangs on nothing: %+v", n, app, operation, key, row.Access)
		}
		// All is known of a machine, and of who was seen just so.
		all := complete && (who.Kind != engine.Person || row.Subject != "" && sameClaims(who, known))
		if all {
			checked["all is known"]++
		}
		if all && (row.Access.Outlook == access.Allowed) != allowed {
			t.Fatalf("tenant %d: %s %s: %s is listed as %+v, and is decided %+v", n, app, operation, key, row.Access, decided)
		}
		return
	}
	if slices.Contains(unnamed, who.Email) {
		row, is := listed["domain:acme.test "+who.IDP]
		if is && row.Access.Outlook == access.Allowed && !allowed {
			t.Fatalf("tenant %d: %s %s: %s is of a class that is listed as allowed, and is decided %+v", n, app, operation, key, decided)
		}
	}
	if !allowed {
		return
	}
	// Not by name: then nobody names the person, and a class has them.
	row, is = listed["user:"+who.Email+" "+who.IDP]
	if is && row.Subject != "" && !sameClaims(who, known) {
		return
	}
	for _, class := range []string{"anyone", "idp:" + who.IDP + " " + who.IDP, "domain:acme.test " + who.IDP} {
		if _, is := listed[class]; is {
			checked["in a class"]++
			return
		}
	}
	for _, claim := range who.Groups {
		if _, is := listed["claim:"+who.IDP+":"+claim+" "+who.IDP]; is {
			checked["in a class by a claim"]++
			return
		}
	}
	if known.Email == who.Email && known.Provider == who.IDP && !sameClaims(who, known) {
		return // somebody else than who was seen
	}
	t.Fatalf("tenant %d: %s %s: %s is decided %+v, and is not listed: %v", n, app, operation, key, decided, slices.Sorted(maps.Keys(listed)))
}

func sameClaims(who engine.Identity, known *access.Seen) bool {
	return who.Email == known.Email && who.IDP == known.Provider && !slices.ContainsFunc(claims, func(c string) bool {
		return slices.Contains(who.Groups, c) != slices.Contains(known.Claims, c)
	})
}

// Of a class with a domain no address is known: what rules make of the address is neither so nor not.
func TestADomainIsNoAddress(t *testing.T) {
	t.Parallel()
	rule := func(id, effect, principal, expression string) controlplane.Rule {
		return controlplane.Rule{ID: id, Effect: "EFFECT_" + effect, Principals: []string{principal}, Operations: []string{"*"}, Expression: expression}
	}
	domain := rule("allow", "ALLOW", "domain:acme.test", "")
	for name, c := range map[string]struct {
		rules []controlplane.Rule
		want  access.Outlook
	}{
		"some are denied":            {[]controlplane.Rule{domain, rule("deny", "DENY", "people", `principal.email.startsWith("ext-")`)}, access.Depends},
		"some are allowed":           {[]controlplane.Rule{rule("allow", "ALLOW", "domain:acme.test", `principal.email.startsWith("admin-")`)}, access.Depends},
		"all are required":           {[]controlplane.Rule{domain, rule("require", "REQUIRE", "people", `principal.domain == "acme.test"`)}, access.Allowed},
		"another domain is denied":   {[]controlplane.Rule{domain, rule("deny", "DENY", "people", `principal.domain == "globex.test"`)}, access.Allowed},
		"another, named, is denied":  {[]controlplane.Rule{domain, rule("deny", "DENY", "domain:globex.test", "")}, access.Allowed},
		"somebody named is denied":   {[]controlplane.Rule{domain, rule("deny", "DENY", "user:ann@acme.test", "")}, access.Allowed},
		"those in a group are":       {[]controlplane.Rule{domain, rule("deny", "DENY", "group:staff", "")}, access.Allowed},
		"all of the domain, in case": {[]controlplane.Rule{rule("allow", "ALLOW", "domain:Acme.Test", "")}, access.Allowed},
	} {
		site := policy.NewSite([]*controlplane.Resource{
			resource("corp", &controlplane.IdentityProvider{EmailDomains: []string{"acme.test"}}),
			resource("staff", &controlplane.Group{Members: []controlplane.GroupMember{{User: "bob@acme.test"}}}),
			resource("wiki", &controlplane.App{Hosts: []string{"wiki.acme.test"}, Routes: []controlplane.Route{{Path: "/**"}}}),
			resource("p", &controlplane.Policy{Apps: []string{"wiki"}, Rules: c.rules}),
		})
		app, _ := site.App("wiki")
		rows := list(t, site, app, app.Operations()[0], nil, access.Query{ShowUnknown: true, Limit: 100, Circumstances: access.Circumstances{From: noon}})
		if row, is := rows["domain:acme.test corp"]; !is || row.Access.Outlook != c.want {
			t.Errorf("%s: %+v, want %s", name, row.Access, c.want)
		}
	}
}
