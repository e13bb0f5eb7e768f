// Package cli is the `sallyport` command: one file a verb. It is a client of the public API and nothing more, so whatever
// it can do, a script with a token can do.
//
// It must never hold a rule of its own about resources: what is right is for the control plane to say. And it must never
// print a token.
package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/sallyport-iap/sallyport/cmd/internal/commandline"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
)

// Exit statuses, for scripts; `sallyport --help` tells them.
const (
	statusNotEnforced = 3 // done, but some edge does not enforce it yet
	statusInterrupted = 130
)

const description = `Sallyport, the identity-aware proxy.

Where to, in which tenant and with which token: flags, else the environment, else .sallyport/dev.json of the
"sallyport dev" that runs here or in a directory above.

Exit status: 0 done, 1 refused or failed, 2 the command line is wrong, 3 done but not enforced by every edge yet,
4 a simulation found what it was to fail on.`

type commands struct {
	Target
	platformCommands

	Output string `enum:"table,json,yaml" default:"table" short:"o" group:"For every command:" help:"How to print: table, for people; json or yaml, whole, for scripts."`

	Apply    applyCommand    `cmd:"" help:"Bring about what files say, as one change."`
	Get      getCommand      `cmd:"" help:"Show a collection of resources, or one."`
	Delete   deleteCommand   `cmd:"" help:"Delete a resource."`
	Export   exportCommand   `cmd:"" help:"Print everything that apply takes, as YAML."`
	Import   importCommand   `cmd:"" help:"Bring in what another tool knows: the operations of an app, from an OpenAPI document."`
	Revoke   revokeCommand   `cmd:"" help:"End what is signed in or handed out."`
	Wait     waitCommand     `cmd:"" help:"Wait until every edge enforces a revision."`
	Token    tokenCommand    `cmd:"" help:"Make tokens, for the API and for apps."`
	Audit    auditCommand    `cmd:"" help:"See what happened: who was let in or not and why, and who changed what."`
	Explain  explainCommand  `cmd:"" help:"Say what is decided of a request, and why."`
	Who      whoCommand      `cmd:"" help:"List who may do something in an app."`
	What     whatCommand     `cmd:"" help:"List what somebody may do."`
	Simulate simulateCommand `cmd:"" help:"Say who would gain and who would lose access by a draft, from what was recorded."`
	Shadow   shadowCommand   `cmd:"" help:"Say what a policy in SHADOW mode would have changed."`
	Policy   policyCommand   `cmd:"" help:"Run policy tests."`
	Lint     lintCommand     `cmd:"" help:"Find what policies say and can hardly mean."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// session is what a command runs with.
type session struct {
	process.Env
	target Target
	output string // table, json or yaml
	found  string // where the address is from, if nobody gave one
}

// Run is the program.
func Run(ctx context.Context, env process.Env) error {
	var c commands
	command, err := commandline.Parse(env, &c,
		kong.Name("sallyport"), kong.Description(description),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
	if command == nil {
		return err
	}
	command.BindTo(ctx, (*context.Context)(nil))
	s := &session{Env: env, target: c.Target, output: c.Output}
	err = command.Run(s)
	if command.Selected().Name == "dev" {
		return err // it is not one call of the API, and ends when it is told to
	}
	return s.readable(err)
}

func usage(problem string) error {
	return &process.Exit{Status: commandline.Misused, Err: errors.New(problem)}
}

func (s *session) printf(format string, args ...any) { fmt.Fprintf(s.Stdout, format, args...) }

// scripted reports whether what is printed is for scripts, which want whole values and nothing beside them.
func (s *session) scripted() bool { return s.output != "table" }

// progress is for a person who waits; machines read Stdout.
func (s *session) progress(format string, args ...any) { fmt.Fprintf(s.Stderr, format, args...) }
