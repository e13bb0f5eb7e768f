package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type tokenCommand struct {
	Create tokenCreateCommand `cmd:"" help:"Make a token, and write it into a file."`
}

type tokenCreateCommand struct {
	ID             string        `arg:"" optional:"" help:"What to call an API token. Those of service accounts have ids of their own."`
	Member         string        `placeholder:"ID" xor:"of" required:"" help:"Make an API token (spa_…) of this member."`
	Role           string        `placeholder:"ROLE" help:"Of an API token: what it may at most, such as viewer or owner."`
	ServiceAccount string        `placeholder:"ID" xor:"of" required:"" help:"Make a token (sp_…) of this service account, for apps."`
	Lifetime       time.Duration `default:"2160h" help:"How long it works; at most 8784h."`
	Out            string        `required:"" placeholder:"FILE" help:"Where to write it. There must be no such file; only you may read it."`
}

// Help is what `--help` says beyond the flags.
func (*tokenCreateCommand) Help() string {
	return `A token is shown nowhere, and kept nowhere but in the file.

    sallyport token create deploy --member ann --role config_editor --out deploy.token
    sallyport token create --service-account ci --out ci.token

    sallyport get apiTokens                        which there are
    sallyport get serviceAccounts/ci/tokens
    sallyport delete apiToken deploy               end one
    sallyport revoke token:c7lg33xn6p              end one of a service account`
}

func (c *tokenCreateCommand) Run(ctx context.Context, s *session) (err error) {
	role := sallyportv1.AdminRole(0)
	switch {
	case c.Member == "" && (c.ID != "" || c.Role != ""):
		return usage("tokens of service accounts have neither a name nor a role: leave them out, or give --member")
	case c.Member != "" && (c.ID == "" || c.Role == ""):
		return usage("an API token needs a name and a --role")
	case c.Member != "":
		role = sallyportv1.AdminRole(sallyportv1.AdminRole_value["ADMIN_ROLE_"+strings.ToUpper(strings.ReplaceAll(c.Role, "-", "_"))])
		if role == sallyportv1.AdminRole_ADMIN_ROLE_UNSPECIFIED {
			return usage(fmt.Sprintf("there is no role %q: see sallyport get members", c.Role))
		}
	}
	client, err := s.resolve()
	if err != nil {
		return err
	}
	// The file comes first: a token that cannot be written down would be lost, and work.
	file, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make the file for the token: %w", err)
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			_ = os.Remove(c.Out)
		}
	}()
	name, secret, revision, err := c.make(ctx, s, client, role)
	if err != nil {
		return nowhere(err, s.parent(), "")
	}
	if _, err := file.WriteString(secret + "\n"); err != nil {
		return fmt.Errorf("write the token: %w; end it: it is %s", err, name)
	}
	if !s.scripted() {
		s.printf("%s is in %s, until %s.%s\n", name, c.Out, time.Now().Add(c.Lifetime).Local().Format(instant), revision)
		return nil
	}
	return s.printRaw(fmt.Appendf(nil, `{"name":%q,"file":%q}`, name, c.Out))
}

// make returns the token's name and text, and what else there is to say.
func (c *tokenCreateCommand) make(ctx context.Context, s *session, client *api.Client, role sallyportv1.AdminRole) (name, secret, more string, err error) {
	if c.Member == "" {
		made, err := sallyportv1connect.NewServiceAccountServiceClient(client.HTTP, client.URL).CreateServiceAccountToken(ctx, &sallyportv1.CreateServiceAccountTokenRequest{
			Parent: s.parent() + "/serviceAccounts/" + c.ServiceAccount, Lifetime: durationpb.New(c.Lifetime),
		})
		return made.GetToken().GetName(), made.GetSecret(), " Edges know it at " + made.GetRevision() + ".", err
	}
	made, err := sallyportv1connect.NewApiTokenServiceClient(client.HTTP, client.URL).CreateApiToken(ctx, &sallyportv1.CreateApiTokenRequest{
		Parent: s.parent(), ApiTokenId: c.ID, ApiToken: &sallyportv1.ApiToken{
			Member: s.parent() + "/members/" + c.Member, Role: role, ExpireTime: timestamppb.New(time.Now().Add(c.Lifetime)),
		},
	})
	return made.GetApiToken().GetName(), made.GetSecret(), "", err
}
