package systemtest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// laboratory has a rule of every kind. The grant ends soon.
const laboratory = `
kind: App
id: wiki
display_name: Wiki
hosts: [wiki.acme.localhost]
labels: {tier: internal, data: secret}
routes: [{path: "/**", upstreams: [{url: "%[1]s"}], websocket: true}]
operations:
  - {id: admin, methods: ["*"], paths: ["/admin/**"]}
  - {id: recent, methods: [GET], paths: [/recent]}
  - {id: gold, methods: [GET], paths: [/gold]}
  - {id: here, methods: [GET], paths: [/here]}
  - {id: abroad, methods: [GET], paths: [/abroad]}
  - {id: claim, methods: [GET], paths: [/claim]}
  - {id: words, methods: [GET], paths: ["/words/**"]}
  - {id: granted, methods: [GET], paths: [/granted]}
  - {id: live, methods: [WEBSOCKET], paths: [/ws]}
  - {id: use, methods: ["*", WEBSOCKET], paths: ["/**"]}
---
kind: Policy
id: lab
apps: [wiki]
rules:
  - {id: everybody, effect: ALLOW, principals: [people], operations: [recent, gold, here, abroad, claim, words]}
  - {id: recent, effect: REQUIRE, principals: [people], operations: [recent], conditions: {max_auth_age: 6s}}
  - {id: gold, effect: REQUIRE, principals: [people], operations: [gold], conditions: {required_acr: [gold]}}
  - {id: here, effect: REQUIRE, principals: [people], operations: [here], conditions: {countries: [NZ]}}
  - {id: abroad, effect: REQUIRE, principals: [people], operations: [abroad], conditions: {countries: [DE]}}
  - {id: claim, effect: DENY, principals: ["group:engineering"], operations: [claim]}
  - id: words
    effect: DENY
    principals: [people]
    operations: [words]
    expression: '"pwd" in session.amr && source.country == "NZ" && principal.email == "bob@acme.test" && request.path.startsWith("/words/never")'
---
kind: Policy
id: rail
selector: [{key: data, values: [secret]}]
rules:
  - {id: no-carol, effect: DENY, principals: ["user:carol@acme.test"], operations: ["*"]}
---
kind: Policy
id: tried
mode: SHADOW
apps: [wiki]
rules:
  - {id: no-bob, effect: DENY, principals: ["user:bob@acme.test"], operations: [use]}
---
kind: Grant
id: visit
app: wiki
principals: ["user:bob@acme.test"]
operations: [granted, live]
not_after: "%[2]s"
reason: To look at it.
`

// TestDecisions is about what edges decide on more than who somebody is, and about what is said of it afterwards.
func TestDecisions(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.flags = append(p.flags, "--country-db", edgetest.CountryFile(t, map[string]string{"127.0.0.0/8": "NZ"}))
	d := p.start(t)
	doc, client := d.document(t), d.admin(t)
	lab := &lab{
		demo: d, parent: "tenants/" + doc.Tenant,
		audit:     sallyportv1connect.NewAuditServiceClient(client.HTTP, client.URL),
		decisions: sallyportv1connect.NewDecisionServiceClient(client.HTTP, client.URL),
	}
	until := time.Now().Add(12 * time.Second)
	lab.apply(t, fmt.Sprintf(laboratory, doc.Upstreams["wiki"], until.UTC().Format(time.RFC3339Nano)))

	bob := d.person(t, "bob")
	lab.grantEnds(t, bob, until)
	lab.signsInAgain(t, bob)
	lab.everythingElse(t, bob)
	lab.deafProvider(t)
	recorded := lab.recorded(t)
	lab.explains(t, recorded, "as it is")

	// Everything that they were decided on is another by now.
	lab.apply(t, `
kind: Policy
id: lab
apps: [wiki]
rules:
  - {id: nobody, effect: DENY, principals: [anyone], operations: ["*"]}
---
kind: Policy
id: api
apps: [api]
rules:
  - {id: robots, effect: ALLOW, principals: ["serviceAccount:ci"], operations: ["*"]}
---
kind: Policy
id: wiki
apps: [wiki]
rules:
  - {id: admins, effect: ALLOW, principals: ["user:alice@acme.test"], operations: [admin]}
`)
	lab.cli(t, 0, "delete", "grant", "visit")
	lab.cli(t, 0, "delete", "policy", "rail")
	lab.cli(t, 0, "delete", "policy", "tried")
	lab.cli(t, 0, "delete", "group", "engineering")
	lab.explains(t, recorded, "after it was changed")
	lab.tooNewForEdges(t)
	d.stop(t)
	d.gone(t)
}

// letIn is the wiki's answer where it has no page: it was asked.
const letIn = http.StatusNotFound

type lab struct {
	*demo
	parent    string
	audit     sallyportv1connect.AuditServiceClient
	decisions sallyportv1connect.DecisionServiceClient
}

// cli runs the command as the tenant's admin.
func (l *lab) cli(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	doc := l.document(t)
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "sallyport"), args...)
	cmd.Env = append(os.Environ(), "SALLYPORT_SERVER="+doc.ControlPlane.URL, "SALLYPORT_TENANT="+doc.Tenant, "SALLYPORT_TOKEN="+doc.ControlPlane.AdminToken)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
		t.Fatalf("sallyport %v: %v\n%s%s", args, err, &out, &said)
	}
	return out.String(), said.String()
}

func (l *lab) apply(t *testing.T, yaml string) (stdout, stderr string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lab.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return l.cli(t, 0, "apply", "-f", file, "--wait")
}

// asks as a page's script does.
func (p *person) asks(t *testing.T, at string) *answer {
	t.Helper()
	return send(t, p.client, request(t, "GET", at, "", "Accept", "application/json"))
}

// grantEnds: what a grant allows ends with it, for the socket that is open as well.
func (l *lab) grantEnds(t *testing.T, bob *person, until time.Time) {
	t.Helper()
	doc := l.document(t)
	bob.sees(t, doc.at(0, "wiki", "/"), http.StatusOK)
	bob.sees(t, doc.at(0, "wiki", "/granted"), letIn)
	socket := l.socket(t, 0, bob.session(t, doc.at(0, "wiki", "/")))
	echoes(t, socket)
	_, _, err := socket.Read(t.Context())
	ended := time.Now()
	if websocket.CloseStatus(err) != websocket.StatusPolicyViolation || ended.Before(until) || ended.After(until.Add(2*time.Second)) {
		t.Errorf("the socket ended %s after the grant: %v", ended.Sub(until), err)
	}
	t.Logf("the socket ended %s after the grant", ended.Sub(until).Round(time.Millisecond))
	bob.sees(t, doc.at(0, "wiki", "/granted"), http.StatusForbidden, "You may not do this here")
}

// signsInAgain: the demo's directory knows max_age and no classes.
func (l *lab) signsInAgain(t *testing.T, bob *person) {
	t.Helper()
	doc := l.document(t)
	var a *answer
	l.eventually(t, "sign-in that is too long ago", 20*time.Second, func() error {
		if a = bob.asks(t, doc.at(0, "wiki", "/recent")); a.Status == http.StatusUnauthorized {
			return nil
		}
		return errStill
	})
	if got := a.Header.Get("WWW-Authenticate"); !strings.Contains(got, `error="insufficient_user_authentication", max_age="6"`) || !strings.Contains(a.Body, `"step_up.auth_age"`) {
		t.Errorf("a program is told %s: %s", got, a.Body)
	}
	logins := bob.logins
	bob.sees(t, doc.at(0, "wiki", "/recent"), letIn)
	if bob.logins == logins {
		t.Error("bob did not sign in again")
	}
	if a := bob.asks(t, doc.at(0, "wiki", "/gold")); a.Status != http.StatusUnauthorized || !strings.Contains(a.Header.Get("WWW-Authenticate"), `acr_values="gold"`) {
		t.Errorf("a program is told %v: %s", a.Header, a.Body)
	}
	bob.sees(t, doc.at(0, "wiki", "/gold"), http.StatusForbidden, "step_up.unsatisfied", "Sign in again")
	logins = bob.logins
	bob.sees(t, doc.at(0, "wiki", "/gold"), http.StatusForbidden, "step_up.unsatisfied")
	if bob.logins != logins {
		t.Error("bob is asked again for what was in vain")
	}
}

func (l *lab) everythingElse(t *testing.T, bob *person) {
	t.Helper()
	doc, client := l.document(t), l.browser(t)
	bob.sees(t, doc.at(0, "wiki", "/use"), letIn)
	bob.sees(t, doc.at(0, "wiki", "/here"), letIn)
	bob.sees(t, doc.at(0, "wiki", "/abroad"), http.StatusForbidden, "is in NZ.")
	bob.sees(t, doc.at(0, "wiki", "/claim"), http.StatusForbidden, "A rule forbids this")
	bob.sees(t, doc.at(0, "wiki", "/words/ever"), letIn)
	bob.sees(t, doc.at(0, "wiki", "/words/never"), http.StatusForbidden)
	bob.sees(t, doc.at(1, "wiki", "/admin/"), http.StatusForbidden)
	carol := l.person(t, "carol")
	carol.sees(t, doc.at(1, "wiki", "/claim"), http.StatusForbidden, "A rule forbids this")
	for path, status := range map[string]int{"/v1/items": http.StatusOK, "/elsewhere": http.StatusForbidden} {
		if a := send(t, client, request(t, "GET", doc.at(0, "api", path), "", doc.robot()...)); a.Status != status {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	for path, status := range map[string]int{"/v1/items": http.StatusUnauthorized, "/v1/status": http.StatusOK} {
		if a := send(t, client, request(t, "GET", doc.at(0, "api", path), "")); a.Status != status {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
}

// deafProvider hears nothing of max_age, and is asked once.
func (l *lab) deafProvider(t *testing.T) {
	t.Helper()
	provider := edgetest.NewProvider(t, func(url.Values) map[string]any {
		return map[string]any{"sub": "dan", "email": "dan@deaf.test", "email_verified": true, "auth_time": time.Now().Add(-time.Hour).Unix()}
	})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(edgetest.ClientSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	l.apply(t, fmt.Sprintf(`
kind: IdentityProvider
id: deaf
display_name: Deaf directory
issuer: %s
allow_http_loopback: true
client_id: sallyport
client_secret: {file: %s}
scopes: [openid, email]
claims: {email: email, groups: groups}
email_domains: [deaf.test]
`, provider.Issuer, secret))
	dan := l.person(t, "dan")
	dan.provider = "deaf"
	recent := l.document(t).at(0, "wiki", "/recent")
	dan.sees(t, recent, http.StatusForbidden, "step_up.unsatisfied", "Deaf directory was asked to sign you in again")
	asked := provider.Asked()
	if last := asked[len(asked)-1]; len(asked) != 2 || last.Get("max_age") != "6" {
		t.Errorf("it was asked %q", asked)
	}
	for range 3 {
		dan.sees(t, recent, http.StatusForbidden, "step_up.unsatisfied")
	}
	if len(provider.Asked()) != 2 {
		t.Errorf("it is asked again: %q", provider.Asked())
	}
}

// kinds are the decisions that there have to be, each by what made it.
var kinds = []string{
	"ALLOW allow.rule lab/everybody", "ALLOW allow.rule wiki/staff", "ALLOW allow.grant visit", "ALLOW allow.public api/public-status", "ALLOW allow.rule api/readers",
	"DENY deny.rule rail/no-carol", "DENY deny.rule lab/claim", "DENY deny.rule lab/words", "DENY deny.no_rule /", "DENY deny.no_operation /",
	"DENY require.country lab/abroad", "DENY step_up.unsatisfied lab/gold", "DENY step_up.unsatisfied lab/recent",
	"STEP_UP step_up.auth_age lab/recent", "STEP_UP step_up.acr lab/gold", "AUTHENTICATE identity.none /",
}

// recorded waits until the edges have told of all of them.
func (l *lab) recorded(t *testing.T) (events []*sallyportv1.AccessEvent) {
	t.Helper()
	l.eventually(t, "record of every decision", 20*time.Second, func() error {
		list, err := l.audit.ListAccessEvents(t.Context(), &sallyportv1.ListAccessEventsRequest{Parent: l.parent, PageSize: 500})
		if err != nil {
			return err
		}
		events = slices.DeleteFunc(list.GetAccessEvents(), func(e *sallyportv1.AccessEvent) bool { return e.GetDecision().GetFacts() == nil })
		for _, kind := range kinds {
			if !slices.ContainsFunc(events, func(e *sallyportv1.AccessEvent) bool { return kindOf(e.GetDecision()) == kind }) {
				return fmt.Errorf("none is %q", kind)
			}
		}
		return nil
	})
	shadows := 0
	for _, e := range events {
		if e.GetApp() == "wiki" && e.GetOperation() == "use" && e.GetPrincipal().GetEmail() == "bob@acme.test" {
			shadow := e.GetDecision().GetShadow()
			if len(shadow) != 1 || shadow[0].GetPolicy() != "tried" || shadow[0].GetOutcome() != "DENY" || shadow[0].GetRule() != "no-bob" || e.GetDecision().GetOutcome() != "ALLOW" {
				t.Errorf("by the policy that is tried: %s", e.GetDecision())
			}
			shadows++
		}
	}
	t.Logf("%d decisions, %d of them seen by a policy that is tried", len(events), shadows)
	if shadows == 0 {
		t.Error("the policy that is tried saw nothing")
	}
	return events
}

func kindOf(d *sallyportv1.EventDecision) string {
	by := d.GetPolicy() + "/" + d.GetRule()
	if d.GetGrant() != "" {
		by = d.GetGrant()
	}
	return d.GetOutcome() + " " + d.GetReason() + " " + by
}

// explains wants each decision to come out as the edge recorded it, and by the revision that it was made at.
func (l *lab) explains(t *testing.T, events []*sallyportv1.AccessEvent, when string) {
	t.Helper()
	for _, e := range events {
		got, err := l.decisions.Explain(t.Context(), &sallyportv1.ExplainRequest{Parent: l.parent, About: &sallyportv1.ExplainRequest_DecisionId{DecisionId: "d_" + e.GetId()}})
		if err != nil {
			t.Fatal(err)
		}
		again := &sallyportv1.EventDecision{Outcome: got.GetOutcome(), Reason: got.GetReason(), Policy: got.GetPolicy(), Rule: got.GetRule(), Grant: got.GetGrant()}
		if kindOf(again) != kindOf(e.GetDecision()) || len(got.GetNotes()) > 0 || got.GetRevision() != fmt.Sprint("c", e.GetDecision().GetConfig()) {
			t.Errorf("%s: %s of %s by %s was %s, and is explained as %s at %s: %q", when, e.GetRequest().GetPath(), e.GetApp(), e.GetPrincipal(),
				kindOf(e.GetDecision()), kindOf(again), got.GetRevision(), got.GetNotes())
		}
	}
}

// tooNewForEdges: an edge that cannot read an expression closes the app, and whoever waits is told. The database says what a
// control plane of tomorrow would write.
func (l *lab) tooNewForEdges(t *testing.T) {
	t.Helper()
	doc := l.document(t)
	db, err := pgx.Connect(t.Context(), doc.PostgresOwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	for _, statement := range []string{
		`CREATE FUNCTION tomorrow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body = replace(NEW.body::text, 'source.country', 'source.planet')::jsonb; RETURN NEW; END $$`,
		`CREATE TRIGGER tomorrow BEFORE INSERT OR UPDATE ON resource FOR EACH ROW EXECUTE FUNCTION tomorrow()`,
	} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	_, said := l.apply(t, `
kind: Policy
id: later
apps: [api]
rules:
  - {id: planets, effect: DENY, principals: [anyone], operations: ["*"], expression: 'source.country == "NZ"'}
`)
	if want := "Closed, because an edge does not understand one of their rules: api. Upgrade the edges."; !strings.Contains(said, want) {
		t.Errorf("whoever waits is told %q", said)
	}
	client := l.browser(t)
	for edge, at := range doc.Edges {
		if a := send(t, client, request(t, "GET", doc.at(edge, "api", "/v1/status"), "")); a.Status != http.StatusForbidden || !strings.Contains(a.Body, "deny.app_closed") {
			t.Errorf("%s: %d %s", at.Name, a.Status, a.Body)
		}
	}
	if _, err := db.Exec(t.Context(), `DROP FUNCTION tomorrow CASCADE`); err != nil {
		t.Fatal(err)
	}
	out, _ := l.cli(t, 0, "delete", "policy", "later", "--wait")
	if a := send(t, client, request(t, "GET", doc.at(0, "api", "/v1/items"), "", doc.robot()...)); a.Status != http.StatusOK {
		t.Errorf("after it is gone (%s): %d %s", out, a.Status, a.Body)
	}
}
