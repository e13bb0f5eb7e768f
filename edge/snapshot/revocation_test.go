package snapshot

import "testing"

func TestRevocations(t *testing.T) {
	t.Parallel()
	person := Subject{Session: "s_1", User: "user:u", Email: "bob@acme.test", IDP: "idp-1", App: "app-1", Urgent: 5, Lineage: "L2"}
	machine := Subject{Token: "tok", ServiceAccount: "sa-1", Urgent: 5, Lineage: "L2"}
	for _, c := range []struct {
		name    string
		subject string
		under   int64
		of      Subject
		dead    bool
	}{
		{"its session", "session:s_1", 6, person, true},
		{"made at the very revision", "session:s_1", 5, person, false},
		{"made later", "session:s_1", 4, person, false},
		{"another session", "session:s_2", 9, person, false},
		{"the person", "user:u", 6, person, true},
		{"the address", "email:Bob@Acme.test", 6, person, true},
		{"the provider", "idp:idp-1", 6, person, true},
		{"the app", "app:app-1", 6, person, true},
		{"another app", "app:app-2", 6, person, false},
		{"the tenant", "tenant", 6, person, true},
		{"the tenant, before", "tenant", 5, person, false},
		{"what is not known here may mean everybody", "device:d", 6, person, true},
		{"of another history", "session:s_1", 1, Subject{Session: "s_1", Urgent: 99, Lineage: "L1"}, true},
		{"a token", "token:tok", 6, machine, true},
		{"its account", "serviceAccount:sa-1", 6, machine, true},
		{"its account, before it was made", "serviceAccount:sa-1", 5, machine, false},
		{"its account, long before it was made", "serviceAccount:sa-1", 1, machine, false},
		{"another token", "token:other", 9, machine, false},
		{"another account", "serviceAccount:sa-2", 9, machine, false},
		{"a token of another history", "serviceAccount:sa-1", 1, Subject{Token: "tok", ServiceAccount: "sa-1", Urgent: 99, Lineage: "L1"}, true},
		{"a token that does not say when it was made", "serviceAccount:sa-1", 1, Subject{Token: "tok", ServiceAccount: "sa-1", Lineage: "L2"}, true},
		{"the tenant's sessions, not its machines", "tenant", 9, machine, false},
		{"nobody in particular", "session:", 9, Subject{Urgent: 1, Lineage: "L2"}, false},
	} {
		r := &Revocations{lineage: "L2", marks: map[string]int64{}}
		r.add(c.subject, c.under)
		if got := r.Dead(c.of); got != c.dead {
			t.Errorf("%s: dead is %v", c.name, got)
		}
	}
	r := &Revocations{lineage: "L2", marks: map[string]int64{}}
	r.add("tenant", 9)
	r.add("device:x", 3)
	if !r.Dead(person) {
		t.Error("a later mark made an earlier one weaker")
	}
}
