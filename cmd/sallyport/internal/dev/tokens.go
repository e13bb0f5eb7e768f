package dev

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

const (
	// tokenLife is what the API allows, nearly. A token that has expired is made again at the next start.
	tokenLife = 365 * 24 * time.Hour
	// tokenLeft is how long a token of the last start must still work for this one to keep it.
	tokenLeft = 24 * time.Hour
	// tokenPrefix begins the ids of the API tokens that we make. Only the newest of them is kept.
	tokenPrefix = "dev-"
)

func (s *seed) client(token string) (*api.Client, error) {
	return api.New(s.config.controlPlaneURL(), token)
}

// known returns a client for a token that the control plane takes; ok is false if there is none or it is refused.
func (s *seed) known(ctx context.Context, token, parent string) (client *api.Client, ok bool, err error) {
	if token == "" {
		return nil, false, nil
	}
	if client, err = s.client(token); err != nil {
		return nil, false, err
	}
	_, err = sallyportv1connect.NewApiTokenServiceClient(client.HTTP, client.URL).ListApiTokens(ctx, &sallyportv1.ListApiTokensRequest{Parent: parent})
	switch connect.CodeOf(err) {
	case connect.CodeUnauthenticated, connect.CodePermissionDenied, connect.CodeNotFound:
		return nil, false, nil
	}
	return client, err == nil, err
}

// makeOwner makes an API token that may do everything below parent, and the member whose token it is.
func makeOwner(ctx context.Context, client *api.Client, parent, member string) (*sallyportv1.CreateApiTokenResponse, error) {
	members := sallyportv1connect.NewMemberServiceClient(client.HTTP, client.URL)
	_, err := members.CreateMember(ctx, &sallyportv1.CreateMemberRequest{
		Parent: parent, MemberId: member, Member: &sallyportv1.Member{Role: sallyportv1.AdminRole_ADMIN_ROLE_OWNER},
	})
	if err != nil && connect.CodeOf(err) != connect.CodeAlreadyExists { // an earlier start came so far
		return nil, err
	}
	tokens := sallyportv1connect.NewApiTokenServiceClient(client.HTTP, client.URL)
	return tokens.CreateApiToken(ctx, &sallyportv1.CreateApiTokenRequest{
		Parent: parent, ApiTokenId: tokenPrefix + strings.ToLower(rand.Text()[:12]),
		ApiToken: &sallyportv1.ApiToken{
			DisplayName: "Made by sallyport dev", Member: parent + "/members/" + member, Role: sallyportv1.AdminRole_ADMIN_ROLE_OWNER,
			ExpireTime: timestamppb.New(time.Now().Add(tokenLife)),
		},
	})
}

// forgetOthers deletes the API tokens of earlier starts, whose secrets nobody has any more.
func forgetOthers(ctx context.Context, client *api.Client, parent string, kept *sallyportv1.ApiToken) error {
	tokens := sallyportv1connect.NewApiTokenServiceClient(client.HTTP, client.URL)
	list, err := tokens.ListApiTokens(ctx, &sallyportv1.ListApiTokensRequest{Parent: parent, PageSize: 500})
	if err != nil {
		return err
	}
	for _, token := range list.GetApiTokens() {
		ours := strings.HasPrefix(token.GetName(), parent+"/apiTokens/"+tokenPrefix)
		if !ours || token.GetName() == kept.GetName() {
			continue
		}
		if _, err := tokens.DeleteApiToken(ctx, &sallyportv1.DeleteApiTokenRequest{Name: token.GetName(), AllowMissing: true}); err != nil {
			return err
		}
	}
	return nil
}

// makeServiceToken keeps the service account's token while the control plane takes it, and makes one otherwise.
func (s *seed) makeServiceToken(ctx context.Context) error {
	client, parent := s.admins[firstTenant], "tenants/"+firstTenant+"/serviceAccounts/"+robot
	accounts := sallyportv1connect.NewServiceAccountServiceClient(client.HTTP, client.URL)
	list, err := accounts.ListServiceAccountTokens(ctx, &sallyportv1.ListServiceAccountTokensRequest{Parent: parent})
	if connect.CodeOf(err) == connect.CodeNotFound { // somebody deleted the account
		s.keep.Service = ""
		return s.keep.save()
	}
	if err != nil {
		return err
	}
	for _, token := range list.GetTokens() {
		id := token.GetName()[strings.LastIndex(token.GetName(), "/")+1:]
		good := token.GetRevokeTime() == nil && time.Until(token.GetExpireTime().AsTime()) > tokenLeft
		if good && strings.HasPrefix(s.keep.Service, "sp_"+id+"_") {
			return nil
		}
	}
	made, err := accounts.CreateServiceAccountToken(ctx, &sallyportv1.CreateServiceAccountTokenRequest{Parent: parent, Lifetime: durationpb.New(tokenLife)})
	if err != nil {
		return err
	}
	s.keep.Service = made.GetSecret()
	return s.keep.save()
}
