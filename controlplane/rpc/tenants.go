package rpc

import (
	"context"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/tenant"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// tenants differ from other kinds in that making one makes the place that it is in.
type tenants struct{ *api }

func (s tenants) GetTenant(ctx context.Context, r *v1.GetTenantRequest) (*v1.Tenant, error) {
	return get[*v1.Tenant](ctx, s.api, r)
}

func (s tenants) ListTenants(ctx context.Context, r *v1.ListTenantsRequest) (*v1.ListTenantsResponse, error) {
	from, err := after("tenants", r.GetPageToken())
	if err != nil {
		return nil, err
	}
	limit := size(r.GetPageSize())
	found, err := s.Tenants.List(ctx, callerOf(ctx), from, limit+1)
	if err != nil {
		return nil, err
	}
	page, token := next("tenants", found, limit, func(t tenant.Found) string { return t.Scope.ID })
	response := &v1.ListTenantsResponse{NextPageToken: token}
	for _, t := range page {
		m, err := encodeAs[*v1.Tenant](t.Scope, t.Resource)
		if err != nil {
			return nil, err
		}
		response.Tenants = append(response.Tenants, m)
	}
	return response, nil
}

func (s tenants) CreateTenant(ctx context.Context, r *v1.CreateTenantRequest) (*v1.Tenant, error) {
	if r.GetParent() != "" {
		return nil, invalidEmpty("parent")
	}
	set, err := s.creation(ctx, controlplane.Scope{}, controlplane.KindTenant, r)
	if err != nil {
		return nil, err
	}
	return apply[*v1.Tenant](ctx, set, s.Tenants.Create)
}

func (s tenants) UpdateTenant(ctx context.Context, r *v1.UpdateTenantRequest) (*v1.Tenant, error) {
	m, err := update[*v1.Tenant](ctx, s.api, r)
	if !r.GetAllowMissing() || controlplane.KindOf(err) != controlplane.NotFound || !callerOf(ctx).Operator() {
		return m, err
	}
	name, err := controlplane.ParseName(r.GetTenant().GetName())
	if err != nil {
		return nil, err
	}
	set := s.setOfOne(ctx, controlplane.Scope{}, r, changeset.Item{Kind: controlplane.KindTenant, ID: name.ID, At: "tenant", Action: changeset.Create})
	set.Items[0].Write = func(*controlplane.Resource) (changeset.Desired, error) {
		return s.desired(name.ID, "tenant", r.GetTenant())
	}
	return apply[*v1.Tenant](ctx, set, s.Tenants.Create)
}

func (s tenants) DeleteTenant(ctx context.Context, r *v1.DeleteTenantRequest) (*v1.DeleteTenantResponse, error) {
	name, err := controlplane.ParseName(r.GetName())
	if err != nil || name.Kind != controlplane.KindTenant {
		return nil, invalidName("name", form(controlplane.KindTenant))
	}
	revision, err := s.Tenants.Delete(ctx, callerOf(ctx), tenant.Removal{
		ID: name.ID, Etag: r.GetEtag(), AllowMissing: r.GetAllowMissing(),
		ValidateOnly: r.GetValidateOnly(), RequestID: r.GetRequestId(), Digest: digest(ctx, r),
	})
	return &v1.DeleteTenantResponse{Revision: revision}, err
}
