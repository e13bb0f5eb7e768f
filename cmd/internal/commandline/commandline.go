// Package commandline reads the command line of a program. Help is printed where it is asked for; whoever wrote something
// wrong is told what, and where help is.
//
// It must never run a command: it only says which one was asked for.
package commandline

import (
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
)

// Misused is the exit status where the command line, or what a program is told otherwise, is wrong.
const Misused = 2

// Parse reads env.Args into grammar, which is a pointer to a struct with kong's tags, and returns the command that was
// asked for. It returns nil and no error if that was help or the version, which are printed.
func Parse(env process.Env, grammar any, options ...kong.Option) (*kong.Context, error) {
	answered := false
	parser, err := kong.New(grammar, append(options,
		kong.Writers(env.Stdout, env.Stderr),
		kong.Exit(func(int) { answered = true }), // which kong calls when it has printed what was asked for
	)...)
	if err != nil {
		return nil, fmt.Errorf("define the command line: %w", err)
	}
	command, err := parser.Parse(env.Args)
	switch {
	case answered:
		return nil, nil //nolint:nilnil // documented
	case err != nil:
		return nil, misused(parser, err)
	}
	return command, nil
}

// misused answers a command line that is wrong: with the help if it only stops too early, else with where help is.
func misused(parser *kong.Kong, err error) error {
	wrong, ok := errors.AsType[*kong.ParseError](err)
	if !ok {
		return &process.Exit{Status: Misused, Err: err}
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
		return &process.Exit{Status: Misused}
	}
	return &process.Exit{Status: Misused, Err: fmt.Errorf("%w\nSee %s --help", err, node.FullPath())}
}
