package hostile_test

import (
	"context"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	"github.com/sallyport-iap/sallyport/edge/session"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// The world: tenant A with two apps and people, tenant B with one of each, whose every name is a canary.
const (
	tenantA = "0195a000-0000-7000-8000-0000000000aa"
	tenantB = "0195b000-0000-7000-8000-0000000000bb"

	hostApp1  = "app1.a.test"
	hostApp2  = "app2.a.test"
	hostLogin = "login.a.test"
	hostAppB  = "app1.b.test"

	issuer = "http://127.0.0.1:1"
)

// canaries are tenant B's, and in nothing that tenant A sees.
var canaries = []string{tenantB, "bravo", "app-uid-b", "b.test", "mallory", "idp-uid-b"}

// world is an edge that serves both tenants, with a raw upstream behind each app.
type world struct {
	edge      *edgetest.Edge
	upstreams []*edgetest.Upstream // of app1, app2 and B's app
	names     map[string]string    // what rows may write in braces
	bob       string               // his subject
	clients   []*http.Client       // his, HTTP/1.1 and HTTP/2
	asked     int                  // honest requests so far
	seen      map[string]int       // records looked at, by tenant
	received  []int                // requests looked at, by upstream
	verified  map[string]string    // subjects of assertions that verified
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{names: map[string]string{"ci": ci.Text}, seen: map[string]int{}, verified: map[string]string{}}
	for range 3 {
		w.upstreams = append(w.upstreams, edgetest.NewUpstream(t))
	}
	w.received = make([]int, len(w.upstreams))
	w.edge = edgetest.Start(t, edgetest.Config{Tenants: []edgetest.Tenant{
		{UID: tenantA, Config: configA(w.upstreams[0].URL(), w.upstreams[1].URL())},
		{UID: tenantB, Config: configB(w.upstreams[2].URL())},
	}})
	w.signIn(t, tenantA, hostApp1, "alice", "staff", "admins")
	w.bob = w.signIn(t, tenantA, hostApp1, "bob", "staff")
	w.signIn(t, tenantA, hostApp1, "carol", "staff") // who signs out
	w.signIn(t, tenantB, hostAppB, "mallory", "bravo")
	w.clients = []*http.Client{w.edge.Client(t, false), w.edge.Client(t, true)}
	return w
}

// signIn gives a person a session on a host, and rows its cookie under the person's name. It returns the subject.
func (w *world) signIn(t *testing.T, tenant, host, name string, groups ...string) string {
	t.Helper()
	site := w.edge.Node.Store.Table().Site(tenant)
	begun, err := w.edge.Node.Sessions.Begin(context.Background(), site, host, session.Person{
		Issuer: issuer, Subject: "sub-" + name, IDPUID: site.Providers[0].UID, Email: name + "@people.test", EmailVerified: true, Name: name,
		Groups: groups, GroupsComplete: true, AuthTime: time.Now(),
	}, netip.MustParseAddr("127.0.0.1"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.names[name] = begun.Cookie.Value
	return begun.Caller.Subject
}

var ci = edgetest.NewToken("citoken234", 'c')

func configA(upstream1, upstream2 string) []proto.Message {
	app1 := &edgev1.App{
		Id: "app1", Uid: "app-uid-1", DisplayName: "App One", Hosts: []string{hostApp1},
		Routes: []*edgev1.Route{{Path: "/**", UpstreamUrls: []string{upstream1}, Websocket: true}},
		Operations: []*edgev1.Operation{
			operation("public", "/public/**", "*"),
			operation("public-socket", "/public/**", "WEBSOCKET"),
			operation("admin", "/admin/**", "GET", "POST"),
			operation("admin-other", "/admin/**", "*"), // nobody's; without it PUT /admin would be "use"
			operation("api", "/api/**", "*"),
			operation("use", "/**", "*"),
			operation("socket", "/**", "WEBSOCKET"),
		},
		IdentityHeaders: []string{"user", "email", "groups"},
		MaxStaleness:    durationpb.New(24 * time.Hour), SessionStoreGrace: durationpb.New(time.Hour),
	}
	// Everything that an app can opt into, and no WebSocket.
	app2 := &edgev1.App{
		Id: "app2", Uid: "app-uid-2", DisplayName: "App Two", Hosts: []string{hostApp2},
		Routes: []*edgev1.Route{{Path: "/**", UpstreamUrls: []string{upstream2}}},
		Operations: []*edgev1.Operation{
			operation("public", "/public/**", "*"), operation("public-socket", "/public/**", "WEBSOCKET"), operation("admin", "/admin/**", "*"),
		},
		AllowEncodedSlash: true, AllowSemicolon: true, MergeSlashes: true, CorsPreflight: true, StripAuthorization: true,
		AllowedHeaders: []string{"X_Custom", "X_Forwarded_User", "X.Sallyport.User"},
		MaxStaleness:   durationpb.New(24 * time.Hour), SessionStoreGrace: durationpb.New(time.Hour),
	}
	return []proto.Message{
		&edgev1.Tenant{Id: "alpha", Uid: tenantA, DisplayName: "Alpha", AuthHost: hostLogin, Session: edgetest.Limits(12*time.Hour, time.Hour)},
		provider("idp-uid-a"), group("staff"), group("admins"), app1, app2,
		&edgev1.ServiceAccount{Id: "ci", Uid: "sa-uid-ci", Tokens: []*edgev1.ServiceToken{
			{Id: ci.ID, Sha256: ci.Hash, ExpireTime: timestamppb.New(time.Now().Add(24 * time.Hour))},
		}},
		&edgev1.Policy{Id: "app1", Uid: "policy-uid-1", Apps: []string{"app1"}, Rules: []*edgev1.Rule{
			allow("public", "anyone", "public", "public-socket"),
			allow("admins", "group:admins", "admin"),
			allow("machines", "serviceAccount:ci", "api"),
			allow("staff", "group:staff", "use", "socket"),
		}},
		&edgev1.Policy{Id: "app2", Uid: "policy-uid-2", Apps: []string{"app2"}, Rules: []*edgev1.Rule{
			allow("public", "anyone", "public", "public-socket"), allow("admins", "group:admins", "admin"),
		}},
	}
}

func configB(upstream string) []proto.Message {
	app := edgetest.App("bravo-app", upstream, hostAppB)
	app.Operations = append(app.Operations, operation("public", "/public/**", "*"))
	return []proto.Message{
		&edgev1.Tenant{Id: "bravo", Uid: tenantB, DisplayName: "Bravo", AuthHost: "login.b.test", Session: edgetest.Limits(12*time.Hour, time.Hour)},
		provider("idp-uid-b"), group("bravo"),
		app,
		&edgev1.Policy{Id: "bravo", Uid: "policy-uid-bravo", Apps: []string{"bravo-app"}, Rules: []*edgev1.Rule{
			allow("all", "group:bravo", "read", "write", "socket"), allow("public", "anyone", "public"),
		}},
	}
}

func operation(id, path string, methods ...string) *edgev1.Operation {
	return &edgev1.Operation{Id: id, Methods: methods, Paths: []string{path}, Access: edgev1.Access_ACCESS_WRITE}
}

func allow(id, principal string, operations ...string) *edgev1.Rule {
	return &edgev1.Rule{Id: id, Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{principal}, Operations: operations}
}

func provider(uid string) *edgev1.IdentityProvider {
	return &edgev1.IdentityProvider{
		Id: "idp", Uid: uid, DisplayName: "Directory", Issuer: issuer, AllowHttpLoopback: true, ClientId: "sallyport",
		Scopes: []string{"openid"}, EmailClaim: "email", NameClaim: "name", GroupsClaim: "groups",
	}
}

func group(id string) *edgev1.Group {
	return &edgev1.Group{Id: id, Uid: "group-uid-" + id, Members: []*edgev1.GroupMember{
		{Member: &edgev1.GroupMember_IdpGroup{IdpGroup: &edgev1.IdpGroup{Idp: "idp", Name: id}}},
	}}
}
