package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/postgres"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/supervise"
)

func (c Config) keyFile() string         { return c.path("controlplane", "deployment-key") }
func (c Config) urlFile(r string) string { return c.path("controlplane", r+"-url") }

// prepare does what comes before a control plane's first start: a database, its schema, and the deployment's key.
func (e *engine) prepare(ctx context.Context, server *postgres.Server) error {
	if err := prepareDatabase(ctx, server, e.programs.postgres, e.keep.Passwords); err != nil {
		return err
	}
	if err := os.MkdirAll(e.config.path("controlplane"), 0o700); err != nil {
		return err
	}
	urls := map[string]string{}
	for _, role := range databaseRoles {
		urls[role] = databaseURL(server, role, e.keep.Passwords[role])
		if err := writeFile(e.config.urlFile(role), []byte(urls[role])); err != nil {
			return err
		}
	}
	e.file.update(func(d *document) { d.PostgresURL, d.PostgresOwnerURL = urls[appRole], urls[ownerRole] })

	if _, err := os.Stat(e.config.keyFile()); errors.Is(err, os.ErrNotExist) {
		if err := e.makeKey(ctx); err != nil {
			return fmt.Errorf("make the deployment key: %w", err)
		}
	}
	if _, err := finish(ctx, e.controlPlane("migrate", "--owner-url-file", e.config.urlFile(ownerRole), "--log-format", "text")); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// makeKey makes the key beside its place: a kill in between must not leave half a key, which nothing would overwrite.
func (e *engine) makeKey(ctx context.Context) error {
	unfinished := e.config.keyFile() + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if _, err := finish(ctx, e.controlPlane("keys", "init", "--key-file", unfinished)); err != nil {
		return err
	}
	return os.Rename(unfinished, e.config.keyFile())
}

// bootstrap returns a token that may make the first operator, or another one: whoever lost our credentials still has the
// deployment's key.
func (e *engine) bootstrap(ctx context.Context) (string, error) {
	printed, err := finish(ctx, e.controlPlane(append([]string{"bootstrap", "--recover", "--log-format", "text"}, e.databaseFlags()...)...))
	return strings.TrimSpace(printed), err
}

// secondStage is the control plane.
func (e *engine) secondStage() (supervise.Part, error) {
	const name = "control plane"
	output, err := e.logs.open(name)
	if err != nil {
		return supervise.Part{}, err
	}
	serve := append([]string{
		"serve",
		"--api-listen", launch.Loopback(e.config.ControlPlane), "--sync-listen", launch.Loopback(e.config.ControlPlaneSync),
		"--health-listen", launch.Loopback(e.config.ControlPlaneHealth), "--drain-timeout", drain.String(),
	}, e.databaseFlags()...)
	process := supervise.Process{
		Command: func() *exec.Cmd { return e.controlPlane(serve...) },
		Output:  output,
		Ready:   supervise.Answers(e.config.healthURL() + "/readyz"),
		Started: func(pid int) { e.file.update(func(d *document) { d.ControlPlane.PID = pid }) },
	}
	return supervise.Part{Name: name, Run: e.keepRunning(name, process.Run)}, nil
}

func (e *engine) databaseFlags() []string {
	return []string{"--app-url-file", e.config.urlFile(appRole), "--feed-url-file", e.config.urlFile(feedRole), "--key-file", e.config.keyFile()}
}

func (e *engine) controlPlane(args ...string) *exec.Cmd {
	cmd := exec.Command(e.programs.controlPlane, args...)
	cmd.Env = environment()
	return cmd
}

func (e *engine) keepRunning(name string, attempt supervise.Attempt) supervise.Attempt {
	return supervise.Keep(name, attempt, !e.config.NoRestart, e.log)
}
