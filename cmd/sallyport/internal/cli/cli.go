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

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
)

// Exit statuses, for scripts; `sallyport --help` tells them.
const (
	statusUsage       = 2 // the command line is wrong
	statusNotEnforced = 3 // done, but some edge does not enforce it yet
	statusInterrupted = 130
)

const description = `Sallyport, the identity-aware proxy.

Where to, in which tenant and with which token: flags, else the environment, else .sallyport/dev.json of the
"sallyport dev" that runs here or in a directory above.

Exit status: 0 done, 1 refused or failed, 2 the command line is wrong, 3 done but not enforced by every edge yet.`

type commands struct {
	Target
	platformCommands

	Output string `enum:"table,json" default:"table" short:"o" group:"For every command:" help:"How to print: table, for people, or json, for scripts."`

	Apply   applyCommand   `cmd:"" help:"Bring about what files say, as one change."`
	Get     getCommand     `cmd:"" help:"Show a collection of resources, or one."`
	Delete  deleteCommand  `cmd:"" help:"Delete a resource."`
	Export  exportCommand  `cmd:"" help:"Print everything that apply takes, as YAML."`
	Revoke  revokeCommand  `cmd:"" help:"End what is signed in or handed out."`
	Wait    waitCommand    `cmd:"" help:"Wait until every edge enforces a revision."`
	Audit   auditCommand   `cmd:"" help:"See what happened: who was let in or not and why, and who changed what."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// session is what a command runs with.
type session struct {
	process.Env
	target Target
	json   bool
	found  string // where the address is from, if nobody gave one
}

// Run is the program.
func Run(ctx context.Context, env process.Env) error {
	var c commands
	exited := &process.Exit{Status: -1}
	parser, err := kong.New(&c,
		kong.Name("sallyport"),
		kong.Description(description),
		kong.Writers(env.Stdout, env.Stderr),
		kong.Exit(func(status int) { exited.Status = status }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
	if err != nil {
		return fmt.Errorf("define the command line: %w", err)
	}
	command, err := parser.Parse(env.Args)
	if exited.Status >= 0 { // --help, which kong answers by itself
		return exited
	}
	if err != nil {
		return misused(parser, err)
	}
	command.BindTo(ctx, (*context.Context)(nil))
	s := &session{Env: env, target: c.Target, json: c.Output == "json"}
	err = command.Run(s)
	if command.Selected().Name == "dev" {
		return err // it is not one call of the API, and ends when it is told to
	}
	return s.readable(err)
}

// misused answers a command line that is wrong: with the help if it only stops too early, else with where help is.
func misused(parser *kong.Kong, err error) error {
	wrong, ok := errors.AsType[*kong.ParseError](err)
	if !ok {
		return &process.Exit{Status: statusUsage, Err: err}
	}
	node := wrong.Context.Selected()
	if node == nil {
		node = wrong.Context.Model.Node
	}
	if wrong.Context.Error == nil && len(node.Children) > 0 {
		parser.Stdout = parser.Stderr
		if err := wrong.Context.PrintUsage(false); err != nil {
			return err
		}
		return &process.Exit{Status: statusUsage}
	}
	return &process.Exit{Status: statusUsage, Err: fmt.Errorf("%w\nSee %s --help", err, node.FullPath())}
}

func usage(problem string) error { return &process.Exit{Status: statusUsage, Err: errors.New(problem)} }

func (s *session) printf(format string, args ...any) { fmt.Fprintf(s.Stdout, format, args...) }

// progress is for a person who waits; machines read Stdout.
func (s *session) progress(format string, args ...any) { fmt.Fprintf(s.Stderr, format, args...) }
