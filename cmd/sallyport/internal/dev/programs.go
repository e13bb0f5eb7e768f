package dev

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/postgres"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/redis"
)

// programs are the binaries that run beside this one.
type programs struct {
	controlPlane, edge string
	postgres           string // a directory
	redis              string // "": the substitute
}

func findPrograms(getenv func(string) string) (programs, error) {
	self, err := os.Executable()
	if err != nil {
		return programs{}, fmt.Errorf("find this program: %w", err)
	}
	var p programs
	for name, path := range map[string]*string{"sallyport-controlplane": &p.controlPlane, "sallyport-edge": &p.edge} {
		*path = filepath.Join(filepath.Dir(self), name)
		if _, err := exec.LookPath(*path); err != nil {
			return programs{}, fmt.Errorf("%s is not beside this program: build all three with `make build`", *path)
		}
	}
	if p.postgres, err = postgres.FindBinaries(getenv("SALLYPORT_PG_BIN")); err != nil {
		return programs{}, err
	}
	if _, err := exec.LookPath(filepath.Join(p.postgres, "psql")); err != nil {
		return programs{}, fmt.Errorf("%s holds no psql: install Postgres's client, too (Debian, Ubuntu: apt-get install postgresql-client)", p.postgres)
	}
	if p.redis, err = redis.Find(getenv("SALLYPORT_REDIS_SERVER")); err != nil {
		return programs{}, fmt.Errorf("SALLYPORT_REDIS_SERVER: %w", err)
	}
	return p, nil
}

// environment is what our children get of ours. The settings of a person's command line are not meant for them.
func environment() []string {
	var kept []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "SALLYPORT_") {
			kept = append(kept, variable)
		}
	}
	return kept
}

// finish runs a program to its end and returns what it printed. It dies with us, and with ctx.
func finish(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var printed bytes.Buffer
	said := &launch.Tail{}
	cmd.Stdout, cmd.Stderr = &printed, said
	child, err := launch.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return "", err
	}
	select {
	case <-child.Done():
	case <-ctx.Done():
		child.Stop()
		return "", context.Cause(ctx)
	}
	if err := child.Wait(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, said.LastLines(3))
	}
	return printed.String(), nil
}
