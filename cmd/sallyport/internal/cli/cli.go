// Package cli is the `sallyport` command: one file a verb. It is a client of the public API and nothing more, so whatever
// it can do, a script with a token can do.
//
// It must never hold a rule of its own about resources: what is right is for the control plane to say.
package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
)

// Exit statuses, for scripts.
const (
	statusUsage       = 2 // the command line is wrong
	statusNotEnforced = 3 // done, but some edge does not enforce it yet
)

type commands struct {
	Target
	platformCommands

	Output string `enum:"table,json" default:"table" short:"o" help:"How to print: table or json."`

	Apply   applyCommand   `cmd:"" help:"Bring about what files say, as one change."`
	Get     getCommand     `cmd:"" help:"Show resources: a collection, or one."`
	Delete  deleteCommand  `cmd:"" help:"Delete a resource."`
	Export  exportCommand  `cmd:"" help:"Print everything that apply takes, as YAML."`
	Revoke  revokeCommand  `cmd:"" help:"End what is signed in or handed out: a session, user, provider, service account, token, app, or everything."`
	Wait    waitCommand    `cmd:"" help:"Wait until every edge enforces a revision."`
	Audit   auditCommand   `cmd:"" help:"See what happened."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// session is what a command runs with.
type session struct {
	process.Env
	target Target
	json   bool
}

// Run is the program.
func Run(ctx context.Context, env process.Env) error {
	var c commands
	exited := &process.Exit{Status: -1}
	parser, err := kong.New(&c,
		kong.Name("sallyport"),
		kong.Description("Sallyport, the identity-aware proxy. Where to and who you are: flags, else the environment, else .sallyport/dev.json of a running `sallyport dev`."),
		kong.UsageOnError(),
		kong.Writers(env.Stdout, env.Stderr),
		kong.Exit(func(status int) { exited.Status = status }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
	if err != nil {
		return err
	}
	command, err := parser.Parse(env.Args)
	if exited.Status >= 0 { // --help, which kong answers by itself
		return exited
	}
	if err != nil {
		return &process.Exit{Status: statusUsage, Err: err}
	}
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(&session{Env: env, target: c.Target, json: c.Output == "json"})
	return readable(err)
}

// readable puts what a person can do next into an error of the control plane's.
func readable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return err
	case api.Unreachable(err):
		return fmt.Errorf("%w\nIs the control plane running, and is --server right?", err)
	case api.Reason(err) == "TOKEN_MISSING" || api.Reason(err) == "TOKEN_INVALID":
		return fmt.Errorf("%w\nGive a token with --token-file or SALLYPORT_TOKEN.", err)
	}
	return err
}

func (s *session) printf(format string, args ...any) { fmt.Fprintf(s.Stdout, format, args...) }

// progress is for a person who waits; machines read Stdout.
func (s *session) progress(format string, args ...any) { fmt.Fprintf(s.Stderr, format, args...) }
