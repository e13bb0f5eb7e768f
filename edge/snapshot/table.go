package snapshot

import "slices"

// Table is all that an edge knows at one instant. It is immutable: a request loads it once.
type Table struct {
	// Pool is nil until the platform's first snapshot: nothing can be served before.
	Pool *Pool

	sites sharded[*Site]    // by tenant uid
	hosts sharded[[]string] // to the uids of the tenants that claim them
}

// tableOf joins sites.
func tableOf(pool *Pool, sites map[string]*Site) *Table {
	var all edit[*Site]
	var hosts edit[[]string]
	for uid, s := range sites {
		all.set(uid, s)
		claim(&hosts, nil, s)
	}
	return &Table{Pool: pool, sites: all.sharded, hosts: hosts.sharded}
}

// Host finds whose host it is. app is nil on the tenant's auth host. host is canonical. The control plane lets no two tenants
// have one; if they do, neither gets it.
func (t *Table) Host(host string) (site *Site, app *App, ok bool) {
	uids, _ := t.hosts.get(host)
	if len(uids) != 1 {
		return nil, nil, false
	}
	site = t.Site(uids[0])
	app, ok = site.hosts[host]
	return site, app, ok
}

// Site returns a tenant's site, or nil.
func (t *Table) Site(tenantUID string) *Site {
	site, _ := t.sites.get(tenantUID)
	return site
}

// Sites calls yield for every site, in no order.
func (t *Table) Sites(yield func(*Site) bool) {
	for _, s := range t.sites.all {
		if !yield(s) {
			return
		}
	}
}

// Complete reports whether every tenant of the pool is there, so that a host which is not here is nobody's.
func (t *Table) Complete() bool { return t.Pool != nil && t.sites.size == len(t.Pool.tenants) }

// Served is how many tenants of the pool are served, and of how many the snapshot is not there.
func (t *Table) Served() (served, missing int) {
	if t.Pool == nil {
		return 0, 0
	}
	return t.sites.size, len(t.Pool.tenants) - t.sites.size
}

// with returns a table in which the site replaces its tenant's. It costs what the tenant is large, not all of them: an edge
// that starts does it for each of perhaps 10,000. sameHosts saves looking for hosts that came or went.
func (t *Table) with(s *Site, sameHosts bool) *Table {
	before := t.Site(s.TenantUID)
	sites := edit[*Site]{sharded: t.sites}
	sites.set(s.TenantUID, s)
	next := &Table{Pool: t.Pool, sites: sites.sharded, hosts: t.hosts}
	if before == nil || !sameHosts {
		hosts := edit[[]string]{sharded: t.hosts}
		claim(&hosts, before, s)
		next.hosts = hosts.sharded
	}
	return next
}

// claim takes back the hosts that a tenant has no more, and adds those that it has now. Lists of claims are shared: each
// change is a new one.
func claim(hosts *edit[[]string], before, now *Site) {
	if before != nil {
		for h := range before.hosts {
			if _, still := now.hosts[h]; still {
				continue
			}
			uids, _ := hosts.get(h)
			if uids = slices.DeleteFunc(slices.Clone(uids), func(uid string) bool { return uid == now.TenantUID }); len(uids) == 0 {
				hosts.remove(h)
				continue
			}
			hosts.set(h, uids)
		}
	}
	for h := range now.hosts {
		if uids, _ := hosts.get(h); !slices.Contains(uids, now.TenantUID) {
			hosts.set(h, append(slices.Clone(uids), now.TenantUID))
		}
	}
}
