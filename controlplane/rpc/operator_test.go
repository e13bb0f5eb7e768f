package rpc_test

import (
	"testing"

	"connectrpc.com/connect"

	"github.com/sallyport-iap/sallyport/controlplane"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

func TestTheBootstrapTokenMakesOneOperator(t *testing.T) {
	t.Parallel()
	s := start(t)
	secret, err := s.apiTokens.Bootstrap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := s.as(secret)
	secret, err = s.apiTokens.Bootstrap(t.Context())
	if err != nil {
		t.Fatalf("a second one before there is an operator: %v", err)
	}
	second := s.as(secret)

	refused(t, first.members.ListMembers, &v1.ListMembersRequest{Parent: "platform"}, connect.CodeUnauthenticated, "TOKEN_INVALID")
	refused(t, second.tenants.CreateTenant, &v1.CreateTenantRequest{TenantId: "acme", Tenant: &v1.Tenant{AuthHost: "auth.acme.test"}},
		connect.CodePermissionDenied, "ROLE_REQUIRED")
	call(t, second.members.CreateMember, &v1.CreateMemberRequest{Parent: "platform", MemberId: "viewer", Member: &v1.Member{Role: v1.AdminRole_ADMIN_ROLE_VIEWER}})
	refused(t, second.apiTokens.CreateApiToken, &v1.CreateApiTokenRequest{
		Parent: "platform", ApiTokenId: "viewer",
		ApiToken: &v1.ApiToken{Member: "platform/members/viewer", Role: v1.AdminRole_ADMIN_ROLE_VIEWER},
	}, connect.CodeInvalidArgument, "FIELD_INVALID")

	operator := s.member(t, second, "platform", "op", controlplane.Owner, nil)
	call(t, operator.members.ListMembers, &v1.ListMembersRequest{Parent: "platform"})
	refused(t, second.members.ListMembers, &v1.ListMembersRequest{Parent: "platform"}, connect.CodeUnauthenticated, "TOKEN_INVALID")
	if _, err := s.apiTokens.Bootstrap(t.Context()); controlplane.KindOf(err) != controlplane.Precondition {
		t.Errorf("a bootstrap token although there is an operator: %v", err)
	}
	for _, m := range call(t, operator.members.ListMembers, &v1.ListMembersRequest{Parent: "platform"}).GetMembers() {
		if m.GetName() == "platform/members/bootstrap" {
			t.Error("the bootstrap member outlives its use")
		}
	}

	secret, err = s.apiTokens.Recover(t.Context())
	if err != nil {
		t.Fatalf("the operator's token is lost: %v", err)
	}
	again := s.member(t, s.as(secret), "platform", "again", controlplane.Owner, nil)
	call(t, again.members.ListMembers, &v1.ListMembersRequest{Parent: "platform"})
	refused(t, s.as(secret).members.ListMembers, &v1.ListMembersRequest{Parent: "platform"}, connect.CodeUnauthenticated, "TOKEN_INVALID")
}

func TestTheBootstrapTokenEntersNoTenant(t *testing.T) {
	t.Parallel()
	s := setup(t)
	secret, err := s.apiTokens.Recover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bootstrap := s.as(secret)
	for _, tenant := range []string{"tenants/acme", "tenants/nowhere"} {
		refused(t, bootstrap.members.ListMembers, &v1.ListMembersRequest{Parent: tenant}, connect.CodeNotFound, "NOT_FOUND")
		refused(t, bootstrap.members.GetMember, &v1.GetMemberRequest{Name: tenant + "/members/ann"}, connect.CodeNotFound, "NOT_FOUND")
		refused(t, bootstrap.members.CreateMember, &v1.CreateMemberRequest{
			Parent: tenant, MemberId: "evil", Member: &v1.Member{Role: v1.AdminRole_ADMIN_ROLE_OWNER},
		}, connect.CodeNotFound, "NOT_FOUND")
		refused(t, bootstrap.apiTokens.CreateApiToken, &v1.CreateApiTokenRequest{
			Parent: tenant, ApiTokenId: "evil",
			ApiToken: &v1.ApiToken{Member: tenant + "/members/evil", Role: v1.AdminRole_ADMIN_ROLE_OWNER},
		}, connect.CodeNotFound, "NOT_FOUND")
	}
	call(t, bootstrap.members.ListMembers, &v1.ListMembersRequest{Parent: "platform"})
}

func TestSetup(t *testing.T) {
	t.Parallel()
	s := setup(t)
	got := call(t, s.acme.tenants.GetTenant, &v1.GetTenantRequest{Name: "tenants/acme"})
	if got.GetAuthHost() != "auth.acme.test" || got.GetUid() == "" || got.GetEtag() == "" || got.GetRevision() != "c1" || got.GetCreateTime() == nil {
		t.Errorf("tenant: %v", got)
	}
}
