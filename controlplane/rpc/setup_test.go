package rpc_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/apitoken"
	"github.com/sallyport-iap/sallyport/controlplane/audit"
	"github.com/sallyport-iap/sallyport/controlplane/authn"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/decision"
	"github.com/sallyport-iap/sallyport/controlplane/edgefleet"
	"github.com/sallyport-iap/sallyport/controlplane/operations"
	"github.com/sallyport-iap/sallyport/controlplane/revision"
	"github.com/sallyport-iap/sallyport/controlplane/revocation"
	"github.com/sallyport-iap/sallyport/controlplane/rpc"
	"github.com/sallyport-iap/sallyport/controlplane/serviceaccount"
	"github.com/sallyport-iap/sallyport/controlplane/session"
	"github.com/sallyport-iap/sallyport/controlplane/simulation"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
	"github.com/sallyport-iap/sallyport/controlplane/tenant"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// service is a control plane's API with its database, and people in it: an operator, and the owners of acme and globex.
type service struct {
	db        *store.DB
	log       *logged
	url       string
	changes   *changeset.Service
	apiTokens *apitoken.Service
	operator  *client
	acme      *client
	globex    *client
}

// start runs the API with nobody in it.
func start(t *testing.T) *service {
	t.Helper()
	db := storetest.New(t)
	output := &logged{}
	log := slog.New(slog.NewJSONHandler(output, &slog.HandlerOptions{Level: slog.LevelDebug}))
	t.Cleanup(func() {
		if t.Failed() {
			_, _ = t.Output().Write([]byte(output.String()))
		}
	})
	changes := changeset.New(changeset.Config{DB: db, CheckPool: edgefleet.CheckPool, Now: time.Now})
	authority, err := edgefleet.LoadAuthority(t.Context(), db.System(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	apiTokens := apitoken.New(apitoken.Config{DB: db, Changes: changes, Now: time.Now})
	handler, err := rpc.NewHandler(rpc.Config{
		Authn:           authn.New(authn.Config{DB: db, Now: time.Now, Log: log}),
		Changes:         changes,
		Operations:      operations.New(operations.Config{Changes: changes}),
		Tenants:         tenant.New(tenant.Config{DB: db, Changes: changes}),
		APITokens:       apiTokens,
		ServiceAccounts: serviceaccount.New(serviceaccount.Config{DB: db, Now: time.Now}),
		Sessions:        session.New(session.Config{DB: db}),
		Revocations:     revocation.New(revocation.Config{DB: db, Now: time.Now}),
		Audit:           audit.New(audit.Config{DB: db}),
		Decisions:       decision.New(decision.Config{DB: db, Changes: changes, Now: time.Now}),
		Simulations:     simulation.New(simulation.Config{DB: db, Changes: changes, Now: time.Now}),
		Fleet:           edgefleet.New(edgefleet.Config{DB: db, Authority: authority, Write: changes.PutIn, Now: time.Now, Log: log}),
		Revisions:       revision.New(revision.Config{DB: db, Now: time.Now}),
		Log:             log,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return &service{db: db, log: output, url: server.URL, changes: changes, apiTokens: apiTokens}
}

// logged keeps what is logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// setup runs the API with an operator, two tenants and their owners, all made through the API.
func setup(t *testing.T) *service {
	t.Helper()
	s := start(t)
	bootstrap, err := s.apiTokens.Bootstrap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.operator = s.member(t, s.as(bootstrap), "platform", "op", controlplane.Owner, nil)
	for id, to := range map[string]**client{"acme": &s.acme, "globex": &s.globex} {
		call(t, s.operator.tenants.CreateTenant, &v1.CreateTenantRequest{TenantId: id, Tenant: &v1.Tenant{AuthHost: "auth." + id + ".test"}})
		*to = s.member(t, s.operator, "tenants/"+id, "owner", controlplane.Owner, nil)
	}
	call(t, s.operator.edgePools.CreateEdgePool, &v1.CreateEdgePoolRequest{
		EdgePoolId: "dev",
		EdgePool:   &v1.EdgePool{Tenants: []string{"acme"}, Login: true, AllowedUpstreamCidrs: []string{"127.0.0.0/8", "::1/128"}},
	})
	return s
}

// member makes a member and returns a client with a token of theirs.
func (s *service) member(t *testing.T, by *client, parent, id string, role controlplane.AdminRole, labels map[string]string) *client {
	t.Helper()
	wire := v1.AdminRole(v1.AdminRole_value[string(role)])
	call(t, by.members.CreateMember, &v1.CreateMemberRequest{Parent: parent, MemberId: id, Member: &v1.Member{Role: wire, AppLabels: labels}})
	made := call(t, by.apiTokens.CreateApiToken, &v1.CreateApiTokenRequest{
		Parent: parent, ApiTokenId: id,
		ApiToken: &v1.ApiToken{Member: parent + "/members/" + id, Role: wire},
	})
	return s.as(made.GetSecret())
}

// client speaks to the API with one token.
type client struct {
	token             string
	http              *http.Client
	url               string
	tenants           sallyportv1connect.TenantServiceClient
	identityProviders sallyportv1connect.IdentityProviderServiceClient
	apps              sallyportv1connect.AppServiceClient
	roles             sallyportv1connect.RoleServiceClient
	groups            sallyportv1connect.GroupServiceClient
	policies          sallyportv1connect.PolicyServiceClient
	serviceAccounts   sallyportv1connect.ServiceAccountServiceClient
	members           sallyportv1connect.MemberServiceClient
	apiTokens         sallyportv1connect.ApiTokenServiceClient
	sessions          sallyportv1connect.SessionServiceClient
	revocations       sallyportv1connect.RevocationServiceClient
	revisions         sallyportv1connect.RevisionServiceClient
	configs           sallyportv1connect.ConfigServiceClient
	audit             sallyportv1connect.AuditServiceClient
	decisions         sallyportv1connect.DecisionServiceClient
	edgePools         sallyportv1connect.EdgePoolServiceClient
	edges             sallyportv1connect.EdgeServiceClient
}

// as returns a client with a token; "" sends none.
func (s *service) as(token string, options ...connect.ClientOption) *client {
	h := &http.Client{Transport: bearer{token, http.DefaultTransport}}
	with := connect.WithClientOptions(options...)
	return &client{
		token: token, http: h, url: s.url,
		tenants:           sallyportv1connect.NewTenantServiceClient(h, s.url, with),
		identityProviders: sallyportv1connect.NewIdentityProviderServiceClient(h, s.url, with),
		apps:              sallyportv1connect.NewAppServiceClient(h, s.url, with),
		roles:             sallyportv1connect.NewRoleServiceClient(h, s.url, with),
		groups:            sallyportv1connect.NewGroupServiceClient(h, s.url, with),
		policies:          sallyportv1connect.NewPolicyServiceClient(h, s.url, with),
		serviceAccounts:   sallyportv1connect.NewServiceAccountServiceClient(h, s.url, with),
		members:           sallyportv1connect.NewMemberServiceClient(h, s.url, with),
		apiTokens:         sallyportv1connect.NewApiTokenServiceClient(h, s.url, with),
		sessions:          sallyportv1connect.NewSessionServiceClient(h, s.url, with),
		revocations:       sallyportv1connect.NewRevocationServiceClient(h, s.url, with),
		revisions:         sallyportv1connect.NewRevisionServiceClient(h, s.url, with),
		configs:           sallyportv1connect.NewConfigServiceClient(h, s.url, with),
		audit:             sallyportv1connect.NewAuditServiceClient(h, s.url, with),
		decisions:         sallyportv1connect.NewDecisionServiceClient(h, s.url, with),
		edgePools:         sallyportv1connect.NewEdgePoolServiceClient(h, s.url, with),
		edges:             sallyportv1connect.NewEdgeServiceClient(h, s.url, with),
	}
}

// overHTTP2 returns a client that speaks gRPC, without TLS.
func (s *service) overHTTP2(t *testing.T, token string) *client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	c := s.as(token)
	c.http.Transport = bearer{token, transport}
	with := connect.WithGRPC()
	c.tenants = sallyportv1connect.NewTenantServiceClient(c.http, s.url, with)
	c.apps = sallyportv1connect.NewAppServiceClient(c.http, s.url, with)
	c.audit = sallyportv1connect.NewAuditServiceClient(c.http, s.url, with)
	return c
}

// bearer adds a token to every request.
type bearer struct {
	token string
	base  http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.base.RoundTrip(r)
}

// call wants an RPC to succeed.
func call[Req, Res any](t *testing.T, rpc func(context.Context, *Req) (*Res, error), request *Req) *Res {
	t.Helper()
	response, err := rpc(t.Context(), request)
	if err != nil {
		t.Fatalf("%T: %v", request, err)
	}
	return response
}

// refused wants an RPC to fail with a reason, and returns the details of the error.
func refused[Req, Res any](t *testing.T, rpc func(context.Context, *Req) (*Res, error), request *Req, code connect.Code, reason string) *failure {
	t.Helper()
	_, err := rpc(t.Context(), request)
	f := read(t, err)
	if f.code != code || f.reason != reason {
		t.Fatalf("%T: got %v %s (%v), want %v %s", request, f.code, f.reason, err, code, reason)
	}
	return f
}

// failure is an error as a client sees it.
type failure struct {
	code      connect.Code
	message   string
	reason    string
	metadata  map[string]string
	fields    []string // of the violations
	requestID string
	retry     time.Duration
}

func read(t *testing.T, err error) *failure {
	t.Helper()
	var e *connect.Error
	if !errors.As(err, &e) {
		t.Fatalf("want an error of connect, got %v", err)
	}
	f := &failure{code: e.Code(), message: e.Message()}
	for _, d := range e.Details() {
		value, err := d.Value()
		if err != nil {
			t.Fatal(err)
		}
		switch v := value.(type) {
		case *errdetails.ErrorInfo:
			f.reason, f.metadata = v.GetReason(), v.GetMetadata()
		case *errdetails.BadRequest:
			for _, field := range v.GetFieldViolations() {
				f.fields = append(f.fields, field.GetField())
			}
		case *errdetails.RequestInfo:
			f.requestID = v.GetRequestId()
		case *errdetails.RetryInfo:
			f.retry = v.GetRetryDelay().AsDuration()
		}
	}
	return f
}
