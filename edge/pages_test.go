package edge_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Whoever is refused reads what was seen of them and what to do, gets an id to ask with, and learns no rule.
func TestPagesOfConditions(t *testing.T) {
	t.Parallel()
	b := openBank(t, func(c *edgetest.Config) {
		c.Countries = edgetest.Countries(t, map[string]string{"127.0.0.0/8": "NZ"})
	})
	grant := &edgev1.Grant{
		Id: "secret-visit", Uid: "grant-visit", App: "api", Principals: []string{"people"}, Operations: []string{"write"},
		NotAfter: timestamppb.New(b.now().Add(10 * time.Minute)),
	}
	b.Put(t, edgetest.Acme, grant)
	br := b.Browser(t)
	b.opens(br, wiki+"/")
	condition := func(c *edgev1.Conditions) {
		b.Put(t, edgetest.Acme, &edgev1.Policy{Id: "secret-policy", Uid: "policy-more", Apps: []string{"wiki"}, Rules: []*edgev1.Rule{{
			Id: "secret-rule", Effect: edgev1.Effect_EFFECT_REQUIRE, Principals: []string{"people"}, Operations: []string{"*"}, Conditions: c,
		}}})
	}
	for _, row := range []struct {
		name, reason string
		now          func()
		open         func() edgetest.Response
		says         []string
	}{
		{
			"network", "require.network", func() { condition(&edgev1.Conditions{SourceCidrs: []string{"10.77.0.0/16"}}) }, nil,
			[]string{"not allowed from your network", "You come from the address 127.0.0.1.", "Use a network that is allowed"},
		},
		{
			"country", "require.country", func() { condition(&edgev1.Conditions{Countries: []string{"DE"}}) }, nil,
			[]string{"not allowed from the country you are in", "127.0.0.1, is in NZ.", "Ask an administrator"},
		},
		{"time", "require.time", func() {
			condition(&edgev1.Conditions{NotBefore: timestamppb.New(time.Date(2099, 12, 24, 0, 0, 0, 0, time.UTC))})
		}, nil, []string{"not allowed at this time", " UTC on ", "Try again when it is"}},
		{
			"group", "require.group", func() { condition(&edgev1.Conditions{MembersOf: []string{"admins"}}) }, nil,
			[]string{"a group that you are not in", "Ask an administrator to add you"},
		},
		{"unknown", "require.unknown", func() {
			b.idp.Says(func(url.Values) map[string]any {
				return map[string]any{"sub": "far", "email": "far@acme.test", "_claim_names": map[string]any{"groups": "src"}, "_claim_sources": map[string]any{"src": map[string]any{"endpoint": "https://claims.test"}}}
			})
			br = b.Browser(t)
		}, nil, []string{"could not be checked", "Sign out and in again, or come from another network"}},
		{"guard-rail", "deny.rule", func() {
			b.Put(t, edgetest.Acme, &edgev1.Policy{
				Id: "secret-policy", Uid: "policy-more", Selector: []*edgev1.LabelRequirement{{Key: "data", Values: []string{"secret-label"}, Unset: edgev1.UnsetLabel_UNSET_LABEL_MATCH}},
				Rules: []*edgev1.Rule{{Id: "secret-rule", Effect: edgev1.Effect_EFFECT_DENY, Principals: []string{"people"}, Operations: []string{"*"}}},
			})
		}, nil, []string{"A rule forbids this", "even where another rule allows it", "Ask an administrator for access, and tell them the decision id"}},
		{"grant that is over", "deny.no_rule", func() {
			b.Remove(t, edgetest.Acme, "Policy/secret-policy")
			b.idp.Says(b.obedient("bob"))
			br = b.Browser(t)
			b.opens(br, api+"/v1/status")
			if res := br.Submit(api+"/v1/items", nil); res.StatusCode != 200 {
				t.Fatalf("before: %d %s", res.StatusCode, res.Text)
			}
			b.add(10 * time.Minute)
		}, func() edgetest.Response { return br.Submit(api+"/v1/items", nil) }, []string{"You may not do this here", "which your account does not have", "Ask an administrator of acme"}},
	} {
		row.now()
		if row.open == nil {
			row.open = func() edgetest.Response { return br.Open(wiki + "/") }
		}
		res := row.open()
		b.denied(res, 403, row.reason)
		for _, say := range row.says {
			if !strings.Contains(res.Text, say) {
				t.Errorf("%s: it does not say %q:\n%s", row.name, say, res.Text)
			}
		}
		for _, name := range []string{"secret", "admins", "10.77", ">DE", " DE", "2099"} {
			if strings.Contains(res.Text, name) {
				t.Errorf("%s: it tells %q:\n%s", row.name, name, res.Text)
			}
		}
	}
}
