// Command testservices gives a command a Postgres and a Redis of its own, for as long as it runs:
//
//	go run ./cmd/internal/testservices -- go test ./...
//	go run ./cmd/internal/testservices -- bash
//
// The command finds them in its environment: SALLYPORT_TEST_POSTGRES_URL (superuser, empty server),
// SALLYPORT_TEST_REDIS_ADDR (host:port) and SALLYPORT_TEST_REDIS_URL. Signals reach the command, its exit status becomes
// ours, and nothing stays behind, in the process table or on disk.
//
// It must never be given a database that somebody needs: the servers skip fsync, and their data is deleted at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/postgres"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/redis"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
)

func main() { process.Main(run) }

func run(ctx context.Context, env process.Env) error {
	flags := flag.NewFlagSet("testservices", flag.ContinueOnError)
	flags.SetOutput(env.Stderr)
	flags.Usage = func() { fmt.Fprintln(env.Stderr, "usage: testservices -- command [argument ...]") }
	if err := flags.Parse(env.Args); err != nil {
		return &process.Exit{Status: 2}
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return &process.Exit{Status: 2}
	}
	// `go run` dies of a SIGTERM without passing it on.
	if err := launch.FollowParent(); err != nil {
		return fmt.Errorf("follow the parent process: %w", err)
	}

	// What the command left running (a test binary whose `go test` was killed) becomes our child, and ends with us.
	if err := launch.AdoptOrphans(); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	defer launch.KillOrphans()

	dir, err := os.MkdirTemp("", "sallyport-test-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binaries, err := postgres.FindBinaries(env.Getenv("SALLYPORT_PG_BIN"))
	if err != nil {
		return err
	}
	database, err := postgres.Start(ctx, postgres.Config{Dir: dir, Binaries: binaries, Lossy: true, Output: env.Stderr})
	if err != nil {
		return err
	}
	defer database.Stop()

	binary, err := redis.Find(env.Getenv("SALLYPORT_REDIS_SERVER"))
	if err != nil {
		return err
	}
	cache, err := redis.Start(ctx, redis.Config{Binary: binary})
	if err != nil {
		return err
	}
	defer cache.Stop()
	if cache.Substitute() {
		fmt.Fprintln(env.Stderr, "testservices: no redis-server on this machine (Debian, Ubuntu: apt-get install redis-server): "+
			"the tests get a substitute that is not quite Redis")
	}

	cmd := exec.Command(flags.Arg(0), flags.Args()[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = env.Stdin, env.Stdout, env.Stderr
	cmd.Env = append(os.Environ(),
		"SALLYPORT_TEST_POSTGRES_URL="+database.URL().String(),
		"SALLYPORT_TEST_REDIS_ADDR="+cache.Addr(),
		"SALLYPORT_TEST_REDIS_URL=redis://"+cache.Addr()+"/0",
	)
	return execute(ctx, cmd)
}

// execute runs the command in our process group, so that it keeps the terminal, passes on the signal that ends us, and
// reports its exit status as a shell would.
func execute(ctx context.Context, cmd *exec.Cmd) error {
	command, err := launch.StartInGroup(cmd, syscall.SIGTERM)
	if err != nil {
		return err
	}
	select {
	case <-command.Done():
	case <-ctx.Done():
		// Ctrl-C reached the command already, and reaches it again: both mean the same.
		stop := launch.Step{Signal: syscall.SIGTERM, Grace: 5 * time.Second}
		if sig := (process.Signal{}); errors.As(context.Cause(ctx), &sig) {
			stop.Signal = sig.Signal.(syscall.Signal)
		}
		command.Stop(stop)
	}
	exit := (*exec.ExitError)(nil)
	switch err := command.Wait(); {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		status := exit.Sys().(syscall.WaitStatus)
		if status.Signaled() {
			return &process.Exit{Status: 128 + int(status.Signal())}
		}
		return &process.Exit{Status: status.ExitStatus()}
	default:
		return err
	}
}
