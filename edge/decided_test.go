package edge_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	"github.com/sallyport-iap/sallyport/edge/policy"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// question is the one that a record tells: what explaining and simulating make of it.
func question(e *sallyportv1.AccessEvent, program *policy.Program, named []string) *policy.Request {
	d := e.GetDecision()
	f := d.GetFacts()
	q := &policy.Request{
		Operation: e.GetOperation(), Method: f.GetMethod(), Host: e.GetRequest().GetHost(), Path: f.GetPath(),
		Country: f.GetCountry(), Now: e.GetTime().AsTime(),
	}
	if q.Method == "" {
		q.Method = e.GetRequest().GetMethod()
	}
	if q.Path == "" {
		q.Path = e.GetRequest().GetPath()
	}
	q.SourceIP, _ = netip.ParseAddr(e.GetSourceIp())
	p := e.GetPrincipal()
	switch p.GetKind() {
	case "user":
		id := policy.Identity{
			Kind: policy.Person, Subject: p.GetSubject(), IDP: p.GetIdentityProvider(), Email: p.GetEmail(),
			EmailVerified: f.GetEmailVerified(), EmailDomainOwned: f.GetEmailDomainOwned(),
			Groups: f.GetClaimGroups(), GroupsComplete: len(f.GetClaimGroupsUnknown()) == 0, ACR: f.GetAcr(),
		}
		for _, name := range named {
			if !slices.Contains(f.GetClaimGroups(), name) && !slices.Contains(f.GetClaimGroupsUnknown(), name) {
				id.GroupsAbsent = append(id.GroupsAbsent, name)
			}
		}
		if d.GetAuthTime() != nil {
			id.AuthTime = d.GetAuthTime().AsTime()
		}
		if f.GetAmrKnown() {
			id.AMR = append([]string{}, f.GetAmr()...)
		}
		if a := f.GetAsked(); a != nil {
			id.Asked = policy.Asked{At: a.GetTime().AsTime(), MaxAge: a.GetMaxAge().AsDuration(), ACR: a.GetAcr(), AMR: a.GetAmr()}
		}
		q.Principal = program.Resolve(id)
	case "serviceAccount":
		q.Principal = program.Resolve(policy.Identity{Kind: policy.Machine, Subject: p.GetSubject(), ServiceAccount: strings.TrimPrefix(p.GetSubject(), "serviceAccount:")})
	}
	return q
}

// redecides wants every record with facts to be decided from it again as it was, shadows and all.
func (b *bank) redecides(n int) (with int) {
	b.t.Helper()
	site := b.Node.Store.Table().Site(edgetest.Acme)
	for _, e := range b.Records(b.t, edgetest.Acme, n) {
		d := e.GetDecision()
		if d.GetFacts() == nil {
			continue
		}
		with++
		q := question(e, site.Program, site.ClaimGroups("demo"))
		again := site.Program.Decide(e.GetApp(), q)
		got := &sallyportv1.EventDecision{
			Outcome: again.Outcome.String(), Reason: string(again.Reason), Policy: again.Policy, Rule: again.Rule, Grant: again.Grant,
		}
		var unknown []string
		if q.Principal != nil {
			got.Groups, unknown = q.Principal.Groups(), q.Principal.UnknownGroups()
		}
		for _, s := range site.Program.Shadow(e.GetApp(), q, nil) {
			got.Shadow = append(got.Shadow, &sallyportv1.EventShadow{Policy: s.Policy, Outcome: s.Outcome.String(), Reason: string(s.Reason), Rule: s.Rule})
		}
		want := proto.CloneOf(d)
		want.Config, want.Urgent, want.Lineage, want.PolicyAgeMs, want.AuthTime, want.Facts = 0, 0, "", 0, nil, nil
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			b.t.Errorf("%s %s by %s: -recorded +again\n%s", e.GetRequest().GetMethod(), e.GetRequest().GetPath(), e.GetPrincipal(), diff)
		}
		if diff := cmp.Diff(unknown, d.GetFacts().GetGroupsUnknown()); diff != "" {
			b.t.Errorf("groups that are unknown: %s", diff)
		}
	}
	return with
}

// A record holds all that its decision read: decided again from the record, everything comes out as it did.
func TestRecordsCanBeDecidedAgain(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.Put(t, edgetest.Acme,
		&edgev1.Policy{Id: "tried", Uid: "policy-tried", Apps: []string{"wiki"}, Mode: edgev1.PolicyMode_POLICY_MODE_SHADOW, Rules: []*edgev1.Rule{
			{Id: "engineers", Effect: edgev1.Effect_EFFECT_DENY, Principals: []string{"group:engineering"}, Operations: []string{"use"}},
			{Id: "office", Effect: edgev1.Effect_EFFECT_REQUIRE, Principals: []string{"people"}, Operations: []string{"gold"}, Conditions: &edgev1.Conditions{Countries: []string{"DE"}}},
		}},
		&edgev1.Policy{Id: "words", Uid: "policy-words", Apps: []string{"wiki"}, Rules: []*edgev1.Rule{
			{
				Id: "paths", Effect: edgev1.Effect_EFFECT_DENY, Principals: []string{"authenticated"}, Operations: []string{"*"},
				Expression: `request.path.startsWith("/never/") || request.method == "PUT" || request.method == "WEBSOCKET" && request.host == "wiki.acme.localhost" && source.country != "NZ" || principal.id == "nobody"`,
			},
			{
				Id: "address", Effect: edgev1.Effect_EFFECT_DENY, Principals: []string{"user:mallory@acme.test", "group:admins"}, Operations: []string{"transfer"},
			},
		}},
		&edgev1.Grant{
			Id: "visit", Uid: "grant-visit", App: "api", Principals: []string{"user:bob@acme.test", "group:engineering"}, Operations: []string{"write"},
			NotAfter: timestamppb.New(b.now().Add(time.Hour)),
		},
	)
	person := func(claims map[string]any) func(url.Values) map[string]any {
		return func(url.Values) map[string]any { return claims }
	}
	for i, says := range []func(url.Values) map[string]any{
		b.obedient("bob"),
		b.deaf(true),
		person(map[string]any{"sub": "eve", "email": "mallory@acme.test", "groups": []string{"engineering"}, "amr": []string{}, "acr": "gold"}),
		person(map[string]any{"sub": "zed", "groups": []string{"engineering", "admins"}, "amr": "hwk", "auth_time": b.now().Unix()}),
		person(map[string]any{"sub": "far", "_claim_names": map[string]any{"groups": "src"}, "_claim_sources": map[string]any{"src": map[string]any{"endpoint": "https://claims.test"}}}),
	} {
		br := b.Browser(t)
		b.idp.Says(says)
		for round := range 2 {
			for _, path := range []string{"/", "/never/x", "/recent", "/gold", "/key", "/all"} {
				br.Open(wiki + path)
			}
			br.Fetch("PUT", wiki+"/x", nil)
			br.Fetch("POST", wiki+"/transfer", nil)
			br.Open(api + "/v1/whoami")
			br.Fetch("POST", api+"/v1/items", nil)
			br.Fetch("GET", api+"/elsewhere", nil)
			header := http.Header{"Origin": {wiki}}
			for _, c := range br.Cookies(wiki) {
				header.Add("Cookie", c.Name+"="+c.Value)
			}
			if s, _ := b.Socket(t, "wiki.acme.localhost", "/live", header); s != nil {
				_ = s.Conn.Close()
			}
			if round == 0 {
				b.add(time.Duration(4+i) * time.Minute)
			}
		}
	}
	for _, header := range []http.Header{nil, edgetest.CI.Bearer()} {
		for _, path := range []string{"/", "/never/x", "/recent", "/gold"} {
			b.Get(t, wiki+path, header)
		}
	}
	if n := b.redecides(150); n < 100 {
		t.Errorf("%d records have facts", n)
	}
	seen := map[string]int{}
	for _, e := range b.Records(t, edgetest.Acme, 150) {
		d := e.GetDecision()
		seen[d.GetOutcome()+" "+d.GetReason()]++
		seen["grant "+d.GetGrant()]++
		if len(d.GetShadow()) > 0 {
			seen["shadow "+d.GetShadow()[0].GetOutcome()]++
			if e.GetApp() != "wiki" {
				t.Errorf("a shadow at %s: %s", e.GetApp(), d)
			}
		}
		if u := d.GetFacts().GetClaimGroupsUnknown(); len(u) > 0 {
			seen["unknown "+strings.Join(u, ",")]++
		}
	}
	for _, want := range []string{
		"ALLOW allow.rule", "ALLOW allow.grant", "DENY deny.rule", "DENY step_up.unsatisfied", "DENY deny.no_operation", "STEP_UP step_up.auth_age",
		"AUTHENTICATE identity.none", "grant visit", "shadow DENY", "shadow ALLOW", "unknown admins,engineering",
	} {
		if seen[want] == 0 {
			t.Errorf("nothing was %q: %v", want, seen)
		}
	}
}

// Where a request comes from is found by its address, through trusted proxies only, and told to rules, records and people.
func TestCountries(t *testing.T) {
	t.Parallel()
	up := edgetest.NewUpstream(t)
	config := edgetest.Demo(up.URL(), up.URL())
	config.Pool = &edgev1.Pool{Id: "dev", Login: true, AllowedUpstreamCidrs: []string{"127.0.0.0/8"}, TrustedProxyCidrs: []string{"127.0.0.0/8"}}
	config.Countries = edgetest.Countries(t, map[string]string{"192.0.2.0/24": "DE", "198.51.100.0/24": "NZ", "2001:db8::/32": "FR"})
	e := edgetest.Start(t, config)
	e.Put(t, edgetest.Acme, &edgev1.Policy{Id: "api", Uid: "policy-api", Apps: []string{"api"}, Rules: []*edgev1.Rule{
		{Id: "ci", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"serviceAccount:ci"}, Operations: []string{"*"}},
		{Id: "here", Effect: edgev1.Effect_EFFECT_REQUIRE, Principals: []string{"authenticated"}, Operations: []string{"read"}, Conditions: &edgev1.Conditions{Countries: []string{"DE", "FR"}}},
		{Id: "nowhere", Effect: edgev1.Effect_EFFECT_REQUIRE, Principals: []string{"authenticated"}, Operations: []string{"write"}, Conditions: &edgev1.Conditions{Countries: []string{"DE", "unknown"}}},
	}})
	for from, want := range map[string]struct {
		country     string
		read, write int
	}{
		"192.0.2.7":        {"DE", 200, 200},
		"::ffff:192.0.2.7": {"DE", 200, 200},
		"198.51.100.7":     {"NZ", 403, 403},
		"2001:db8::7":      {"FR", 200, 403},
		"203.0.113.7":      {"", 403, 200},
		"gibberish":        {"", 403, 200},
	} {
		header := edgetest.CI.Bearer()
		header.Set("X-Forwarded-For", from)
		read, write := e.Get(t, api+"/v1/x", header), e.Do(t, "POST", api+"/v1/x", header, "")
		if read.StatusCode != want.read || write.StatusCode != want.write {
			t.Errorf("from %s: %d and %d, want %d and %d", from, read.StatusCode, write.StatusCode, want.read, want.write)
		}
		if read.StatusCode == http.StatusForbidden {
			p := problemOf(t, read)
			if got := e.Record(t, edgetest.Acme, p["decision_id"].(string)).GetDecision().GetFacts().GetCountry(); got != want.country || p["reason"] != map[bool]string{true: "require.unknown", false: "require.country"}[want.country == ""] {
				t.Errorf("from %s: recorded as %q, %v", from, got, p)
			}
		}
	}
	e.Oracles(t, up)
}

// An open stream is decided again on what it was decided on, and on the time: who would have to sign in again is cut.
func TestStreamsAreDecidedAgainOnTheirFacts(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	br := b.Browser(t)
	b.opens(br, wiki+"/recent")
	header := http.Header{"Origin": {wiki}}
	for _, c := range br.Cookies(wiki) {
		header.Add("Cookie", c.Name+"="+c.Value)
	}
	s, res := b.Socket(t, "wiki.acme.localhost", "/live", header)
	if s == nil {
		t.Fatalf("a WebSocket gets %d", res.StatusCode)
	}
	// Rules that read the method, host and path of the handshake, and hold.
	b.Put(t, edgetest.Acme, &edgev1.Policy{Id: "more", Uid: "policy-more", Apps: []string{"wiki"}, Rules: []*edgev1.Rule{{
		Id: "same", Effect: edgev1.Effect_EFFECT_REQUIRE, Principals: []string{"people"}, Operations: []string{"live"},
		Expression: `request.method == "WEBSOCKET" && request.host == "wiki.acme.localhost" && request.path == "/live"`,
		Conditions: &edgev1.Conditions{MaxAuthAge: durationpb.New(time.Hour)},
	}}})
	s.Send(t, 1, "still there?")
	if _, payload, err := s.Receive(); err != nil || string(payload) != "still there?" {
		t.Fatalf("after a change that does not bear on it: %q %v", payload, err)
	}
	b.add(6 * time.Minute)
	for {
		if _, _, err := s.Receive(); err != nil {
			break
		}
	}
	var id string
	for _, r := range b.up.Received() {
		if r.Target == "/live" {
			id = "d_" + strings.TrimPrefix(r.Get("X-Request-Id"), "r_")
		}
	}
	if e := b.Record(t, edgetest.Acme, id); e.GetStream().GetCut() != "cut.policy" || e.GetDecision().GetOutcome() != "ALLOW" {
		t.Errorf("it ended by %s", e)
	}
}
