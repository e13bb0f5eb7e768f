package commandline_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/sallyport-iap/sallyport/cmd/internal/commandline"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
)

type grammar struct {
	Depth   int              `help:"How deep."`
	Version kong.VersionFlag `help:"Print the version."`

	Dig struct {
		Where string `arg:"" help:"Where to dig."`
	} `cmd:"" help:"Dig."`
	Hole struct {
		Fill struct{} `cmd:"" help:"Fill it."`
	} `cmd:"" help:"What is left."`
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args, command          string
		stdout, stderr, refuse string // a part of each
	}{
		{args: "dig here", command: "dig <where>"},
		{args: "hole fill --depth 3", command: "hole fill"},
		{args: "--help", stdout: "Fill it."},
		{args: "dig --help", stdout: "Where to dig."},
		{args: "--version", stdout: "v7"},
		{args: "", stderr: "Usage: mole <command>", refuse: "exit status 2"},
		{args: "hole", stderr: "Usage: mole hole <command>", refuse: "exit status 2"},
		{args: "digg here", refuse: `did you mean "dig"?` + "\nSee mole --help"},
		{args: "dig", refuse: "See mole dig --help"},
		{args: "dig here --depth=far", refuse: "See mole dig --help"},
		{args: "--deep", refuse: "See mole --help"},
	} {
		var stdout, stderr bytes.Buffer
		command, err := commandline.Parse(process.Env{Args: strings.Fields(c.args), Stdout: &stdout, Stderr: &stderr}, &grammar{},
			kong.Name("mole"), kong.Vars{"version": "v7"})
		got := ""
		if command != nil {
			got = command.Command()
		}
		if got != c.command || (stdout.Len() > 0) != (c.stdout != "") || !strings.Contains(stdout.String(), c.stdout) ||
			(stderr.Len() > 0) != (c.stderr != "") || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%q: %q\nstdout: %s\nstderr: %s", c.args, got, &stdout, &stderr)
		}
		if exit := (*process.Exit)(nil); c.refuse == "" && err != nil || c.refuse != "" && (!errors.As(err, &exit) || exit.Status != commandline.Misused || !strings.Contains(err.Error(), c.refuse)) {
			t.Errorf("%q: %v", c.args, err)
		}
	}
}
