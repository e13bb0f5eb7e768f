package rpc_test

import (
	"maps"
	"os"
	"slices"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
)

// How many cases the API can say, and of how many it must refuse what they say. Only more of the tables may change them.
const (
	leastAnswered = 775
	leastRefused  = 95
)

// The truth about policy, as it is written for the engine, holds for who asks through the API: each case is a question about
// a draft that is the whole world, in a tenant without anything. What cannot be asked is refused, by its field, or there is
// a reason why the API has no words for it: no case is left out without one.
func TestTablesThroughExplain(t *testing.T) {
	t.Parallel()
	cases, err := policytest.Load(os.DirFS("../../edge/policy/testdata"), "scope.txt", "conditions.txt", "expressions.txt", "procedure.txt", "rails.txt", "peers.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := setup(t)
	answered, refused, reasons := 0, 0, map[string]int{}
	for i := range cases {
		c := &cases[i]
		said := say(c)
		if said.why != "" {
			reasons[said.why]++
		}
		switch {
		case said.refused != "":
			refused++
			s.acme.refusesToSay(t, c, said)
		case said.why == "":
			answered++
			s.acme.answers(t, c, said)
		}
	}
	if answered < leastAnswered || refused < leastRefused {
		t.Errorf("%d cases are answered, %d refused; it were %d and %d", answered, refused, leastAnswered, leastRefused)
	}
	t.Logf("%d cases: %d answered, %d refused, %d that the API has no words for", len(cases), answered, refused, len(cases)-answered-refused)
	for _, why := range slices.Sorted(maps.Keys(reasons)) {
		t.Logf("%4d %s", reasons[why], why)
	}
}

type decided struct{ outcome, reason, policy, rule, grant, need, validUntil string }

func (c *client) answers(t *testing.T, row *policytest.Case, said *saying) {
	t.Helper()
	got, err := c.decisions.Explain(t.Context(), said.request(t))
	if err != nil {
		t.Errorf("%s:%d: %s\n%v", row.File, row.Line, row.Text, err)
		return
	}
	up := got.GetStepUp()
	want := decided{row.Want.Outcome, row.Want.Reason, row.Want.Policy, row.Want.Rule, row.Want.Grant, row.Want.Need, ""}
	is := decided{
		got.GetOutcome(), got.GetReason(), got.GetPolicy(), got.GetRule(), got.GetGrant(),
		policytest.Need(up.GetMaxAge().AsDuration(), up.GetAcr(), up.GetAmr()), "",
	}
	if !row.Want.ValidUntil.IsZero() {
		want.validUntil = row.Want.ValidUntil.UTC().String()
	}
	if got.GetValidUntil() != nil {
		is.validUntil = got.GetValidUntil().AsTime().String()
	}
	if want != is {
		t.Errorf("%s:%d: %s\ngot  %v\nwant %v", row.File, row.Line, row.Text, is, want)
	}
	if row.Want.Remediation != "" {
		if diff := cmp.Diff(row.Want.Remediation, got.GetTold().GetRemediation()); diff != "" {
			t.Errorf("%s:%d: %s\nremediation (-want +got):\n%s", row.File, row.Line, row.Text, diff)
		}
	}
	var shadow []policytest.Shadowed
	for _, s := range got.GetShadow() {
		shadow = append(shadow, policytest.Shadowed{Policy: s.GetPolicy(), Outcome: s.GetOutcome(), Reason: s.GetReason(), Rule: s.GetRule()})
	}
	if diff := cmp.Diff(row.Shadow, shadow); diff != "" {
		t.Errorf("%s:%d: %s\nshadow (-want +got):\n%s", row.File, row.Line, row.Text, diff)
	}
}

func (c *client) refusesToSay(t *testing.T, row *policytest.Case, said *saying) {
	t.Helper()
	got, err := c.decisions.Explain(t.Context(), said.request(t))
	if err == nil {
		t.Errorf("%s:%d: %s\n%s is not refused: %v", row.File, row.Line, row.Text, said.refused, got)
		return
	}
	if f := read(t, err); f.code != connect.CodeInvalidArgument || !slices.Contains(f.fields, said.refused) {
		t.Errorf("%s:%d: %s\nwant %s to be refused, got %v", row.File, row.Line, row.Text, said.refused, err)
	}
}
