package rpc

import (
	"context"

	"github.com/sallyport-iap/sallyport/controlplane"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// The services whose five methods are the generic ones and nothing else.

type identityProviders struct{ *api }

func (s identityProviders) GetIdentityProvider(ctx context.Context, r *v1.GetIdentityProviderRequest) (*v1.IdentityProvider, error) {
	return get[*v1.IdentityProvider](ctx, s.api, r)
}

func (s identityProviders) ListIdentityProviders(ctx context.Context, r *v1.ListIdentityProvidersRequest) (*v1.ListIdentityProvidersResponse, error) {
	page, next, err := list[*v1.IdentityProvider](ctx, s.api, r)
	return &v1.ListIdentityProvidersResponse{IdentityProviders: page, NextPageToken: next}, err
}

func (s identityProviders) CreateIdentityProvider(ctx context.Context, r *v1.CreateIdentityProviderRequest) (*v1.IdentityProvider, error) {
	return create[*v1.IdentityProvider](ctx, s.api, r)
}

func (s identityProviders) UpdateIdentityProvider(ctx context.Context, r *v1.UpdateIdentityProviderRequest) (*v1.IdentityProvider, error) {
	return update[*v1.IdentityProvider](ctx, s.api, r)
}

func (s identityProviders) DeleteIdentityProvider(ctx context.Context, r *v1.DeleteIdentityProviderRequest) (*v1.DeleteIdentityProviderResponse, error) {
	revision, err := remove(ctx, s.api, controlplane.KindIdentityProvider, r)
	return &v1.DeleteIdentityProviderResponse{Revision: revision}, err
}

type apps struct{ *api }

func (s apps) GetApp(ctx context.Context, r *v1.GetAppRequest) (*v1.App, error) {
	return get[*v1.App](ctx, s.api, r)
}

func (s apps) ListApps(ctx context.Context, r *v1.ListAppsRequest) (*v1.ListAppsResponse, error) {
	page, next, err := list[*v1.App](ctx, s.api, r)
	return &v1.ListAppsResponse{Apps: page, NextPageToken: next}, err
}

func (s apps) CreateApp(ctx context.Context, r *v1.CreateAppRequest) (*v1.App, error) {
	return create[*v1.App](ctx, s.api, r)
}

func (s apps) UpdateApp(ctx context.Context, r *v1.UpdateAppRequest) (*v1.App, error) {
	return update[*v1.App](ctx, s.api, r)
}

func (s apps) DeleteApp(ctx context.Context, r *v1.DeleteAppRequest) (*v1.DeleteAppResponse, error) {
	revision, err := remove(ctx, s.api, controlplane.KindApp, r)
	return &v1.DeleteAppResponse{Revision: revision}, err
}

type roles struct{ *api }

func (s roles) GetRole(ctx context.Context, r *v1.GetRoleRequest) (*v1.Role, error) {
	return get[*v1.Role](ctx, s.api, r)
}

func (s roles) ListRoles(ctx context.Context, r *v1.ListRolesRequest) (*v1.ListRolesResponse, error) {
	page, next, err := list[*v1.Role](ctx, s.api, r)
	return &v1.ListRolesResponse{Roles: page, NextPageToken: next}, err
}

func (s roles) CreateRole(ctx context.Context, r *v1.CreateRoleRequest) (*v1.Role, error) {
	return create[*v1.Role](ctx, s.api, r)
}

func (s roles) UpdateRole(ctx context.Context, r *v1.UpdateRoleRequest) (*v1.Role, error) {
	return update[*v1.Role](ctx, s.api, r)
}

func (s roles) DeleteRole(ctx context.Context, r *v1.DeleteRoleRequest) (*v1.DeleteRoleResponse, error) {
	revision, err := remove(ctx, s.api, controlplane.KindRole, r)
	return &v1.DeleteRoleResponse{Revision: revision}, err
}

type groups struct{ *api }

func (s groups) GetGroup(ctx context.Context, r *v1.GetGroupRequest) (*v1.Group, error) {
	return get[*v1.Group](ctx, s.api, r)
}

func (s groups) ListGroups(ctx context.Context, r *v1.ListGroupsRequest) (*v1.ListGroupsResponse, error) {
	page, next, err := list[*v1.Group](ctx, s.api, r)
	return &v1.ListGroupsResponse{Groups: page, NextPageToken: next}, err
}

func (s groups) CreateGroup(ctx context.Context, r *v1.CreateGroupRequest) (*v1.Group, error) {
	return create[*v1.Group](ctx, s.api, r)
}

func (s groups) UpdateGroup(ctx context.Context, r *v1.UpdateGroupRequest) (*v1.Group, error) {
	return update[*v1.Group](ctx, s.api, r)
}

func (s groups) DeleteGroup(ctx context.Context, r *v1.DeleteGroupRequest) (*v1.DeleteGroupResponse, error) {
	revision, err := remove(ctx, s.api, controlplane.KindGroup, r)
	return &v1.DeleteGroupResponse{Revision: revision}, err
}

type policies struct{ *api }

func (s policies) GetPolicy(ctx context.Context, r *v1.GetPolicyRequest) (*v1.Policy, error) {
	return get[*v1.Policy](ctx, s.api, r)
}

func (s policies) ListPolicies(ctx context.Context, r *v1.ListPoliciesRequest) (*v1.ListPoliciesResponse, error) {
	page, next, err := list[*v1.Policy](ctx, s.api, r)
	return &v1.ListPoliciesResponse{Policies: page, NextPageToken: next}, err
}

func (s policies) CreatePolicy(ctx context.Context, r *v1.CreatePolicyRequest) (*v1.Policy, error) {
	return create[*v1.Policy](ctx, s.api, r)
}

func (s policies) UpdatePolicy(ctx context.Context, r *v1.UpdatePolicyRequest) (*v1.Policy, error) {
	return update[*v1.Policy](ctx, s.api, r)
}

func (s policies) DeletePolicy(ctx context.Context, r *v1.DeletePolicyRequest) (*v1.DeletePolicyResponse, error) {
	revision, err := remove(ctx, s.api, controlplane.KindPolicy, r)
	return &v1.DeletePolicyResponse{Revision: revision}, err
}

type grants struct{ *api }

func (s grants) GetGrant(ctx context.Context, r *v1.GetGrantRequest) (*v1.Grant, error) {
	return get[*v1.Grant](ctx, s.api, r)
}

func (s grants) ListGrants(ctx context.Context, r *v1.ListGrantsRequest) (*v1.ListGrantsResponse, error) {
	page, next, err := list[*v1.Grant](ctx, s.api, r)
	return &v1.ListGrantsResponse{Grants: page, NextPageToken: next}, err
}

func (s grants) CreateGrant(ctx context.Context, r *v1.CreateGrantRequest) (*v1.Grant, error) {
	return create[*v1.Grant](ctx, s.api, r)
}

func (s grants) UpdateGrant(ctx context.Context, r *v1.UpdateGrantRequest) (*v1.Grant, error) {
	return update[*v1.Grant](ctx, s.api, r)
}

func (s grants) DeleteGrant(ctx context.Context, r *v1.DeleteGrantRequest) (*v1.DeleteGrantResponse, error) {
	revision, err := remove(ctx, s.api, controlplane.KindGrant, r)
	return &v1.DeleteGrantResponse{Revision: revision}, err
}

type policyTests struct{ *api }

func (s policyTests) GetPolicyTest(ctx context.Context, r *v1.GetPolicyTestRequest) (*v1.PolicyTest, error) {
	return get[*v1.PolicyTest](ctx, s.api, r)
}

func (s policyTests) ListPolicyTests(ctx context.Context, r *v1.ListPolicyTestsRequest) (*v1.ListPolicyTestsResponse, error) {
	page, next, err := list[*v1.PolicyTest](ctx, s.api, r)
	return &v1.ListPolicyTestsResponse{PolicyTests: page, NextPageToken: next}, err
}

func (s policyTests) CreatePolicyTest(ctx context.Context, r *v1.CreatePolicyTestRequest) (*v1.PolicyTest, error) {
	return create[*v1.PolicyTest](ctx, s.api, r)
}

func (s policyTests) UpdatePolicyTest(ctx context.Context, r *v1.UpdatePolicyTestRequest) (*v1.PolicyTest, error) {
	return update[*v1.PolicyTest](ctx, s.api, r)
}

func (s policyTests) DeletePolicyTest(ctx context.Context, r *v1.DeletePolicyTestRequest) (*v1.DeletePolicyTestResponse, error) {
	revision, err := remove(ctx, s.api, controlplane.KindPolicyTest, r)
	return &v1.DeletePolicyTestResponse{Revision: revision}, err
}

type members struct{ *api }

func (s members) GetMember(ctx context.Context, r *v1.GetMemberRequest) (*v1.Member, error) {
	return get[*v1.Member](ctx, s.api, r)
}

func (s members) ListMembers(ctx context.Context, r *v1.ListMembersRequest) (*v1.ListMembersResponse, error) {
	page, next, err := list[*v1.Member](ctx, s.api, r)
	return &v1.ListMembersResponse{Members: page, NextPageToken: next}, err
}

func (s members) CreateMember(ctx context.Context, r *v1.CreateMemberRequest) (*v1.Member, error) {
	return create[*v1.Member](ctx, s.api, r)
}

func (s members) UpdateMember(ctx context.Context, r *v1.UpdateMemberRequest) (*v1.Member, error) {
	return update[*v1.Member](ctx, s.api, r)
}

func (s members) DeleteMember(ctx context.Context, r *v1.DeleteMemberRequest) (*v1.DeleteMemberResponse, error) {
	revision, err := remove(ctx, s.api, controlplane.KindMember, r)
	return &v1.DeleteMemberResponse{Revision: revision}, err
}

type edgePools struct{ *api }

func (s edgePools) GetEdgePool(ctx context.Context, r *v1.GetEdgePoolRequest) (*v1.EdgePool, error) {
	return get[*v1.EdgePool](ctx, s.api, r)
}

func (s edgePools) ListEdgePools(ctx context.Context, r *v1.ListEdgePoolsRequest) (*v1.ListEdgePoolsResponse, error) {
	page, next, err := list[*v1.EdgePool](ctx, s.api, r)
	return &v1.ListEdgePoolsResponse{EdgePools: page, NextPageToken: next}, err
}

func (s edgePools) CreateEdgePool(ctx context.Context, r *v1.CreateEdgePoolRequest) (*v1.EdgePool, error) {
	return create[*v1.EdgePool](ctx, s.api, r)
}

func (s edgePools) UpdateEdgePool(ctx context.Context, r *v1.UpdateEdgePoolRequest) (*v1.EdgePool, error) {
	return update[*v1.EdgePool](ctx, s.api, r)
}

func (s edgePools) DeleteEdgePool(ctx context.Context, r *v1.DeleteEdgePoolRequest) (*v1.DeleteEdgePoolResponse, error) {
	revision, err := remove(ctx, s.api, controlplane.KindEdgePool, r)
	return &v1.DeleteEdgePoolResponse{Revision: revision}, err
}
