package cli

import (
	"context"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type revokeCommand struct {
	Subject string `arg:"" help:"session:<id>, user:<id or e-mail>, idp:<id>, serviceAccount:<id>, token:<id>, app:<id>, or tenant."`
	Reason  string `help:"For the audit."`
	Waiting
}

func (r *revokeCommand) Run(ctx context.Context, s *session) error {
	client, err := s.resolve()
	if err != nil {
		return err
	}
	made, err := sallyportv1connect.NewRevocationServiceClient(client.HTTP, client.URL).CreateRevocation(ctx,
		&sallyportv1.CreateRevocationRequest{
			Parent:     s.parent(),
			Revocation: &sallyportv1.Revocation{Subject: r.Subject, Reason: r.Reason},
		})
	if err != nil {
		return err
	}
	if s.json {
		if err := s.printOne(made.ProtoReflect()); err != nil {
			return err
		}
	} else {
		s.printf("Revoked %s.\n%s\n", r.Subject, made.GetRevision())
	}
	return r.Waiting.run(ctx, s, client, s.parent(), made.GetRevision())
}
