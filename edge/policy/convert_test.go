package policy

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
	"github.com/sallyport-iap/sallyport/edge/policy/window"
)

// tb is what a test has in common with a property.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// sources makes sources of worlds. What worlds share, their sources share, as
// [Program.Recompile] wants it.
type sources map[any]any

// of relies on the fields having the same names in both forms; one that only a
// world has is an error, one that only a source has is what
// TestWorldsHaveAllOfASource is about.
func (s sources) of(t tb, w *policytest.World) Source {
	t.Helper()
	return Source{
		Apps: turnAll[App](t, s, w.Apps), Roles: turnAll[Role](t, s, w.Roles), Groups: turnAll[Group](t, s, w.Groups),
		Memberships: turnAll[Membership](t, s, w.Memberships), Policies: turnAll[Policy](t, s, w.Policies), Grants: turnAll[Grant](t, s, w.Grants),
		Providers: w.Providers, ServiceAccounts: w.ServiceAccounts,
	}
}

func turnAll[To, From any](t tb, known sources, list []*From) []*To {
	t.Helper()
	var turned []*To
	for _, from := range list {
		to, ok := known[from].(*To)
		if !ok {
			to = turn[To](t, from)
			known[from] = to
		}
		turned = append(turned, to)
	}
	return turned
}

func turn[To any](t tb, from any) *To {
	t.Helper()
	data, err := json.Marshal(from)
	if err != nil {
		t.Fatalf("%v", err)
	}
	to := new(To)
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		t.Fatalf("%v", err)
	}
	return to
}

func identityOf(who *policytest.Identity) Identity {
	return Identity{
		Kind:    map[policytest.Kind]Kind{policytest.Person: Person, policytest.Machine: Machine}[who.Kind],
		Subject: who.Subject, IDP: who.IDP, Email: who.Email, EmailVerified: who.EmailVerified, EmailDomainOwned: who.EmailDomainOwned, Domain: who.Domain,
		Groups: who.Groups, GroupsComplete: who.GroupsComplete, GroupsAbsent: who.GroupsAbsent, ServiceAccount: who.ServiceAccount,
		AuthTime: who.AuthTime, ACR: who.ACR, AMR: who.AMR, Asked: Asked(who.Asked),
	}
}

// requestOf leaves the principal to who knows the program.
func requestOf(q *policytest.Request) Request {
	r := Request{
		Operation: q.Operation, Method: q.Method, Host: q.Host, Path: q.Path, SourceIP: q.SourceIP, Country: q.Country, Now: q.Now,
	}
	if d := q.Device; d != nil {
		r.Device = &Device{Managed: truthIf(d.Managed), Compliant: truthIf(d.Compliant), Posture: d.Posture, ReportedAt: d.ReportedAt}
	}
	return r
}

func truthIf(fact *bool) Truth {
	switch {
	case fact == nil:
		return Unknown
	case *fact:
		return True
	}
	return False
}

func decisionOf(d Decision) policytest.Decision {
	return policytest.Decision{
		Outcome: d.Outcome.String(), Reason: string(d.Reason), Policy: d.Policy, Rule: d.Rule, Grant: d.Grant, Remediation: d.Remediation,
		Need: policytest.Need(d.StepUp.MaxAge, d.StepUp.ACR, d.StepUp.AMR), ValidUntil: d.ValidUntil,
	}
}

func shadowOf(p *Program, app string, r *Request) (list []policytest.Shadowed) {
	for _, s := range p.Shadow(app, r, nil) {
		list = append(list, policytest.Shadowed{Policy: s.Policy, Outcome: s.Outcome.String(), Reason: string(s.Reason), Rule: s.Rule})
	}
	return list
}

// A field of a source that worlds have not is a field that no table is about.
func TestWorldsHaveAllOfASource(t *testing.T) {
	t.Parallel()
	same := func(engine, table any) {
		if diff := cmp.Diff(fieldNames(engine), fieldNames(table)); diff != "" {
			t.Errorf("%T: -engine +tables\n%s", engine, diff)
		}
	}
	same(Source{}, policytest.World{})
	same(App{}, policytest.App{})
	same(Operation{}, policytest.Operation{})
	same(Role{}, policytest.Role{})
	same(Group{}, policytest.Group{})
	same(Member{}, policytest.Member{})
	same(IDPGroup{}, policytest.IDPGroup{})
	same(Membership{}, policytest.Membership{})
	same(Policy{}, policytest.Policy{})
	same(LabelRequirement{}, policytest.LabelRequirement{})
	same(Exemption{}, policytest.Exemption{})
	same(Rule{}, policytest.Rule{})
	same(Conditions{}, policytest.Conditions{})
	same(DeviceCondition{}, policytest.DeviceCondition{})
	same(window.Window{}, policytest.Window{})
	same(Grant{}, policytest.Grant{})
	same(Identity{}, policytest.Identity{})
	same(Asked{}, policytest.Asked{})
	same(Device{}, policytest.Device{})
}

// show writes what a test is about, without what is not set.
func show(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		return err.Error()
	}
	data, err = json.MarshalIndent(pruned(plain), "", " ")
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, part := range v {
			if part = pruned(part); part == nil || part == "" || part == false || part == 0.0 || part == "0001-01-01T00:00:00Z" {
				delete(v, key)
			} else {
				v[key] = part
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	}
	return v
}
