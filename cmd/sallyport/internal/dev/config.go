package dev

import (
	"fmt"
	"path/filepath"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/ports"
)

// Config is the command line.
type Config struct {
	StateDir  string `default:".sallyport" help:"Where data, keys, tokens, logs and dev.json are kept."`
	NoRestart bool   `help:"Leave what died where it is, instead of starting it again after a second."`
	Logs      bool   `help:"Print what the programs log, too. It is in DIR/log in any case."`
	CountryDB string `name:"country-db" placeholder:"FILE" help:"For the edges: a database of countries by address, in MaxMind's format."`
	Ports     `embed:""`

	// Whoever starts us through another program (make) wants us to go when that goes.
	FollowParent bool `hidden:""`
}

// Ports are the ports to listen on, all on 127.0.0.1. Those of the databases may be 0: any free one.
type Ports struct {
	ControlPlane       int `name:"control-plane-port" default:"8080" help:"Control plane, API."`
	ControlPlaneSync   int `name:"control-plane-sync-port" default:"8081" help:"Control plane, edges."`
	ControlPlaneHealth int `name:"control-plane-health-port" default:"8090" help:"Control plane, health and metrics."`
	Edge1              int `name:"edge1-port" default:"8443" help:"Edge eu-1, HTTPS."`
	Edge1Health        int `name:"edge1-health-port" default:"8491" help:"Edge eu-1, health and metrics."`
	Edge2              int `name:"edge2-port" default:"8444" help:"Edge us-1, HTTPS."`
	Edge2Health        int `name:"edge2-health-port" default:"8492" help:"Edge us-1, health and metrics."`
	Directory          int `name:"idp-port" default:"5556" help:"Identity provider."`
	Wiki               int `name:"wiki-port" default:"9001" help:"The wiki, behind the edges."`
	API                int `name:"api-port" default:"9002" help:"The JSON API, behind the edges."`
	Postgres           int `name:"postgres-port" default:"0" help:"Postgres; 0 for any free one."`
	Redis1             int `name:"redis1-port" default:"0" help:"Redis of region eu; 0 for any free one."`
	Redis2             int `name:"redis2-port" default:"0" help:"Redis of region us; 0 for any free one."`
}

// uses lists the ports with the flags that change them.
func (p Ports) uses() []ports.Use {
	uses := []ports.Use{
		{Flag: "--control-plane-port", For: "control plane, API", Port: p.ControlPlane},
		{Flag: "--control-plane-sync-port", For: "control plane, edges", Port: p.ControlPlaneSync},
		{Flag: "--control-plane-health-port", For: "control plane, health", Port: p.ControlPlaneHealth},
		{Flag: "--edge1-port", For: "edge eu-1, HTTPS", Port: p.Edge1},
		{Flag: "--edge1-health-port", For: "edge eu-1, health", Port: p.Edge1Health},
		{Flag: "--edge2-port", For: "edge us-1, HTTPS", Port: p.Edge2},
		{Flag: "--edge2-health-port", For: "edge us-1, health", Port: p.Edge2Health},
		{Flag: "--idp-port", For: "identity provider", Port: p.Directory},
		{Flag: "--wiki-port", For: "the wiki", Port: p.Wiki},
		{Flag: "--api-port", For: "the JSON API", Port: p.API},
	}
	for _, database := range []ports.Use{
		{Flag: "--postgres-port", For: "Postgres", Port: p.Postgres},
		{Flag: "--redis1-port", For: "Redis of region eu", Port: p.Redis1},
		{Flag: "--redis2-port", For: "Redis of region us", Port: p.Redis2},
	} {
		if database.Port != 0 {
			uses = append(uses, database)
		}
	}
	return uses
}

func (c Config) path(elements ...string) string {
	return filepath.Join(append([]string{c.StateDir}, elements...)...)
}

func (c Config) issuer() string          { return local("http", c.Directory) }
func (c Config) controlPlaneURL() string { return local("http", c.ControlPlane) }
func (c Config) syncURL() string         { return local("https", c.ControlPlaneSync) }
func (c Config) healthURL() string       { return local("http", c.ControlPlaneHealth) }
func (c Config) wikiURL() string         { return "http://" + launch.Loopback(c.Wiki) }
func (c Config) apiURL() string          { return "http://" + launch.Loopback(c.API) }

func local(scheme string, port int) string { return fmt.Sprintf("%s://localhost:%d", scheme, port) }
