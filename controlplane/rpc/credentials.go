package rpc

import (
	"context"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/serviceaccount"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

type apiTokens struct{ *api }

func (s apiTokens) GetApiToken(ctx context.Context, r *v1.GetApiTokenRequest) (*v1.ApiToken, error) {
	return get[*v1.ApiToken](ctx, s.api, r)
}

func (s apiTokens) ListApiTokens(ctx context.Context, r *v1.ListApiTokensRequest) (*v1.ListApiTokensResponse, error) {
	page, next, err := list[*v1.ApiToken](ctx, s.api, r)
	return &v1.ListApiTokensResponse{ApiTokens: page, NextPageToken: next}, err
}

func (s apiTokens) DeleteApiToken(ctx context.Context, r *v1.DeleteApiTokenRequest) (*v1.DeleteApiTokenResponse, error) {
	revision, err := remove(ctx, s.api, controlplane.KindAPIToken, r)
	return &v1.DeleteApiTokenResponse{Revision: revision}, err
}

// CreateApiToken has no request id: to remember its answer would be to keep the secret.
func (s apiTokens) CreateApiToken(ctx context.Context, r *v1.CreateApiTokenRequest) (*v1.CreateApiTokenResponse, error) {
	scope, _, err := s.parentOf(ctx, controlplane.KindAPIToken, r.GetParent())
	if err != nil {
		return nil, err
	}
	patch, err := resourceIn(r, controlplane.KindAPIToken)
	if err != nil {
		return nil, err
	}
	set := &changeset.Set{Scope: scope, ValidateOnly: r.GetValidateOnly(), Items: []changeset.Item{{
		Kind: controlplane.KindAPIToken, ID: r.GetApiTokenId(), At: "api_token", Action: changeset.Create,
		Write: func(*controlplane.Resource) (changeset.Desired, error) {
			return s.desired(r.GetApiTokenId(), "api_token", patch)
		},
	}}}
	made, secret, err := s.APITokens.Create(ctx, callerOf(ctx), set)
	if err != nil {
		return nil, err
	}
	message, err := encodeAs[*v1.ApiToken](scope, made)
	return &v1.CreateApiTokenResponse{ApiToken: message, Secret: secret}, err
}

type serviceAccounts struct{ *api }

func (s serviceAccounts) GetServiceAccount(ctx context.Context, r *v1.GetServiceAccountRequest) (*v1.ServiceAccount, error) {
	return get[*v1.ServiceAccount](ctx, s.api, r)
}

func (s serviceAccounts) ListServiceAccounts(ctx context.Context, r *v1.ListServiceAccountsRequest) (*v1.ListServiceAccountsResponse, error) {
	page, next, err := list[*v1.ServiceAccount](ctx, s.api, r)
	return &v1.ListServiceAccountsResponse{ServiceAccounts: page, NextPageToken: next}, err
}

func (s serviceAccounts) CreateServiceAccount(ctx context.Context, r *v1.CreateServiceAccountRequest) (*v1.ServiceAccount, error) {
	return create[*v1.ServiceAccount](ctx, s.api, r)
}

func (s serviceAccounts) UpdateServiceAccount(ctx context.Context, r *v1.UpdateServiceAccountRequest) (*v1.ServiceAccount, error) {
	return update[*v1.ServiceAccount](ctx, s.api, r)
}

func (s serviceAccounts) DeleteServiceAccount(ctx context.Context, r *v1.DeleteServiceAccountRequest) (*v1.DeleteServiceAccountResponse, error) {
	revision, err := remove(ctx, s.api, controlplane.KindServiceAccount, r)
	return &v1.DeleteServiceAccountResponse{Revision: revision}, err
}

func (s serviceAccounts) CreateServiceAccountToken(ctx context.Context, r *v1.CreateServiceAccountTokenRequest) (*v1.CreateServiceAccountTokenResponse, error) {
	scope, account, err := s.named(ctx, controlplane.KindServiceAccount, "parent", r.GetParent())
	if err != nil {
		return nil, err
	}
	made, secret, revision, err := s.ServiceAccounts.CreateToken(ctx, callerOf(ctx), scope, serviceaccount.Request{
		Account: account, Lifetime: r.GetLifetime().AsDuration(), RequestID: r.GetRequestId(), Digest: digest(ctx, r),
	})
	if err != nil {
		return nil, err
	}
	return &v1.CreateServiceAccountTokenResponse{Token: tokenMessage(scope, account, made), Secret: secret, Revision: revision.String()}, nil
}

func (s serviceAccounts) ListServiceAccountTokens(ctx context.Context, r *v1.ListServiceAccountTokensRequest) (*v1.ListServiceAccountTokensResponse, error) {
	scope, account, err := s.named(ctx, controlplane.KindServiceAccount, "parent", r.GetParent())
	if err != nil {
		return nil, err
	}
	found, err := s.ServiceAccounts.ListTokens(ctx, callerOf(ctx), scope, account)
	response := &v1.ListServiceAccountTokensResponse{}
	for _, t := range found {
		response.Tokens = append(response.Tokens, tokenMessage(scope, account, t))
	}
	return response, err
}

func (s serviceAccounts) RevokeServiceAccountToken(ctx context.Context, r *v1.RevokeServiceAccountTokenRequest) (*v1.RevokeServiceAccountTokenResponse, error) {
	scope, account, id, err := s.token(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	revision, err := s.Revocations.EndToken(ctx, callerOf(ctx), scope, account, id)
	return &v1.RevokeServiceAccountTokenResponse{Revision: revision.String()}, err
}

func tokenMessage(scope controlplane.Scope, account string, t serviceaccount.Token) *v1.ServiceAccountToken {
	return &v1.ServiceAccountToken{
		Name: scope.TokenName(account, t.ID), CreateTime: timestamp(t.CreateTime),
		ExpireTime: timestamp(t.ExpireTime), RevokeTime: timestamp(t.RevokeTime),
	}
}
