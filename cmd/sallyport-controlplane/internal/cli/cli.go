// Package cli is the command line of sallyport-controlplane: flags, environment and file become one checked
// configuration, and a command is run with it.
//
// It must never print a secret, and never begin work with a configuration that has a fault.
package cli

import (
	"context"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/sallyport-iap/sallyport/cmd/internal/commandline"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/internal/settings"
)

// version is what this program says it is; the linker sets it for releases.
var version = "dev"

// prefix is what environment variables begin with.
const prefix = "SALLYPORT_"

const description = `The control plane of Sallyport.

Every flag can also be set in the environment (--sync-listen is SALLYPORT_SYNC_LISTEN) or in the file named by --config
(YAML: "sync-listen: :8081"). A flag wins over the environment, and the environment over the file. A URL of the database
is a secret, for it has a password: set it in the environment, or name a file that holds it with the -file variant.`

// commands is the whole command line.
type commands struct {
	Config string `help:"YAML file with settings, by the flags' names." placeholder:"FILE"`

	Serve     serveCommand     `cmd:"" help:"Run the control plane until it is told to stop."`
	Migrate   migrateCommand   `cmd:"" help:"Bring the database's schema up to date."`
	Keys      keysCommand      `cmd:"" help:"The deployment key, which seals everything secret in the database."`
	Bootstrap bootstrapCommand `cmd:"" help:"Print a token for making the first operator. It is good for an hour, and until there is one."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

// Run parses the command line and runs the command.
func Run(ctx context.Context, env process.Env) error {
	var c commands
	from := &settings.Settings{Prefix: prefix, Getenv: env.Getenv}
	parsed, err := commandline.Parse(env, &c,
		kong.Name("sallyport-controlplane"), kong.Description(description), kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Resolvers(from))
	if parsed == nil {
		return err
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(env, from)
}

type versionCommand struct{}

func (versionCommand) Run(env process.Env) error {
	_, err := fmt.Fprintln(env.Stdout, version)
	return err
}
