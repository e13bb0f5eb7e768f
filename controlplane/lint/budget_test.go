package lint_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/lint"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

func check(t *testing.T, site *policy.Site) []lint.Finding {
	t.Helper()
	found, err := lint.Check(t.Context(), site, now)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func brought(t *testing.T, before, after *policy.Site) []lint.Finding {
	t.Helper()
	found, err := lint.New(t.Context(), before, after, now)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// endless is as many paths as the API takes, at as many hosts.
func endless() *policy.Site {
	app := &controlplane.App{}
	for h := range 64 {
		app.Hosts = append(app.Hosts, fmt.Sprintf("h%d.acme.test", h))
	}
	for o := range 200 {
		op := controlplane.Operation{ID: fmt.Sprint("o", o), Methods: []string{"*"}}
		for p := range 64 {
			op.Paths = append(op.Paths, fmt.Sprintf("/o%dp%d", o, p))
		}
		app.Operations = append(app.Operations, op)
	}
	for r := range 256 {
		app.Routes = append(app.Routes, controlplane.Route{Path: fmt.Sprintf("/r%d/**", r)})
	}
	return site(&controlplane.Resource{Kind: controlplane.KindApp, ID: "endless", Spec: app})
}

// Whoever may ask does not hold a core: lint ends, says where, and says nothing of what it did not look at.
func TestLintEnds(t *testing.T) {
	t.Parallel()
	want := []string{"App/endless  app-without-policy", "App/endless  not-looked-further"}
	if diff := cmp.Diff(want, codes(check(t, endless()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNobodyIsLeftToTell(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := lint.Check(ctx, endless(), now); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Those whom a guard-rail exempts live on the rule that it denies all others.
func TestWhatIsDeniedToAllButSome(t *testing.T) {
	t.Parallel()
	no := &controlplane.Policy{
		Selector: []controlplane.LabelRequirement{{Key: "env", Values: []string{"prod"}}},
		Rules:    []rule{{ID: "no", Effect: "EFFECT_DENY", Principals: []string{"people"}, Operations: []string{"*"}}},
	}
	denied := []string{"Policy/main rules[0] rule-denied"}
	if diff := cmp.Diff(denied, codes(check(t, site(&controlplane.Resource{Kind: controlplane.KindPolicy, ID: "rail", Spec: no})))); diff != "" {
		t.Errorf("without exemptions (-want +got):\n%s", diff)
	}
	but := *no
	but.Exemptions = []controlplane.Exemption{{ID: "ops", Principals: []string{"user:al@acme.test"}}}
	if found := check(t, site(&controlplane.Resource{Kind: controlplane.KindPolicy, ID: "rail", Spec: &but})); len(found) > 0 {
		t.Errorf("with exemptions: %v", codes(found))
	}
}

// However much is found, warnings come first: what is told is cut at the end.
func TestWarningsComeFirst(t *testing.T) {
	t.Parallel()
	past := now.Add(-1)
	found := check(t, site(grant(past), &controlplane.Resource{Kind: controlplane.KindPolicy, ID: "zz", Spec: &controlplane.Policy{
		Selector: []controlplane.LabelRequirement{{Key: "env", Values: []string{"nowhere"}, Unset: "UNSET_LABEL_NO_MATCH"}},
		Rules:    []rule{{ID: "no", Effect: "EFFECT_DENY", Principals: []string{"people"}, Operations: []string{"*"}}},
	}}))
	if diff := cmp.Diff([]string{"Policy/zz selector guard-rail-without-app", "Grant/while not_after grant-expired"}, codes(found)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
