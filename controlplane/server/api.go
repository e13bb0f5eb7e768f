package server

import (
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/grpcreflect"

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
	"github.com/sallyport-iap/sallyport/controlplane/tenant"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// newAPIHandler is what the API port serves: the admin API, and a description of it for tools.
func newAPIHandler(config Config, db *store.DB, changes *changeset.Service, fleet *edgefleet.Fleet, revisions *revision.Service) (http.Handler, error) {
	api, err := rpc.NewHandler(rpc.Config{
		Authn:           authn.New(authn.Config{DB: db, Now: time.Now, Log: config.Log}),
		Changes:         changes,
		Operations:      operations.New(operations.Config{Changes: changes}),
		Tenants:         tenant.New(tenant.Config{DB: db, Changes: changes}),
		APITokens:       apitoken.New(apitoken.Config{DB: db, Changes: changes, Now: time.Now}),
		ServiceAccounts: serviceaccount.New(serviceaccount.Config{DB: db, Now: time.Now}),
		Sessions:        session.New(session.Config{DB: db}),
		Revocations:     revocation.New(revocation.Config{DB: db, Now: time.Now}),
		Audit:           audit.New(audit.Config{DB: db}),
		Decisions:       decision.New(decision.Config{DB: db, Changes: changes, Now: time.Now}),
		Simulations:     simulation.New(simulation.Config{DB: db, Changes: changes, Now: time.Now}),
		Fleet:           fleet,
		Revisions:       revisions,
		Log:             config.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("put the API together: %w", err)
	}
	reflector := grpcreflect.NewStaticReflector(
		v1.TenantServiceName, v1.IdentityProviderServiceName, v1.AppServiceName, v1.RoleServiceName, v1.GroupServiceName,
		v1.PolicyServiceName, v1.GrantServiceName, v1.PolicyTestServiceName, v1.ServiceAccountServiceName, v1.MemberServiceName, v1.ApiTokenServiceName, v1.EdgePoolServiceName,
		v1.EdgeServiceName, v1.SessionServiceName, v1.RevocationServiceName, v1.RevisionServiceName, v1.ConfigServiceName, v1.AuditServiceName,
		v1.DecisionServiceName,
	)
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.Handle(grpcreflect.NewHandlerV1(reflector))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector))
	return mux, nil
}
