// Command testreport reads what `go test -json` writes and says what a person wants to know of it:
//
//	go test -json ./... | go run ./cmd/internal/testreport
//
// One line for each package, the whole output of tests that failed, and what tests report through testing.T.Attr; all of
// it, with the output of tests that passed, goes to the file of -log. The last line is "N passed, N failed", and it is
// the truth: a build that failed, a package that panicked and a test that was skipped are failures.
//
// It must never run tests itself, nor know what they are about.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
)

func main() { process.Main(run) }

func run(_ context.Context, env process.Env) (err error) {
	flags := flag.NewFlagSet("testreport", flag.ContinueOnError)
	flags.SetOutput(env.Stderr)
	log := flags.String("log", os.DevNull, "file that gets the output of all tests")
	if err := flags.Parse(env.Args); err != nil {
		return &process.Exit{Status: 2}
	}
	file, err := os.Create(*log)
	if err != nil {
		return err
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	failed, err := report(env.Stdin, env.Stdout, file)
	if err != nil {
		return fmt.Errorf("read the output of go test: %w", err)
	}
	if failed > 0 {
		return &process.Exit{Status: 1}
	}
	return nil
}

// report follows the events to their end and returns how many things failed.
func report(events io.Reader, out, log io.Writer) (failed int, err error) {
	r := reporter{out: out, log: log, output: map[test][]string{}, tests: map[string]int{}, failures: map[string]int{}}
	if err := r.read(events); err != nil {
		return 0, err
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", r.passed, r.failed)
	return r.failed, nil
}
