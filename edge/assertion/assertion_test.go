package assertion_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/edge/assertion"
	"github.com/sallyport-iap/sallyport/edge/edgetest"
	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

func bob(ends time.Time) *exchange.Caller {
	return &exchange.Caller{
		Identity: policy.Identity{Kind: policy.Person, IDP: "demo", Email: "bob@acme.test", EmailVerified: true, Groups: []string{"engineering"}, GroupsComplete: true},
		Subject:  "user:bob", Name: "Bob", Email: "bob@acme.test", Credential: exchange.CredentialSession, SessionID: "s_1", IDPUID: "idp-demo", ExpireTime: ends, Version: "1",
	}
}

func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAssertion(t *testing.T) {
	t.Parallel()
	e := edgetest.Start(t, edgetest.Demo("http://127.0.0.1:1", "http://127.0.0.1:1"))
	site := e.Node.Store.Table().Site(edgetest.Acme)
	api, wiki := site.App("api"), site.App("wiki")
	m, now := assertion.New(8443), time.Now()
	mint := func(site *snapshot.Site, app *snapshot.App, c *exchange.Caller, at time.Time) string {
		t.Helper()
		token, err := m.Assertion(site, app, c, assertion.Groups(site, app, c), at)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := mint(site, api, bob(time.Time{}), now)
	c := claims(t, first)
	for name, want := range map[string]any{
		"iss": "https://auth.acme.localhost:8443", "aud": "tenants/acme/apps/api", "sub": "user:bob", "email": "bob@acme.test", "email_verified": true,
		"sid": "s_1", "tenant": "acme", "app_uid": api.UID, "exp": float64(now.Unix() + 300), "iat": float64(now.Unix()), "name": "Bob",
	} {
		if c[name] != want {
			t.Errorf("%s is %v, want %v", name, c[name], want)
		}
	}
	if g, _ := c["groups"].([]any); len(g) != 1 || g[0] != "engineering" {
		t.Errorf("groups are %v", c["groups"])
	}
	if groups := claims(t, mint(site, wiki, bob(time.Time{}), now))["groups"]; groups != nil {
		t.Errorf("an app that asked for no groups is told %v", groups)
	}
	for name, again := range map[string]struct {
		token string
		same  bool
	}{
		"the next request":      {mint(site, api, bob(time.Time{}), now.Add(3*time.Minute)), true},
		"a minute before":       {mint(site, api, bob(time.Time{}), now.Add(4*time.Minute+time.Second)), false},
		"another app":           {mint(site, wiki, bob(time.Time{}), now), false},
		"other claims":          {mint(site, api, with(bob(time.Time{}), func(c *exchange.Caller) { c.Version = "2" }), now), false},
		"another session":       {mint(site, api, with(bob(time.Time{}), func(c *exchange.Caller) { c.SessionID = "s_2" }), now), false},
		"other groups":          {mint(site, api, with(bob(time.Time{}), func(c *exchange.Caller) { c.Identity.Groups = nil }), now), false},
		"a tenant of that name": {mint(e.Node.Store.Table().Site(edgetest.Globex), e.Node.Store.Table().Site(edgetest.Globex).App("wiki"), bob(time.Time{}), now), false},
	} {
		if (again.token == first) != again.same {
			t.Errorf("%s: the same assertion is %v", name, again.token == first)
		}
	}
	// It does not outlive the session.
	if c := claims(t, mint(site, api, with(bob(now.Add(time.Minute)), func(c *exchange.Caller) { c.SessionID = "s_3" }), now)); c["exp"] != float64(now.Add(time.Minute).Unix()) {
		t.Errorf("the session ends at %d, its assertion at %v", now.Add(time.Minute).Unix(), c["exp"])
	}
	// A new key signs at once, and only the old one's name was in the cache.
	e.Apply(t, edgetest.Acme, edgev1.Lane_LANE_URGENT, edgetest.Change{
		Put: []proto.Message{e.ControlPlane.AssertionKey(t, edgetest.Acme, "dev-2", now.Add(-time.Minute))}, Remove: []string{"AssertionKey/dev-1"},
	})
	site = e.Node.Store.Table().Site(edgetest.Acme)
	if rotated := mint(site, site.App("api"), bob(time.Time{}), now); strings.Split(rotated, ".")[0] == strings.Split(first, ".")[0] {
		t.Error("a key that was dropped still signs")
	}
	e.Apply(t, edgetest.Acme, edgev1.Lane_LANE_URGENT, edgetest.Change{Remove: []string{"AssertionKey/dev-2"}})
	site = e.Node.Store.Table().Site(edgetest.Acme)
	if _, err := m.Assertion(site, site.App("api"), bob(time.Time{}), nil, now); err == nil {
		t.Error("without a key something was signed")
	}
}

func with(c *exchange.Caller, change func(*exchange.Caller)) *exchange.Caller {
	change(c)
	return c
}
