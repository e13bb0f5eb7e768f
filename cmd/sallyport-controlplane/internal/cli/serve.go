package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/internal/settings"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
	"github.com/sallyport-iap/sallyport/controlplane/server"
)

type serveCommand struct {
	AppURL      string `name:"app-url" help:"Database as the role sallyport_app. Secret." placeholder:"URL"`
	AppURLFile  string `name:"app-url-file" help:"File that holds --app-url." placeholder:"FILE"`
	FeedURL     string `name:"feed-url" help:"Database as the role sallyport_feed. Secret." placeholder:"URL"`
	FeedURLFile string `name:"feed-url-file" help:"File that holds --feed-url." placeholder:"FILE"`
	KeyFile     string `help:"Deployment key, made by 'keys init'." placeholder:"FILE"`

	APIListen    string `name:"api-listen" help:"Address of the API. Put it behind something that ends TLS." default:":8080"`
	SyncListen   string `help:"Address for edges (TLS with the internal CA)." default:":8081"`
	HealthListen string `help:"Private address of /livez, /readyz, /metrics and /debug/pprof/." default:"127.0.0.1:8090"`

	DatabaseWait string `help:"How long to wait for a database that cannot be reached." default:"1m"`
	DrainDelay   string `help:"At the end: how long to take requests after /readyz went off, for load balancers to notice." default:"0s"`
	DrainTimeout string `help:"At the end: how long requests may take to finish." default:"10s"`

	logging
}

// Run serves until ctx ends.
func (c *serveCommand) Run(ctx context.Context, env process.Env, s *settings.Settings) error {
	app, feed := secretURL{flag: "app-url", given: c.AppURL, file: c.AppURLFile}, secretURL{flag: "feed-url", given: c.FeedURL, file: c.FeedURLFile}
	log, logErr := c.open(env)
	wait, waitErr := duration("database-wait", c.DatabaseWait, 0)
	drainDelay, delayErr := duration("drain-delay", c.DrainDelay, 0)
	drainTimeout, timeoutErr := duration("drain-timeout", c.DrainTimeout, time.Millisecond)
	keys, keyErr := openKeys(c.KeyFile)
	if err := check(s, app.read(), feed.read(), keyErr, logErr, waitErr, delayErr, timeoutErr); err != nil {
		return err
	}
	log.InfoContext(ctx, "starting", "version", version, slog.Group("settings",
		"app_url", app.redacted(), "feed_url", feed.redacted(), "key_file", c.KeyFile,
		"api_listen", c.APIListen, "sync_listen", c.SyncListen, "health_listen", c.HealthListen,
		"database_wait", c.DatabaseWait, "drain_delay", c.DrainDelay, "drain_timeout", c.DrainTimeout,
		"log_format", c.LogFormat, "log_level", c.LogLevel))
	listeners, err := listen(ctx, []address{{"api-listen", c.APIListen}, {"sync-listen", c.SyncListen}, {"health-listen", c.HealthListen}})
	if err != nil {
		return err
	}
	return server.Run(ctx, server.Config{
		AppURL: app.value, FeedURL: feed.value, DatabaseWait: wait, Keys: keys,
		API: listeners[0], Sync: listeners[1], Health: listeners[2],
		DrainDelay: drainDelay, DrainTimeout: drainTimeout, Version: version, Log: log,
	})
}

func openKeys(path string) (*keyring.Keyring, error) {
	if path == "" {
		return nil, fmt.Errorf("--key-file (or %s) is required", variable("key-file"))
	}
	keys, err := keyring.Open(path)
	if errors.Is(err, keyring.ErrNoKey) {
		return nil, fmt.Errorf("--key-file: %w; make one with: sallyport-controlplane keys init --key-file %s", err, path)
	}
	if err != nil {
		return nil, fmt.Errorf("--key-file: %w", err)
	}
	return keys, nil
}

// address is what a flag says to listen on.
type address struct{ flag, value string }

// listen opens all addresses or none, and names the flag of each that it cannot.
func listen(ctx context.Context, addresses []address) ([]net.Listener, error) {
	var listeners []net.Listener
	var faults []error
	for _, a := range addresses {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.value)
		if err != nil {
			faults = append(faults, fmt.Errorf("--%s: %w", a.flag, err))
			continue
		}
		listeners = append(listeners, l)
	}
	if len(faults) > 0 {
		for _, l := range listeners {
			_ = l.Close()
		}
		return nil, errors.Join(faults...)
	}
	return listeners, nil
}
