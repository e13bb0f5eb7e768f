package simulation_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/simulation"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

const (
	apps  = 20
	teams = 40
	days  = 7
)

// world is a tenant with apps and people in it, and a week of what they did, which is the week from today: that is where
// a new database has a partition for each day.
type world struct {
	db      *store.DB
	service *simulation.Service
	scope   controlplane.Scope
	site    *policy.Site // today's
	begin   time.Time
	config  int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	db := storetest.New(t)
	if err := db.System().Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &world{db: db, begin: time.Now().UTC().Truncate(24 * time.Hour), scope: controlplane.Scope{UID: storetest.Tenant(t, db, "acme"), ID: "acme"}}
	end := w.begin.Add(days * 24 * time.Hour)
	changes := changeset.New(changeset.Config{DB: db})
	w.service = simulation.New(simulation.Config{DB: db, Changes: changes, Now: func() time.Time { return end }})
	w.put(t, all()...)
	return w
}

// put writes resources as one change.
func (w *world) put(t testing.TB, resources ...*controlplane.Resource) {
	t.Helper()
	err := w.db.Tenant(t.Context(), w.scope.UID, func(tx *store.TenantTx) error {
		var items []store.ChangeItem
		for _, r := range resources {
			item := store.ChangeItem{Name: w.scope.Name(r.Kind, r.ID), Action: store.Updated, After: document(r)}
			if before, err := tx.Resource(r.Kind, r.ID); err == nil {
				item.Before = document(before)
				r = &controlplane.Resource{UID: before.UID, Kind: r.Kind, ID: r.ID, Labels: r.Labels, Spec: r.Spec}
			}
			if err := tx.Put(r); err != nil {
				return err
			}
			items = append(items, item)
		}
		return tx.Record(store.Change{Lane: controlplane.Config, Caller: storetest.Caller(), Items: items})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = w.db.Read(t.Context(), w.scope.UID, func(tx *store.TenantTx) error {
		found, err := tx.AllResources(policy.Kinds...)
		w.site, w.config = policy.NewSite(found), tx.Head().Config
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func document(r *controlplane.Resource) json.RawMessage {
	data, _ := json.Marshal(r.Spec) // a spec is of what JSON has
	return data
}

func draft(w *world, resources ...*controlplane.Resource) *changeset.Set {
	set := &changeset.Set{Scope: w.scope}
	for i, r := range resources {
		set.Items = append(set.Items, changeset.Item{
			Kind: r.Kind, ID: r.ID, At: fmt.Sprintf("draft[%d]", i), Action: changeset.Replace,
			Write: func(*controlplane.Resource) (changeset.Desired, error) { return changeset.Desired{Resource: r}, nil },
		})
	}
	return set
}

// all is the policy of today.
func all() (list []*controlplane.Resource) {
	add := func(kind controlplane.Kind, id string, spec controlplane.Spec) *controlplane.Resource {
		r := &controlplane.Resource{Kind: kind, ID: id, Spec: spec}
		list = append(list, r)
		return r
	}
	add(controlplane.KindIdentityProvider, "demo", &controlplane.IdentityProvider{Issuer: "https://idp.example", ClientID: "x", EmailDomains: []string{"acme.test"}})
	add(controlplane.KindServiceAccount, "ci", &controlplane.ServiceAccount{})
	for team := range teams {
		add(controlplane.KindGroup, fmt.Sprintf("team-%d", team), claimGroup(fmt.Sprintf("team-%d", team)))
	}
	add(controlplane.KindGroup, "everybody", &controlplane.Group{Members: []controlplane.GroupMember{{Group: "team-0"}, {Group: "team-1"}, {IDPGroup: &controlplane.IDPGroup{IDP: "demo", Name: "staff"}}}})
	add(controlplane.KindGroup, "suspended", &controlplane.Group{Members: []controlplane.GroupMember{{User: "person-7@acme.test"}}})
	for n := range apps {
		id := fmt.Sprintf("app-%d", n)
		r := add(controlplane.KindApp, id, &controlplane.App{
			Hosts: []string{id + ".acme.test"}, Routes: []controlplane.Route{{Path: "/**", Upstreams: []controlplane.Upstream{{URL: "http://127.0.0.1:8080"}}}},
			Operations: []controlplane.Operation{
				{ID: "admin", Methods: []string{"*"}, Paths: []string{"/admin/**"}},
				{ID: "invoices.read", Methods: []string{"GET"}, Paths: []string{"/invoices/{id}", "/invoices"}},
				{ID: "invoices.write", Methods: []string{"POST", "PUT"}, Paths: []string{"/invoices/**"}},
				{ID: "open", Methods: []string{"GET"}, Paths: []string{"/open/**"}},
				{ID: "use", Methods: []string{"*"}, Paths: []string{"/**"}},
			},
		})
		if n%2 == 0 {
			r.Labels = map[string]string{"tier": "prod"}
		}
		add(controlplane.KindPolicy, id, policyOf(n, fmt.Sprintf("group:team-%d", n)))
	}
	add(controlplane.KindPolicy, "rail", &controlplane.Policy{
		Selector: []controlplane.LabelRequirement{{Key: "tier", Values: []string{"prod"}}},
		Rules: []controlplane.Rule{
			{ID: "countries", Effect: "EFFECT_DENY", Principals: []string{"authenticated"}, Operations: []string{"*"}, Conditions: &controlplane.Conditions{Countries: []string{"KP"}}},
			{ID: "suspended", Effect: "EFFECT_DENY", Principals: []string{"group:suspended"}, Operations: []string{"*"}},
		},
	})
	return list
}

func claimGroup(names ...string) *controlplane.Group {
	g := &controlplane.Group{}
	for _, name := range names {
		g.Members = append(g.Members, controlplane.GroupMember{IDPGroup: &controlplane.IDPGroup{IDP: "demo", Name: name}})
	}
	return g
}

// policyOf is who may do what in an app.
func policyOf(n int, admins ...string) *controlplane.Policy {
	return &controlplane.Policy{Apps: []string{fmt.Sprintf("app-%d", n)}, Rules: []controlplane.Rule{
		{ID: "open", Effect: "EFFECT_ALLOW", Principals: []string{"anyone"}, Operations: []string{"open"}},
		{ID: "staff", Effect: "EFFECT_ALLOW", Principals: []string{"group:everybody"}, Operations: []string{"use", "invoices.read"}},
		{ID: "admins", Effect: "EFFECT_ALLOW", Principals: admins, Operations: []string{"*"}, Conditions: &controlplane.Conditions{SourceCIDRs: []string{"192.0.0.0/9"}}},
		{ID: "day", Effect: "EFFECT_ALLOW", Principals: []string{"domain:acme.test"}, Operations: []string{"invoices.write"}, Conditions: &controlplane.Conditions{
			TimeWindows: []controlplane.TimeWindow{{Start: "08:00", End: "18:00", Zone: "Europe/Berlin"}},
		}},
		{ID: "deploy", Effect: "EFFECT_ALLOW", Principals: []string{"serviceAccount:ci"}, Operations: []string{"invoices.write"}},
		{ID: "path", Effect: "EFFECT_ALLOW", Principals: []string{"people"}, Operations: []string{"admin"}, Expression: `request.path.startsWith("/admin/self/") && "team-2" in principal.groups`},
		{ID: "recent", Effect: "EFFECT_REQUIRE", Principals: []string{"people"}, Operations: []string{"admin"}, Conditions: &controlplane.Conditions{MaxAuthAge: new(controlplane.Duration(8 * time.Hour))}},
	}}
}

// happened is a request that somebody made.
type happened struct {
	id       string
	seq      int64
	app      int
	method   string
	path     string
	at       time.Time
	ip       netip.Addr
	country  string
	who      engine.Identity
	decision engine.Decision
}

var (
	methods   = []string{"GET", "GET", "GET", "GET", "POST", "PUT"}
	countries = []string{"", "DE", "DE", "FR", "US", "KP"}
)

// happen makes up the n-th request of some people, and has it decided by the policy of today as if an edge had.
func (w *world) happen(random *rand.Rand, n, of, people int) *happened {
	at := w.begin.Add(time.Duration(n) * ((days*24*time.Hour - time.Minute) / time.Duration(of))).Truncate(time.Microsecond)
	h := &happened{seq: int64(n + 1), app: random.IntN(apps), method: methods[random.IntN(len(methods))], at: at, country: countries[random.IntN(len(countries))]}
	h.id = ulid.MustNew(ulid.Timestamp(at), entropy{random}).String()
	h.ip = netip.AddrFrom4([4]byte{192, byte(random.IntN(256)), byte(random.IntN(4)), byte(random.IntN(256))})
	switch k := random.IntN(20); {
	case k == 0:
		h.path = fmt.Sprintf("/admin/%d", random.IntN(1000))
	case k == 1:
		h.path = fmt.Sprintf("/admin/self/%d", random.IntN(1000))
	case k < 8:
		h.path = fmt.Sprintf("/invoices/%d", random.IntN(100_000))
	case k < 10:
		h.path = fmt.Sprintf("/open/pages/%d", random.IntN(1000))
	default:
		h.path = fmt.Sprintf("/projects/%d/files/%d", random.IntN(1000), random.IntN(10_000))
	}
	switch k := random.IntN(20); k {
	case 0:
	case 1:
		h.who = engine.Identity{Kind: engine.Machine, Subject: "serviceAccount:ci", ServiceAccount: "ci"}
	default:
		p := random.IntN(people)
		h.who = engine.Identity{
			Kind: engine.Person, Subject: fmt.Sprintf("user:%d", p), IDP: "demo", Email: fmt.Sprintf("person-%d@acme.test", p),
			EmailVerified: true, EmailDomainOwned: true, GroupsComplete: true, ACR: "urn:mfa", AMR: []string{"pwd", "otp"},
			// They sign in each morning.
			AuthTime: at.Truncate(24 * time.Hour).Add(time.Duration(p%120) * time.Minute),
			Groups:   []string{fmt.Sprintf("team-%d", p%teams), fmt.Sprintf("team-%d", p/3%teams)},
		}
		if p%3 != 0 {
			h.who.Groups = append(h.who.Groups, "staff")
		}
		slices.Sort(h.who.Groups)
		h.who.Groups = slices.Compact(h.who.Groups)
	}
	h.decision = w.decide(w.site, h, h.who)
	return h
}

// decide asks the evaluator, without anything of the package that is tested.
func (w *world) decide(site *policy.Site, h *happened, who engine.Identity) engine.Decision {
	id := fmt.Sprintf("app-%d", h.app)
	app, _ := site.App(id)
	operation, path, _, err := app.Operation(id+".acme.test", h.method, h.path)
	if err != nil {
		panic(err)
	}
	q := engine.Request{Operation: operation, Method: h.method, Host: id + ".acme.test", Path: path, SourceIP: h.ip, Country: h.country, Now: h.at}
	if who.Kind != engine.Anonymous {
		q.Principal = site.Program.Resolve(who)
	}
	return site.Program.Decide(id, &q)
}

// sought is what edges look for by the policy of today.
func (w *world) sought() map[string]bool {
	names := map[string]bool{}
	for _, name := range w.site.Claims("demo") {
		names[name] = true
	}
	return names
}

// row is the record of it, as the control plane stores it: JSON as protojson writes it, of some 1.3 KiB.
func (w *world) row(h *happened, sought map[string]bool) store.AccessEvent {
	id, d := fmt.Sprintf("app-%d", h.app), h.decision
	principal, facts, authTime, kind := `{"kind":"anonymous"}`, "", "", "anonymous"
	switch h.who.Kind {
	case engine.Machine:
		kind = "serviceAccount"
		principal = `{"kind":"serviceAccount", "subject":"serviceAccount:ci"}`
	case engine.Person:
		kind = "user"
		var claims []string
		for _, g := range h.who.Groups {
			if sought[g] {
				claims = append(claims, g)
			}
		}
		groups, _ := json.Marshal(claims) // text
		principal = fmt.Sprintf(`{"kind":"user", "subject":%q, "email":%q, "identity_provider":"demo"}`, h.who.Subject, h.who.Email)
		facts = fmt.Sprintf(`, "email_verified":true, "email_domain_owned":true, "claim_groups":%s, "acr":"urn:mfa", "amr":["pwd", "otp"], "amr_known":true`, groups)
		authTime = fmt.Sprintf(`, "auth_time":%q`, h.who.AuthTime.Format(time.RFC3339Nano))
	}
	event := fmt.Sprintf(`{"id":%q, "edge":"eu-1", "boot":"01a20889-6fdb-7df8-8489-965a23142e96", "seq":"%d", "time":%q, "receive_time":%q, `+
		`"app":%q, "operation":"use", "route":"/**", "principal":%s, "session":"s_qYV5jwlbwMfHWjpjzX0VdA", "credential":"session", "source_ip":%q, `+
		`"request":{"id":"r_%s", "method":%q, "host":"%s.acme.test", "path":%q, "protocol":"HTTP/2.0", "user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"}, `+
		`"decision":{"outcome":%q, "reason":%q, "policy":%q, "rule":%q, "config":"%d", "urgent":"2", "policy_age_ms":"512", "groups":["everybody", "team-1"]%s, "facts":{"country":%q%s}}, `+
		`"response":{"status":200, "bytes":"18234", "by":"upstream"}, "timing":{"total":"18123", "decision":"2", "upstream":"15012"}, "upstream":"http://127.0.0.1:8080"}`,
		h.id, h.seq, h.at.Format(time.RFC3339Nano), h.at.Format(time.RFC3339Nano), id, principal, h.ip, h.id, h.method, id, h.path,
		d.Outcome.String(), d.Reason, d.Policy, d.Rule, w.config, authTime, h.country, facts)
	return store.AccessEvent{
		ID: h.id, Seq: h.seq, Time: h.at, App: id, Principal: kind, Email: h.who.Email, Outcome: d.Outcome.String(), Reason: string(d.Reason), Event: json.RawMessage(event),
	}
}

// report stores requests as edges report them.
func (w *world) report(t testing.TB, list []*happened) {
	t.Helper()
	rows, sought := make([]store.AccessEvent, len(list)), w.sought()
	for i, h := range list {
		rows[i] = w.row(h, sought)
	}
	if err := w.db.System().InsertEvents(t.Context(), w.scope.UID, "01a20889-6fdb-7df8-8489-965a23142e96", "b1", rows); err != nil {
		t.Fatal(err)
	}
}

// entropy makes ids that are the same each time.
type entropy struct{ *rand.Rand }

func (e entropy) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(e.Uint32())
	}
	return len(b), nil
}
