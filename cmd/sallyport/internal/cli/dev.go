//go:build unix

package cli

import (
	"context"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev"
)

// platformCommands are there where processes can be supervised as they need.
type platformCommands struct {
	Dev devCommand `cmd:"" help:"Run the whole product on this machine: control plane, two edges, databases, an identity provider, two apps."`
}

type devCommand struct {
	dev.Config `embed:""`
}

func (d *devCommand) Run(ctx context.Context, s *session) error { return dev.Run(ctx, d.Config, s.Env) }
