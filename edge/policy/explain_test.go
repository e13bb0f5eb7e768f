package policy

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/edge/policy/window"
)

// explained is a tenant with a rule of every kind.
func explained() Source {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	return Source{
		Providers: []string{"corp", "demo"}, ServiceAccounts: []string{"ci"},
		Apps: []*App{{ID: "wiki", Labels: map[string]string{"env": "prod"}, Operations: []Operation{{"admin", Admin}, {"read", Read}, {"write", Write}}}},
		Groups: []*Group{
			{ID: "staff", Members: []Member{{IDPGroup: IDPGroup{IDP: "demo", Name: "staff"}}}},
			{ID: "admins", Members: []Member{{IDPGroup: IDPGroup{IDP: "demo", Name: "admins"}}}},
		},
		Policies: []*Policy{
			{ID: "rail", Selector: []LabelRequirement{{Key: "env", Values: []string{"prod"}}}, Rules: []Rule{
				{ID: "embargo", Effect: DenyEffect, Principals: []string{"anyone"}, Operations: []string{"*"}, Conditions: Conditions{Countries: []string{"KP"}}},
				{
					ID: "office", Effect: RequireEffect, Principals: []string{"people"}, Roles: []string{"admin"},
					Conditions: Conditions{SourceCIDRs: []string{"10.0.0.0/8"}}, Remediation: "Use the VPN.",
				},
			}, Exemptions: []Exemption{{ID: "break-glass", Principals: []string{"user:root@acme.test"}, NotAfter: noon.Add(time.Hour)}}},
			{ID: "wiki", Apps: []string{"wiki"}, Rules: []Rule{
				{ID: "read", Effect: AllowEffect, Principals: []string{"group:staff", "serviceAccount:ci"}, Roles: []string{"viewer"}, Description: "Everybody reads."},
				{
					ID: "write", Effect: AllowEffect, Principals: []string{"group:staff"}, Operations: []string{"write"}, Remediation: "Ask in #wiki.",
					Conditions: Conditions{
						TimeWindows: []window.Window{{Days: []string{"MONDAY"}, Start: "08:00", End: "18:00", Zone: "Europe/Berlin"}},
						NotBefore:   noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
						Device:     &DeviceCondition{Managed: true, Posture: []string{"disk"}, MaxReportAge: time.Hour},
						MaxAuthAge: 10 * time.Minute, RequiredACR: []string{"gold"}, RequiredAMR: []string{"hwk", "pin"},
						IDPs: []string{"demo"}, MembersOf: []string{"staff", "admins"},
					},
					Expression: `request.method == "POST" && principal.domain == "acme.test" && !("admins" in principal.groups)`,
				},
			}},
			{ID: "zeal", Mode: Shadow, Apps: []string{"wiki"}, Rules: []Rule{{ID: "no", Effect: DenyEffect, Principals: []string{"people"}, Operations: []string{"*"}}}},
		},
		Grants: []*Grant{{ID: "g1", App: "wiki", Principals: []string{"user:eve@acme.test"}, Roles: []string{"admin"}, NotAfter: noon.Add(time.Hour)}},
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	program, problems := Compile(explained())
	if len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	bob := Identity{
		Kind: Person, Subject: "1", IDP: "demo", Email: "Bob@acme.test", EmailVerified: true, EmailDomainOwned: true, GroupsComplete: true,
		Groups: []string{"staff"}, AuthTime: noon.Add(-2 * time.Hour), ACR: "silver", AMR: []string{"pwd"},
	}
	root, dave := bob, bob
	root.Email, root.Groups = "root@acme.test", nil
	dave.EmailVerified, dave.Groups, dave.GroupsComplete, dave.ACR, dave.AMR, dave.AuthTime = false, nil, false, "", nil, time.Time{}
	base := Request{Method: "POST", Host: "wiki.acme.test", Path: "/", SourceIP: netip.MustParseAddr("10.1.2.3"), Country: "DE", Now: noon}
	device := &Device{Managed: True, Compliant: Unknown, Posture: map[string]bool{"disk": true}, ReportedAt: noon.Add(-time.Minute)}
	var text strings.Builder
	for _, ask := range []struct {
		title string
		who   Identity
		turn  func(*Request)
	}{
		{"bob reads", bob, func(r *Request) { r.Operation = "read" }},
		{"bob writes, and signed in long ago", bob, func(r *Request) { r.Operation, r.Device = "write", device }},
		{"bob administers from elsewhere", bob, func(r *Request) { r.Operation, r.SourceIP = "admin", netip.MustParseAddr("192.0.2.1") }},
		{"root administers from elsewhere", root, func(r *Request) { r.Operation, r.SourceIP = "admin", netip.MustParseAddr("192.0.2.1") }},
		{"dave, of whom little is known, writes", dave, func(r *Request) { r.Operation, r.Country, r.SourceIP, r.Now = "write", "", netip.Addr{}, time.Time{} }},
		{"the machine reads", Identity{Kind: Machine, ServiceAccount: "ci"}, func(r *Request) { r.Operation = "read" }},
		{"a stranger writes", Identity{}, func(r *Request) { r.Operation = "write" }},
		{"bob does something else", bob, func(*Request) {}},
	} {
		r := base
		ask.turn(&r)
		r.Principal = program.Resolve(ask.who)
		e := program.Explain("wiki", &r)
		if diff := cmp.Diff(program.Decide("wiki", &r), e.Decision); diff != "" {
			t.Errorf("%s: explained is another decision: %s", ask.title, diff)
		}
		fmt.Fprintf(&text, "## %s\n", ask.title)
		write(&text, e)
	}
	const golden = "testdata/explain.txt"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text.String(), "\n")); diff != "" {
		t.Errorf("-want +got (UPDATE=1 writes it)\n%s", diff)
	}
}

func write(w *strings.Builder, e *Explanation) {
	fmt.Fprintf(w, "%v %s: %s, %q of %s\n", e.Outcome, e.Reason, e.Who, e.Operation, e.App)
	for _, s := range e.Steps {
		fmt.Fprintf(w, "  %d. %s\n", s.Number, s.Text)
	}
	for _, r := range e.Rules {
		fmt.Fprintf(w, "  %s %s%s%s: scope %v, requirement %v", r.Effect, r.Policy+"/"+r.Rule, r.Grant, map[bool]string{true: " (shadow)"}[r.Mode == Shadow], r.Scope, r.Requirement)
		if r.Counts {
			w.WriteString(", counts")
		}
		if r.Decisive {
			w.WriteString(", decides")
		}
		w.WriteString("\n")
		for _, c := range r.Clauses {
			fmt.Fprintf(w, "    %-25s %-8s %s\n", c.Field, c.Truth, c.Text)
		}
	}
	for _, s := range e.Shadow {
		fmt.Fprintf(w, "  shadow %s: %v %s %s\n", s.Policy, s.Outcome, s.Reason, s.Rule)
	}
	a := e.Person()
	fmt.Fprintf(w, "  the person reads: %s %s %q %q %v\n\n", a.Title, a.Remediation, a.App, a.Operation, a.Facts)
}
