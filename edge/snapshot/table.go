package snapshot

import "maps"

// Table is all that an edge knows at one instant. It is immutable: a request loads it once.
type Table struct {
	// Pool is nil until the platform's first snapshot: nothing can be served before.
	Pool *Pool

	sites map[string]*Site  // by tenant uid
	hosts map[string]string // to tenant uid; "" where two tenants claim a host
}

// Host finds whose host it is. app is nil on the tenant's auth host. host is canonical.
func (t *Table) Host(host string) (site *Site, app *App, ok bool) {
	site = t.sites[t.hosts[host]]
	if site == nil {
		return nil, nil, false
	}
	app, ok = site.hosts[host]
	return site, app, ok
}

// Site returns a tenant's site, or nil.
func (t *Table) Site(tenantUID string) *Site { return t.sites[tenantUID] }

// Sites calls yield for every site, in no order.
func (t *Table) Sites(yield func(*Site) bool) {
	for _, s := range t.sites {
		if !yield(s) {
			return
		}
	}
}

// Complete reports whether every tenant of the pool is there, so that a host which is not here is nobody's.
func (t *Table) Complete() bool { return t.Pool != nil && len(t.sites) == len(t.Pool.tenants) }

// Served is how many tenants of the pool are served, and of how many the snapshot is not there.
func (t *Table) Served() (served, missing int) {
	if t.Pool == nil {
		return 0, 0
	}
	return len(t.sites), len(t.Pool.tenants) - len(t.sites)
}

// with returns a table in which the site replaces its tenant's. sameHosts saves building the map of hosts anew.
func (t *Table) with(s *Site, sameHosts bool) *Table {
	next := &Table{Pool: t.Pool, sites: maps.Clone(t.sites), hosts: t.hosts}
	next.sites[s.TenantUID] = s
	if !sameHosts {
		next.hosts = hostsOf(next.sites)
	}
	return next
}

// hostsOf joins the hosts of all tenants. The control plane lets no two have one; if they do, neither gets it.
func hostsOf(sites map[string]*Site) map[string]string {
	hosts := map[string]string{}
	for uid, s := range sites {
		for h := range s.hosts {
			if _, taken := hosts[h]; taken {
				hosts[h] = ""
				continue
			}
			hosts[h] = uid
		}
	}
	return hosts
}
