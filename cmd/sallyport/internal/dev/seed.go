package dev

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// seed brings the control plane to where the demo begins, through its API. Each step looks first at what is there, so
// that a start that was killed goes on where it stopped, and a second start finds everything done.
type seed struct {
	config    Config
	keep      *credentials
	bootstrap func(context.Context) (string, error) // a token that may make the first operator
	// clientSecret is what the demo's resources say to the identity provider.
	clientSecret string

	operator *api.Client
	admins   map[string]*api.Client // by tenant
}

// platform is the parent of what belongs to the operator.
const platform = "platform"

// plant does everything that the API can do without edges.
func (s *seed) plant(ctx context.Context) error {
	if err := s.makeOperator(ctx); err != nil {
		return fmt.Errorf("make the operator: %w", err)
	}
	for _, t := range tenants() {
		if err := s.makeTenant(ctx, t); err != nil {
			return fmt.Errorf("make the tenant %s: %w", t.id, err)
		}
	}
	if err := s.apply(ctx, s.operator, "platform.yaml", platform); err != nil {
		return err
	}
	s.admins = map[string]*api.Client{}
	for _, t := range tenants() {
		if err := s.makeAdmin(ctx, t); err != nil {
			return fmt.Errorf("make the admin of %s: %w", t.id, err)
		}
		if err := s.apply(ctx, s.admins[t.id], t.id+".yaml", "tenants/"+t.id); err != nil {
			return err
		}
	}
	if err := s.makeServiceToken(ctx); err != nil {
		return fmt.Errorf("make the token of %s: %w", robot, err)
	}
	return nil
}

// makeOperator takes the operator's token of the last start. Without a good one, it makes one as on any deployment: with
// a bootstrap token, which whoever has the database and the deployment's key can have made.
func (s *seed) makeOperator(ctx context.Context) error {
	client, ok, err := s.known(ctx, s.keep.Operator, platform)
	if ok || err != nil {
		s.operator = client
		return err
	}
	secret, err := s.bootstrap(ctx)
	if err != nil {
		return err
	}
	first, err := s.client(secret)
	if err != nil {
		return err
	}
	made, err := makeOwner(ctx, first, platform, "operator")
	if err != nil {
		return err
	}
	s.keep.Operator = made.GetSecret()
	if err := s.keep.save(); err != nil {
		return err
	}
	if s.operator, err = s.client(s.keep.Operator); err != nil {
		return err
	}
	return forgetOthers(ctx, s.operator, platform, made.GetApiToken())
}

func (s *seed) makeTenant(ctx context.Context, t tenant) error {
	service := sallyportv1connect.NewTenantServiceClient(s.operator.HTTP, s.operator.URL)
	_, err := service.GetTenant(ctx, &sallyportv1.GetTenantRequest{Name: "tenants/" + t.id})
	if connect.CodeOf(err) != connect.CodeNotFound {
		return err
	}
	// What was applied last was applied to another database.
	delete(s.keep.Applied, t.id+".yaml")
	delete(s.keep.Applied, "platform.yaml")
	_, err = service.CreateTenant(ctx, &sallyportv1.CreateTenantRequest{
		TenantId: t.id, Tenant: &sallyportv1.Tenant{DisplayName: t.name, AuthHost: t.host("auth")},
	})
	return err
}

// makeAdmin takes the tenant's token of the last start, or has the operator make one.
func (s *seed) makeAdmin(ctx context.Context, t tenant) error {
	parent := "tenants/" + t.id
	client, ok, err := s.known(ctx, s.keep.Admins[t.id], parent)
	if ok || err != nil {
		s.admins[t.id] = client
		return err
	}
	made, err := makeOwner(ctx, s.operator, parent, "owner")
	if err != nil {
		return err
	}
	s.keep.Admins[t.id] = made.GetSecret()
	if err := s.keep.save(); err != nil {
		return err
	}
	if s.admins[t.id], err = s.client(made.GetSecret()); err != nil {
		return err
	}
	return forgetOthers(ctx, s.operator, parent, made.GetApiToken())
}
