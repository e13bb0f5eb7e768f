// Package cli is the command line of sallyport-edge: flags, environment and file become one checked configuration, and an
// edge is run with it.
//
// It must never print a secret, and never begin to serve with a configuration that has a fault.
package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/sallyport-iap/sallyport/cmd/internal/commandline"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/internal/settings"
	"github.com/sallyport-iap/sallyport/edge/facts"
	"github.com/sallyport-iap/sallyport/edge/listener"
	"github.com/sallyport-iap/sallyport/edge/uplink"
)

// version is what this program says it is; the linker sets it for releases.
var version = "dev"

const description = `An edge of Sallyport.

Every flag can also be set in the environment (--sync-url is SALLYPORT_SYNC_URL) or in the file named by --config
(YAML: "sync-url: https://…"). A flag wins over the environment, and the environment over the file. Secrets are files.`

// Options is the configuration of an edge.
type Options struct {
	Config string `help:"YAML file with settings, by the flags' names." placeholder:"FILE"`

	SyncURL       string `help:"Where the control plane takes edges." placeholder:"URL"`
	JoinTokenFile string `help:"File that holds a join token (spj_…). Needed once: after that, the identity is in --data-dir." placeholder:"FILE"`
	DataDir       string `help:"Where the edge keeps its identity. Private keys are in it." placeholder:"DIR"`

	Listen       string   `help:"Address for clients (TLS)." default:":8443"`
	PublicPort   int      `help:"Port that clients use, if it is not the one of --listen." placeholder:"PORT"`
	TLSCert      []string `name:"tls-cert" help:"Certificate chain, PEM; once for each --tls-key, in the same order. Chosen by server name." placeholder:"FILE"`
	TLSKey       []string `name:"tls-key" help:"Private key, PEM." placeholder:"FILE"`
	HealthListen string   `help:"Loopback address of /livez, /readyz, /metrics and /debug/pprof/." default:"127.0.0.1:8491"`

	RedisAddr         string `help:"The region's session store, host:port. Without one, sealed cookies carry every session." placeholder:"ADDR"`
	RedisUsername     string `help:"User name for Redis." placeholder:"NAME"`
	RedisPasswordFile string `help:"File that holds the password for Redis." placeholder:"FILE"`

	CountryDB string `name:"country-db" help:"Database of countries or cities by address, in MaxMind's format (.mmdb). Without one, every country is unknown." placeholder:"FILE"`

	Name   string `help:"The edge's id, such as eu-1. If set, an identity of another edge is refused." placeholder:"ID"`
	Region string `help:"Where the edge is; sessions remember it." placeholder:"REGION"`

	MaxConnections             int `help:"Connections of clients at the same time; 0 is 20,000, or what the limit of open files leaves room for."`
	MaxConnectionsPerSource    int `help:"Of them, those of one address (IPv4) or /64 (IPv6), trusted proxies aside; 0 is 4,000, or half of all. A /48 may have twice as many, up to half of all."`
	MaxNewConnectionsPerSource int `help:"Of them, those that have not sent a request yet; 0 is 2,048, or half of all."`

	DrainDelay   time.Duration `help:"At the end: how long to take requests after /readyz went off, for load balancers to notice." default:"0s"`
	DrainTimeout time.Duration `help:"At the end: how long requests may take to finish." default:"30s"`

	LogFormat string `help:"json or text." default:"json"`
	LogLevel  string `help:"debug, info, warn or error." default:"info"`

	Version kong.VersionFlag `help:"Print the version."`
}

// Run parses the command line and runs the edge.
func Run(ctx context.Context, env process.Env) error {
	var o Options
	from := &settings.Settings{Prefix: "SALLYPORT_", Getenv: env.Getenv}
	parsed, err := commandline.Parse(env, &o,
		kong.Name("sallyport-edge"), kong.Description(description), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Vars{"version": version}, kong.Resolvers(from))
	if parsed == nil {
		return err
	}
	c, err := o.check(env)
	if err := from.Faults(err); err != nil {
		return &process.Exit{Status: commandline.Misused, Err: fmt.Errorf("%w\nSee sallyport-edge --help", err)}
	}
	c.log.InfoContext(ctx, "starting", "version", version, slog.Group("settings",
		"sync_url", o.SyncURL, "data_dir", o.DataDir, "listen", o.Listen, "public_port", c.publicPort, "health_listen", o.HealthListen,
		"tls_cert", o.TLSCert, "country_db", o.CountryDB, "redis_addr", o.RedisAddr, "redis_password", redacted(c.redisPassword), "name", o.Name, "region", o.Region,
		"max_connections", o.MaxConnections, "max_connections_per_source", o.MaxConnectionsPerSource, "max_new_connections_per_source", o.MaxNewConnectionsPerSource,
		"drain_delay", o.DrainDelay.String(), "drain_timeout", o.DrainTimeout.String(), "log_format", o.LogFormat, "log_level", o.LogLevel))
	return c.run(ctx)
}

func redacted(secret string) string {
	if secret == "" {
		return ""
	}
	return "REDACTED"
}

// configuration is Options, checked and read.
type configuration struct {
	Options
	log           *slog.Logger
	publicPort    int
	joinToken     string
	redisPassword string
	certificates  *listener.Certificates
	countries     *facts.Countries
}

// check returns the configuration, or all that is wrong with it.
func (o Options) check(env process.Env) (*configuration, error) {
	c := &configuration{Options: o}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	var err error
	if c.log, err = process.Logger(env.Stderr, o.LogFormat, o.LogLevel); err != nil {
		fault("--log-format, --log-level: %w", err)
		c.log = slog.New(slog.DiscardHandler)
	}
	if u, err := url.Parse(o.SyncURL); o.SyncURL == "" {
		fault("--sync-url is required")
	} else if err != nil || u.Scheme != "https" || u.Host == "" {
		fault("--sync-url: must be a URL such as https://controlplane.example:8081")
	}
	if o.DataDir == "" {
		fault("--data-dir is required")
	}
	if c.publicPort, err = o.port(); err != nil {
		fault("%w", err)
	}
	if !loopback(o.HealthListen) {
		fault("--health-listen: %q is not a loopback address; whoever reaches it sees profiles and metrics", o.HealthListen)
	}
	if len(o.TLSCert) != len(o.TLSKey) || len(o.TLSCert) == 0 {
		fault("--tls-cert, --tls-key: one pair at least, and as many of the one as of the other")
	} else if c.certificates, err = listener.LoadCertificates(pairs(o.TLSCert, o.TLSKey), c.log); err != nil {
		fault("--tls-cert, --tls-key: %w", err)
	}
	if o.CountryDB == "" {
		// Then every country is unknown.
	} else if c.countries, err = facts.LoadCountries(o.CountryDB, c.log); err != nil {
		fault("--country-db: %w", err)
	}
	// The token is good once: an edge that has joined may find its file gone.
	if c.joinToken, err = secret(o.JoinTokenFile); err != nil && !uplink.Joined(o.DataDir) {
		fault("--join-token-file: %w", err)
	}
	if c.redisPassword, err = secret(o.RedisPasswordFile); err != nil {
		fault("--redis-password-file: %w", err)
	}
	if min(o.MaxConnections, o.MaxConnectionsPerSource, o.MaxNewConnectionsPerSource) < 0 {
		fault("--max-connections, --max-connections-per-source, --max-new-connections-per-source: must not be negative")
	}
	if o.DrainDelay < 0 || o.DrainTimeout <= 0 {
		fault("--drain-delay, --drain-timeout: must not be negative, and the time-out not zero")
	}
	return c, errors.Join(faults...)
}

// port is the one that clients use.
func (o Options) port() (int, error) {
	if o.PublicPort != 0 {
		if o.PublicPort < 0 || o.PublicPort > 65535 {
			return 0, fmt.Errorf("--public-port: %d is no port", o.PublicPort)
		}
		return o.PublicPort, nil
	}
	_, text, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return 0, fmt.Errorf("--listen: must be an address such as :8443")
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("--listen: %q is no port; clients must know it (or --public-port)", text)
	}
	return int(port), nil
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func pairs(certificates, keys []string) []listener.Pair {
	list := make([]listener.Pair, len(certificates))
	for i := range certificates {
		list[i] = listener.Pair{Certificate: certificates[i], Key: keys[i]}
	}
	return list
}

// secret reads a file that holds one secret; "" is none. No error shows what is in it.
func secret(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	content, err := settings.ReadFile(path)
	return strings.TrimSpace(string(content)), err
}
