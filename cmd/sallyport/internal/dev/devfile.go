package dev

import (
	"errors"
	"log/slog"
	"os"
	"sync"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/ca"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/idp"
)

// document is dev.json, where scripts and tests look. Its keys are stable. It is there while everything runs.
type document struct {
	Tenant           string            `json:"tenant"`
	CAFile           string            `json:"ca_file"`
	Resolve          string            `json:"resolve"` // the address of every host in here
	ControlPlane     controlPlaneEntry `json:"control_plane"`
	Edges            []edgeEntry       `json:"edges"`
	Apps             []appEntry        `json:"apps"`
	People           []personEntry     `json:"people"`
	ServiceAccounts  []serviceEntry    `json:"service_accounts"`
	SecondTenant     secondTenantEntry `json:"second_tenant"`
	IDPIssuer        string            `json:"idp_issuer"`
	PostgresURL      string            `json:"postgres_url"` // as the API's role
	PostgresOwnerURL string            `json:"postgres_owner_url"`
	PostgresPID      int               `json:"postgres_pid"`
	Upstreams        map[string]string `json:"upstreams"`
}

type controlPlaneEntry struct {
	URL           string `json:"url"`
	SyncURL       string `json:"sync_url"`
	HealthURL     string `json:"health_url"`
	AdminToken    string `json:"admin_token"`
	OperatorToken string `json:"operator_token"`
	PID           int    `json:"pid"`
}

type edgeEntry struct {
	Name      string `json:"name"`
	Region    string `json:"region"`
	Port      int    `json:"port"`
	AuthURL   string `json:"auth_url"`
	HealthURL string `json:"health_url"`
	DataDir   string `json:"data_dir"`
	PID       int    `json:"pid"`
	RedisAddr string `json:"redis_addr"`
	RedisPID  int    `json:"redis_pid"` // 0: the substitute, in this process
}

type appEntry struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type personEntry struct {
	Email    string   `json:"email"`
	Password string   `json:"password"`
	Groups   []string `json:"groups"`
}

type serviceEntry struct {
	Name  string `json:"name"`
	Token string `json:"token"`
}

type secondTenantEntry struct {
	Tenant     string   `json:"tenant"`
	AdminToken string   `json:"admin_token"`
	Hosts      []string `json:"hosts"`
}

// devFile keeps the document on disk while pids change, which is known in other goroutines.
type devFile struct {
	path string
	log  *slog.Logger

	mu        sync.Mutex
	document  document
	published bool
}

// update changes the document, and the file if there is one already.
func (f *devFile) update(change func(*document)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.document)
	if !f.published {
		return
	}
	if err := writeJSON(f.path, f.document); err != nil {
		f.log.Error("dev.json is out of date", "error", err)
	}
}

// publish writes the file for the first time: everything in it is true from now on.
func (f *devFile) publish() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.published = true
	return writeJSON(f.path, f.document)
}

// withdraw removes the file. What an earlier, killed start left names processes that may be anybody's by now.
func (f *devFile) withdraw() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.published = false
	if err := os.Remove(f.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// describe fills in what is known before anything has started.
func (e *engine) describe(authority *ca.Authority, provider *idp.Provider) {
	all, edges := tenants(), e.config.edges()
	first, second := all[0], all[1]
	d := document{
		Tenant: first.id, CAFile: authority.File(), Resolve: "127.0.0.1",
		ControlPlane: controlPlaneEntry{URL: e.config.controlPlaneURL(), SyncURL: e.config.syncURL(), HealthURL: e.config.healthURL()},
		SecondTenant: secondTenantEntry{Tenant: second.id},
		IDPIssuer:    e.config.issuer(),
		Upstreams:    map[string]string{"wiki": e.config.wikiURL(), "api": e.config.apiURL()},
	}
	for _, at := range edges {
		d.Edges = append(d.Edges, edgeEntry{
			Name: at.name, Region: at.region, Port: at.port, AuthURL: at.url(first.host("auth")), HealthURL: at.healthURL(), DataDir: e.config.edgeDir(at),
		})
	}
	for _, app := range first.apps {
		d.Apps = append(d.Apps, appEntry{Name: app, URL: edges[0].url(first.host(app))})
	}
	for _, app := range second.apps {
		d.SecondTenant.Hosts = append(d.SecondTenant.Hosts, second.host(app))
	}
	for _, person := range provider.People() {
		d.People = append(d.People, personEntry{Email: person.Email, Password: person.Password, Groups: person.Groups})
	}
	e.file.update(func(current *document) { *current = d })
}

// describeTokens fills in what was made, or found to be good.
func (e *engine) describeTokens() {
	e.file.update(func(d *document) {
		d.ControlPlane.AdminToken, d.ControlPlane.OperatorToken = e.keep.Admins[d.Tenant], e.keep.Operator
		d.SecondTenant.AdminToken = e.keep.Admins[d.SecondTenant.Tenant]
		d.ServiceAccounts = []serviceEntry{}
		if e.keep.Service != "" {
			d.ServiceAccounts = append(d.ServiceAccounts, serviceEntry{Name: robot, Token: e.keep.Service})
		}
	})
}
