package dev

import "fmt"

// tenant is a customer of the demo. What it has beyond this is in deploy/demo.
type tenant struct {
	id, name string
	apps     []string
}

// edge is one edge of the demo, with the Redis of its region.
type edge struct {
	name, region            string
	port, health, redisPort int
}

const (
	poolID      = "dev"
	robot       = "ci" // the service account that gets a token
	firstTenant = "acme"
)

func tenants() []tenant {
	return []tenant{
		{id: firstTenant, name: "Acme", apps: []string{"wiki", "api"}},
		{id: "globex", name: "Globex", apps: []string{"wiki"}},
	}
}

func (c Config) edges() []edge {
	return []edge{
		{name: "eu-1", region: "eu", port: c.Edge1, health: c.Edge1Health, redisPort: c.Redis1},
		{name: "us-1", region: "us", port: c.Edge2, health: c.Edge2Health, redisPort: c.Redis2},
	}
}

func (t tenant) host(name string) string { return name + "." + t.id + ".localhost" }

// hosts are what the tenant's certificate is for. The last is for apps that somebody adds.
func (t tenant) hosts() []string {
	hosts := []string{t.host("auth")}
	for _, app := range t.apps {
		hosts = append(hosts, t.host(app))
	}
	return append(hosts, t.host("*"))
}

func (e edge) url(host string) string { return fmt.Sprintf("https://%s:%d", host, e.port) }
func (e edge) healthURL() string      { return fmt.Sprintf("http://localhost:%d", e.health) }
func (e edge) redis() string          { return "redis " + e.region }
func (e edge) part() string           { return "edge " + e.name }
