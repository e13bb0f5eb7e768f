package rpc_test

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/token"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// ask makes a call with the given Authorization lines and returns status and body.
func (s *service) ask(t *testing.T, authorization ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/sallyport.v1.TenantService/GetTenant", strings.NewReader(`{"name":"tenants/acme"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Authorization"] = authorization
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Request-Id", "test")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// forged returns a token with somebody's id, another secret and the right checksum.
func forged(of string) string {
	return withChecksum(of[:15] + token.Mint(token.API).Text()[15:58])
}

// withChecksum completes a token, as package token says.
func withChecksum(body string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(body)))
	return body + "_" + base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestCredentialsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := setup(t)
	good := s.acme.token
	if status, body := s.ask(t, "Bearer "+good); status != http.StatusOK {
		t.Fatalf("a good one: %d %s", status, body)
	}
	_, unknown := s.ask(t, "Bearer "+token.Mint(token.API).Text())
	if !strings.Contains(unknown, "TOKEN_INVALID") {
		t.Errorf("unknown: %s", unknown)
	}
	for name, authorization := range map[string][]string{
		"wrong secret":     {"Bearer " + forged(good)},
		"cut":              {"Bearer " + good[:40]},
		"another prefix":   {"Bearer " + token.Mint(token.Service).Text()},
		"a bootstrap":      {"Bearer " + token.Mint(token.Bootstrap).Text()},
		"its own, as spo_": {"Bearer " + withChecksum("spo"+good[3:58])},
		"another scheme":   {"Basic " + good},
		"no scheme":        {good},
		"two":              {"Bearer " + good, "Bearer " + good},
		"two in one":       {"Bearer " + good + ", Bearer " + good},
		"empty":            {""},
		"huge":             {"Bearer spa_" + strings.Repeat("a", 20000)},
	} {
		if _, body := s.ask(t, authorization...); body != unknown {
			t.Errorf("%s: %s\nunknown: %s", name, body, unknown)
		}
	}
	if status, body := s.ask(t); status != http.StatusUnauthorized || !strings.Contains(body, "TOKEN_MISSING") {
		t.Errorf("none: %d %s", status, body)
	}
	if status, _ := s.ask(t, "bearer "+good); status != http.StatusOK {
		t.Error("the scheme is not case-insensitive (RFC 9110, 11.1)")
	}
}

func TestGuessingIsLimited(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.ask(t, "Bearer "+s.acme.token)
	limited := false
	for range 200 {
		status, body := s.ask(t, "Bearer "+token.Mint(token.API).Text())
		if status == http.StatusTooManyRequests {
			limited = strings.Contains(body, "RATE") && strings.Contains(body, "RetryInfo")
		}
	}
	if !limited {
		t.Error("200 guesses in a row are all looked at")
	}
	// While the limit holds, too, an unknown id and a wrong secret are the same. It gives way to one more now and then.
	same := false
	for range 50 {
		unknown, text := s.ask(t, "Bearer "+token.Mint(token.API).Text())
		wrong, other := s.ask(t, "Bearer "+forged(s.acme.token))
		if unknown == wrong && unknown == http.StatusTooManyRequests {
			same = text == other
			break
		}
	}
	if !same {
		t.Error("which ids there are can be told by the limit")
	}
	if status, body := s.ask(t, "Bearer "+s.acme.token); status != http.StatusOK {
		t.Errorf("a token that was good is locked out by somebody's guesses: %d %s", status, body)
	}
}

func TestATokenIsNeverMoreThanItsMember(t *testing.T) {
	t.Parallel()
	s := setup(t)
	admin := s.member(t, s.acme, "tenants/acme", "ann", controlplane.Admin, nil)
	group := &v1.CreateGroupRequest{Parent: "tenants/acme", GroupId: "g", Group: &v1.Group{Members: []*v1.GroupMember{{Member: &v1.GroupMember_User{User: "a@b.test"}}}}, ValidateOnly: true}
	call(t, admin.groups.CreateGroup, group)

	call(t, s.acme.members.UpdateMember, &v1.UpdateMemberRequest{Member: &v1.Member{Name: "tenants/acme/members/ann", Role: v1.AdminRole_ADMIN_ROLE_VIEWER}})
	f := refused(t, admin.groups.CreateGroup, group, connect.CodePermissionDenied, "ROLE_REQUIRED")
	if f.metadata["role"] != "ADMIN_ROLE_ADMIN" {
		t.Errorf("which role is required: %v", f.metadata)
	}
	call(t, admin.groups.ListGroups, &v1.ListGroupsRequest{Parent: "tenants/acme"})

	// Nor does it outlive its deletion.
	refused(t, s.acme.members.DeleteMember, &v1.DeleteMemberRequest{Name: "tenants/acme/members/ann"}, connect.CodeFailedPrecondition, "IN_USE")
	call(t, s.acme.apiTokens.DeleteApiToken, &v1.DeleteApiTokenRequest{Name: "tenants/acme/apiTokens/ann"})
	refused(t, admin.groups.ListGroups, &v1.ListGroupsRequest{Parent: "tenants/acme"}, connect.CodeUnauthenticated, "TOKEN_INVALID")
	call(t, s.acme.members.DeleteMember, &v1.DeleteMemberRequest{Name: "tenants/acme/members/ann"})
}

func TestNobodyGrantsAboveTheirOwnRole(t *testing.T) {
	t.Parallel()
	s := setup(t)
	admin := s.member(t, s.acme, "tenants/acme", "ann", controlplane.Admin, nil)
	owner := v1.AdminRole_ADMIN_ROLE_OWNER
	denied := func(err error) {
		t.Helper()
		if f := read(t, err); f.code != connect.CodePermissionDenied || f.reason != "ROLE_REQUIRED" {
			t.Errorf("got %+v", f)
		}
	}
	ctx := t.Context()
	_, err := admin.members.CreateMember(ctx, &v1.CreateMemberRequest{Parent: "tenants/acme", MemberId: "x", Member: &v1.Member{Role: owner}})
	denied(err)
	_, err = admin.members.UpdateMember(ctx, &v1.UpdateMemberRequest{Member: &v1.Member{Name: "tenants/acme/members/ann", Role: owner}})
	denied(err)
	_, err = admin.members.UpdateMember(ctx, &v1.UpdateMemberRequest{Member: &v1.Member{Name: "tenants/acme/members/owner", Role: v1.AdminRole_ADMIN_ROLE_VIEWER}})
	denied(err)
	_, err = admin.members.DeleteMember(ctx, &v1.DeleteMemberRequest{Name: "tenants/acme/members/owner"})
	denied(err)
	_, err = admin.apiTokens.CreateApiToken(ctx, &v1.CreateApiTokenRequest{Parent: "tenants/acme", ApiTokenId: "x", ApiToken: &v1.ApiToken{Member: "tenants/acme/members/ann", Role: owner}})
	denied(err)
	_, err = admin.apiTokens.CreateApiToken(ctx, &v1.CreateApiTokenRequest{Parent: "tenants/acme", ApiTokenId: "x", ApiToken: &v1.ApiToken{Member: "tenants/acme/members/owner", Role: v1.AdminRole_ADMIN_ROLE_VIEWER}})
	denied(err)
	_, err = admin.apiTokens.DeleteApiToken(ctx, &v1.DeleteApiTokenRequest{Name: "tenants/acme/apiTokens/owner"})
	denied(err)
	_, err = admin.configs.Apply(ctx, &v1.ApplyRequest{Parent: "tenants/acme", Resources: pack(t, &v1.Member{Name: "tenants/acme/members/x", Role: owner})})
	denied(err)
	// What an Apply leaves as it is needs no permission.
	exported := call(t, admin.configs.Export, &v1.ExportRequest{Parent: "tenants/acme"})
	call(t, admin.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: exported.GetResources()})
	call(t, admin.members.CreateMember, &v1.CreateMemberRequest{Parent: "tenants/acme", MemberId: "bob", Member: &v1.Member{Role: v1.AdminRole_ADMIN_ROLE_ADMIN}})
}

func TestTheLastOwnerStays(t *testing.T) {
	t.Parallel()
	s := setup(t)
	own := &v1.UpdateMemberRequest{Member: &v1.Member{Name: "tenants/acme/members/owner", Role: v1.AdminRole_ADMIN_ROLE_ADMIN}}
	refused(t, s.acme.members.UpdateMember, own, connect.CodeFailedPrecondition, "LAST_OWNER")
	refused(t, s.operator.members.UpdateMember, &v1.UpdateMemberRequest{Member: &v1.Member{Name: "platform/members/op", Role: v1.AdminRole_ADMIN_ROLE_VIEWER}},
		connect.CodeFailedPrecondition, "LAST_OWNER")
	call(t, s.acme.members.CreateMember, &v1.CreateMemberRequest{Parent: "tenants/acme", MemberId: "second", Member: &v1.Member{Role: v1.AdminRole_ADMIN_ROLE_OWNER}})
	call(t, s.acme.members.UpdateMember, own)
	// In one set, one may take over from the other.
	call(t, s.operator.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: pack(t,
		&v1.Member{Name: "tenants/acme/members/second", Role: v1.AdminRole_ADMIN_ROLE_VIEWER},
		&v1.Member{Name: "tenants/acme/members/owner", Role: v1.AdminRole_ADMIN_ROLE_OWNER})})
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	s := setup(t)
	create := func(expires time.Time) *v1.CreateApiTokenRequest {
		return &v1.CreateApiTokenRequest{Parent: "tenants/acme", ApiTokenId: "x", ApiToken: &v1.ApiToken{
			Member: "tenants/acme/members/owner",
			Role:   v1.AdminRole_ADMIN_ROLE_OWNER, ExpireTime: timestamppb.New(expires),
		}}
	}
	for name, at := range map[string]time.Time{"past": time.Now().Add(-time.Minute), "now": time.Now(), "too far": time.Now().Add(367 * 24 * time.Hour)} {
		f := refused(t, s.acme.apiTokens.CreateApiToken, create(at), connect.CodeInvalidArgument, "FIELD_INVALID")
		if len(f.fields) != 1 || f.fields[0] != "api_token.expire_time" {
			t.Errorf("%s: %v", name, f.fields)
		}
	}
	dry := create(time.Now().Add(time.Hour))
	dry.ValidateOnly = true
	if made := call(t, s.acme.apiTokens.CreateApiToken, dry); made.GetSecret() != "" {
		t.Error("a dry run made a secret")
	}
	got := call(t, s.acme.apiTokens.GetApiToken, &v1.GetApiTokenRequest{Name: "tenants/acme/apiTokens/owner"})
	if d := time.Until(got.GetExpireTime().AsTime()); d < 89*24*time.Hour || d > 90*24*time.Hour {
		t.Errorf("without a time it lives for %v", d)
	}
	refused(t, s.acme.apiTokens.CreateApiToken, &v1.CreateApiTokenRequest{
		Parent: "tenants/acme", ApiTokenId: "x",
		ApiToken: &v1.ApiToken{Member: "tenants/globex/members/owner", Role: v1.AdminRole_ADMIN_ROLE_VIEWER},
	}, connect.CodeInvalidArgument, "FIELD_INVALID")
}

func TestServiceAccountTokens(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const account = "tenants/acme/serviceAccounts/ci"
	before := call(t, s.acme.serviceAccounts.CreateServiceAccount, &v1.CreateServiceAccountRequest{Parent: "tenants/acme", ServiceAccountId: "ci", ServiceAccount: &v1.ServiceAccount{}})
	create := &v1.CreateServiceAccountTokenRequest{Parent: account, Lifetime: durationpb.New(time.Hour), RequestId: "once"}
	made := call(t, s.acme.serviceAccounts.CreateServiceAccountToken, create)
	if _, ok := token.Parse(token.Service, made.GetSecret()); !ok {
		t.Error("the secret is no token")
	}
	if made.GetRevision() == before.GetRevision() || made.GetRevision() == "" {
		t.Errorf("made at %q: edges have to be told", made.GetRevision())
	}
	f := refused(t, s.acme.serviceAccounts.CreateServiceAccountToken, create, connect.CodeAlreadyExists, "ID_TAKEN")
	if !strings.HasSuffix(made.GetToken().GetName(), "/"+f.metadata["token"]) {
		t.Errorf("a retry does not name the token: %+v", f)
	}
	second := call(t, s.acme.serviceAccounts.CreateServiceAccountToken, &v1.CreateServiceAccountTokenRequest{Parent: account})
	listed := call(t, s.acme.serviceAccounts.ListServiceAccountTokens, &v1.ListServiceAccountTokensRequest{Parent: account}).GetTokens()
	if len(listed) != 2 || listed[0].GetName() != second.GetToken().GetName() {
		t.Errorf("listed %v", listed)
	}
	if got := call(t, s.acme.serviceAccounts.GetServiceAccount, &v1.GetServiceAccountRequest{Name: account}); got.GetEtag() != before.GetEtag() {
		t.Error("a token is not part of what users write, and yet the etag changed")
	}

	ended := call(t, s.acme.serviceAccounts.RevokeServiceAccountToken, &v1.RevokeServiceAccountTokenRequest{Name: made.GetToken().GetName()})
	again := call(t, s.acme.serviceAccounts.RevokeServiceAccountToken, &v1.RevokeServiceAccountTokenRequest{Name: made.GetToken().GetName()})
	if !strings.HasPrefix(ended.GetRevision(), "u") || again.GetRevision() != ended.GetRevision() {
		t.Errorf("revoked at %q, again at %q", ended.GetRevision(), again.GetRevision())
	}
	for _, listed := range call(t, s.acme.serviceAccounts.ListServiceAccountTokens, &v1.ListServiceAccountTokensRequest{Parent: account}).GetTokens() {
		if revoked := listed.GetRevokeTime() != nil; revoked != (listed.GetName() == made.GetToken().GetName()) {
			t.Errorf("revoked %v: %v", revoked, listed)
		}
	}
	for _, name := range []string{account + "/tokens/none", account + "/tokens/", account, "tenants/acme/serviceAccounts/none/tokens/x"} {
		_, err := s.acme.serviceAccounts.RevokeServiceAccountToken(t.Context(), &v1.RevokeServiceAccountTokenRequest{Name: name})
		if code := connect.CodeOf(err); code != connect.CodeNotFound && code != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAccountHasAHundredTokens(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const account = "tenants/acme/serviceAccounts/ci"
	call(t, s.acme.serviceAccounts.CreateServiceAccount, &v1.CreateServiceAccountRequest{Parent: "tenants/acme", ServiceAccountId: "ci", ServiceAccount: &v1.ServiceAccount{}})
	for range 100 {
		call(t, s.acme.serviceAccounts.CreateServiceAccountToken, &v1.CreateServiceAccountTokenRequest{Parent: account})
	}
	f := refused(t, s.acme.serviceAccounts.CreateServiceAccountToken, &v1.CreateServiceAccountTokenRequest{Parent: account}, connect.CodeResourceExhausted, "QUOTA")
	if f.metadata["quota"] != "service-account-tokens" || f.metadata["limit"] != "100" {
		t.Errorf("which quota: %v", f.metadata)
	}
	listed := call(t, s.acme.serviceAccounts.ListServiceAccountTokens, &v1.ListServiceAccountTokensRequest{Parent: account}).GetTokens()
	call(t, s.acme.serviceAccounts.RevokeServiceAccountToken, &v1.RevokeServiceAccountTokenRequest{Name: listed[0].GetName()})
	call(t, s.acme.serviceAccounts.CreateServiceAccountToken, &v1.CreateServiceAccountTokenRequest{Parent: account})
}
