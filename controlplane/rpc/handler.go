package rpc

import (
	"context"
	"log/slog"
	"net/http"

	"connectrpc.com/connect"

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
	"github.com/sallyport-iap/sallyport/controlplane/serviceaccount"
	"github.com/sallyport-iap/sallyport/controlplane/session"
	"github.com/sallyport-iap/sallyport/controlplane/simulation"
	"github.com/sallyport-iap/sallyport/controlplane/tenant"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// Config is the use cases that the API offers, and where it logs.
type Config struct {
	Authn           *authn.Authenticator
	Changes         *changeset.Service
	Operations      *operations.Service
	Tenants         *tenant.Service
	APITokens       *apitoken.Service
	ServiceAccounts *serviceaccount.Service
	Sessions        *session.Service
	Revocations     *revocation.Service
	Audit           *audit.Service
	Decisions       *decision.Service
	Simulations     *simulation.Service
	Fleet           *edgefleet.Fleet
	Revisions       *revision.Service
	Log             *slog.Logger
}

// api is what all handlers share.
type api struct {
	Config
	validator *validator
}

// NewHandler serves the admin API below /sallyport.v1.*Service/. It fails if an RPC has no entry in the permission table.
//
// What a request goes through, outermost first, and why in this order:
//
//	identified   everything after it can name the request
//	logged       sees every end of a request, refused and panicked ones too
//	recovered    a panic becomes an answer before it is logged
//	sameOrigin   a browser on another site gets no further; nothing has been read
//	limited      bytes and time are bounded before the first byte of the body is read
//	authenticate a gate of connect's: before decoding, so a stranger cannot make us parse anything
//	permit       likewise, by the procedure alone: whoever may not call it learns nothing from how it would have answered
//	decoding     within the limits; JSON and binary alike leave unknown fields to be refused
//	errors       the only place where errors go out; around everything below
//	unknown      a field that we do not know is refused before what we do know is acted on
//	rules        the protos' own
//	handler      caller, use case, convert
func NewHandler(config Config) (http.Handler, error) {
	if err := checkRules(); err != nil {
		return nil, err
	}
	rules, err := newValidator()
	if err != nil {
		return nil, err
	}
	a := &api{Config: config, validator: rules}
	mux := http.NewServeMux()
	a.mount(mux)
	return identified(logged(config.Log, recovered(sameOrigin(limited(mux))))), nil
}

func (a *api) mount(mux *http.ServeMux) {
	options := connect.WithHandlerOptions(
		connect.WithCodec(strictJSON{"json"}),
		connect.WithCodec(strictJSON{"json; charset=utf-8"}),
		connect.WithConditionalHandlerOptions(func(spec connect.Spec) []connect.HandlerOption {
			return []connect.HandlerOption{connect.WithReadMaxBytes(maxBytes(spec.Procedure))}
		}),
		connect.WithRequestGate(a.authenticate),
		connect.WithRequestGate(a.permit),
		connect.WithInterceptors(&interceptor{validator: a.validator}),
	)
	mux.Handle(v1.NewTenantServiceHandler(tenants{a}, options))
	mux.Handle(v1.NewIdentityProviderServiceHandler(identityProviders{a}, options))
	mux.Handle(v1.NewAppServiceHandler(apps{a}, options))
	mux.Handle(v1.NewRoleServiceHandler(roles{a}, options))
	mux.Handle(v1.NewGroupServiceHandler(groups{a}, options))
	mux.Handle(v1.NewPolicyServiceHandler(policies{a}, options))
	mux.Handle(v1.NewGrantServiceHandler(grants{a}, options))
	mux.Handle(v1.NewPolicyTestServiceHandler(policyTests{a}, options))
	mux.Handle(v1.NewServiceAccountServiceHandler(serviceAccounts{a}, options))
	mux.Handle(v1.NewMemberServiceHandler(members{a}, options))
	mux.Handle(v1.NewApiTokenServiceHandler(apiTokens{a}, options))
	mux.Handle(v1.NewSessionServiceHandler(sessions{a}, options))
	mux.Handle(v1.NewRevocationServiceHandler(revocations{a}, options))
	mux.Handle(v1.NewRevisionServiceHandler(revisions{a}, options))
	mux.Handle(v1.NewConfigServiceHandler(configs{a}, options))
	mux.Handle(v1.NewAuditServiceHandler(audits{a}, options))
	mux.Handle(v1.NewDecisionServiceHandler(decisions{a}, options))
	mux.Handle(v1.NewEdgePoolServiceHandler(edgePools{a}, options))
	mux.Handle(v1.NewEdgeServiceHandler(edges{a}, options))
}

// sameOrigin refuses what a browser sends for another site's page. Bearer tokens are not sent by themselves, so this is
// the second line, and the first once the console has sessions.
func sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	errorWriter := connect.NewErrorWriter()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = errorWriter.Write(w, r, eventOf(r.Context()).fail(&controlplane.Error{
			Kind: controlplane.Denied, Reason: "CROSS_ORIGIN",
			Message: "cross-origin requests are refused",
		})) // who does not read the refusal is refused all the same
	}))
	return protection.Handler(next)
}

// authenticate finds out who calls.
func (a *api) authenticate(ctx context.Context, spec connect.Spec, _ connect.Peer, header http.Header) (context.Context, error) {
	e := eventOf(ctx)
	caller, err := a.Authn.Authenticate(ctx, header.Values("Authorization"), e.ip)
	if err != nil {
		return nil, e.fail(err)
	}
	caller.IP, caller.RequestID, caller.Method = e.ip.String(), e.requestID, e.procedure
	e.caller = caller
	e.again = func(ctx context.Context) (*controlplane.Caller, error) {
		caller, err := a.Authn.Authenticate(ctx, header.Values("Authorization"), e.ip)
		if err != nil {
			return nil, err
		}
		return caller, permit(caller, spec.Procedure)
	}
	return ctx, nil
}

// permit refuses whoever may not make the call at all.
func (a *api) permit(ctx context.Context, spec connect.Spec, _ connect.Peer, _ http.Header) (context.Context, error) {
	e := eventOf(ctx)
	if err := permit(e.caller, spec.Procedure); err != nil {
		return nil, e.fail(err)
	}
	return ctx, nil
}
