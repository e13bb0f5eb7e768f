package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type revokeCommand struct {
	Subject string `arg:"" help:"What to end."`
	Reason  string `placeholder:"TEXT" help:"For the audit."`
	Waiting
}

// Help is what `--help` says beyond the flags.
func (*revokeCommand) Help() string {
	return `Ends it at every edge, and cuts the connections that are open. There is no undo: people sign in again, machines need
a new token.

    sallyport revoke session:s_…                   one sign-in, as "get sessions" lists it
    sallyport revoke user:ann@acme.test            all of a person's
    sallyport revoke idp:demo                      all of an identity provider's
    sallyport revoke app:wiki                      all of an app's
    sallyport revoke serviceAccount:ci             all tokens of a service account
    sallyport revoke token:c7lg33xn6p              one, as "get serviceAccounts/ci/tokens" lists it
    sallyport revoke tenant                        everything`
}

func (r *revokeCommand) Run(ctx context.Context, s *session) error {
	if err := r.Waiting.check(); err != nil {
		return err
	}
	client, err := s.resolve()
	if err != nil {
		return err
	}
	if s.target.Tenant == "" {
		return usage("whose? Give --tenant, or set SALLYPORT_TENANT")
	}
	made, err := sallyportv1connect.NewRevocationServiceClient(client.HTTP, client.URL).CreateRevocation(ctx,
		&sallyportv1.CreateRevocationRequest{
			Parent:     s.parent(),
			Revocation: &sallyportv1.Revocation{Subject: r.Subject, Reason: r.Reason},
		})
	if refusal, ok := api.AsRefusal(err); ok && len(refusal.Violations) == 1 && refusal.Violations[0].Field == "revocation.subject" {
		wrong := refusal.Violations[0]
		wrong.Field = strconv.Quote(r.Subject)
		return fmt.Errorf("%s\nSee sallyport revoke --help", violated(wrong))
	}
	if err != nil {
		return nowhere(err, s.parent(), "")
	}
	if !s.scripted() {
		s.printf("Revoked %s: %s is at %s.\n", made.GetSubject(), s.parent(), made.GetRevision())
	}
	return r.Waiting.run(ctx, s, client, s.parent(), made.GetRevision(), made)
}
