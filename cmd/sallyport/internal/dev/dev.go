package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/postgres"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/ca"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/idp"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/ports"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/supervise"
)

// engine is one run of the demo.
type engine struct {
	config   Config
	programs programs
	keep     *credentials
	file     *devFile
	log      *slog.Logger
	logs     logs
	out      io.Writer
}

// Run runs everything until ctx is cancelled or a part has failed for good.
func Run(ctx context.Context, config Config, env process.Env) error {
	begun := time.Now()
	if config.FollowParent {
		if err := launch.FollowParent(); err != nil {
			return fmt.Errorf("follow the parent process: %w", err)
		}
	}
	found, err := findPrograms(env.Getenv)
	if err != nil {
		return err
	}
	release, err := enter(config.StateDir)
	if err != nil {
		return err
	}
	defer release()
	if err := config.choosePorts(ctx); err != nil {
		return err
	}
	keep, err := openCredentials(config.path("credentials.json"))
	if err != nil {
		return err
	}

	lines := supervise.NewLines(env.Stderr)
	log, err := process.Logger(lines.Prefix("dev"), "text", "warn")
	if err != nil {
		return err
	}
	e := &engine{
		config: config, programs: found, keep: keep, log: log, logs: logs{dir: config.path("log")}, out: env.Stdout,
		file: &devFile{path: config.path("dev.json"), log: log},
	}
	if config.Logs {
		e.logs.screen = lines.Prefix
	}
	if err := e.file.withdraw(); err != nil {
		return err
	}
	fmt.Fprintln(env.Stdout, "Starting Sallyport on this machine. Its data is in", config.StateDir)
	group := supervise.NewGroup(env.Stdout)
	defer group.Stop()
	people, err := e.start(ctx, group)
	if err != nil {
		return err
	}
	if err := e.file.publish(); err != nil {
		return err
	}
	defer func() { _ = e.file.withdraw() }() // the next start will, if this fails
	e.welcome(people, time.Since(begun))
	err = group.Wait(ctx)
	fmt.Fprintln(env.Stdout, "Stopping.")
	return err
}

// enter makes the directory ours for as long as we run.
func enter(dir string) (release func(), err error) {
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // Postgres does not run as root, and has to pass through; the files are closed each by itself
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return nil, err
	}
	release, err = launch.Lock(dir)
	if inUse := (*launch.InUse)(nil); errors.As(err, &inUse) {
		return nil, fmt.Errorf("`sallyport dev` runs already in %s; another one needs another --state-dir and other ports", dir)
	}
	return release, err
}

const (
	lastBreath = 1500 * time.Millisecond // for the programs of a start that was killed a moment ago
	lookEvery  = 50 * time.Millisecond
)

// choosePorts makes sure that we can have the ports we were told to use, and picks those that may be any.
func (c *Config) choosePorts(ctx context.Context) error {
	begun := time.Now()
	for {
		err := ports.Check(c.uses()...)
		if err == nil {
			break
		}
		if time.Since(begun) > lastBreath {
			return err
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for _, port := range []*int{&c.Postgres, &c.Redis1, &c.Redis2} {
		chosen, err := launch.Port(*port)
		if err != nil {
			return err
		}
		*port = chosen // the same for every restart of that program
	}
	return nil
}

// start brings everything up, stage by stage, and returns who can sign in.
func (e *engine) start(ctx context.Context, group *supervise.Group) ([]idp.Person, error) {
	authority, err := ca.Open(e.config.StateDir)
	if err != nil {
		return nil, err
	}
	provider, err := e.config.openDirectory()
	if err != nil {
		return nil, err
	}
	e.describe(authority, provider)
	e.warnOfSubstitute()

	servers := make(chan *postgres.Server, 1)
	behind, err := e.firstStage(ctx, provider, authority, servers)
	if err != nil {
		return nil, err
	}
	if err := group.Start(ctx, behind...); err != nil {
		return nil, err
	}
	if err := e.prepare(ctx, <-servers); err != nil {
		return nil, err
	}

	controlPlane, err := e.secondStage()
	if err != nil {
		return nil, err
	}
	if err := group.Start(ctx, controlPlane); err != nil {
		return nil, err
	}
	s := &seed{config: e.config, keep: e.keep, bootstrap: e.bootstrap, clientSecret: provider.ClientSecret()}
	if err := s.plant(ctx); err != nil {
		return nil, err
	}

	edges, err := e.thirdStage(ctx, s.operator, authority)
	if err != nil {
		return nil, err
	}
	if err := group.Start(ctx, edges...); err != nil {
		return nil, err
	}
	for _, t := range tenants() {
		if err := awaitEnforced(ctx, s.admins[t.id], "tenants/"+t.id); err != nil {
			return nil, err
		}
	}
	e.describeTokens()
	return provider.People(), nil
}

// firstStage is everything that needs nothing else.
func (e *engine) firstStage(ctx context.Context, provider *idp.Provider, authority *ca.Authority, servers chan<- *postgres.Server) ([]supervise.Part, error) {
	database, err := e.postgres(servers)
	if err != nil {
		return nil, err
	}
	parts := []supervise.Part{database}
	for index, at := range e.config.edges() {
		cache, err := e.redis(index, at)
		if err != nil {
			return nil, err
		}
		parts = append(parts, cache)
	}
	wiki, api := e.apps(authority.File())
	for _, server := range []struct {
		name, flag string
		port       int
		handler    http.Handler
	}{
		{"identity provider", "--idp-port", e.config.Directory, provider.Handler()},
		{"wiki", "--wiki-port", e.config.Wiki, wiki},
		{"API", "--api-port", e.config.API, api},
	} {
		part, err := e.inProcess(ctx, server.name, server.flag, server.port, server.handler)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}
