package snapshot

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// opened is what was sealed in a tenant's snapshot, as far as the data keys that are here open it.
type opened struct {
	keys      Keys
	assertion []*AssertionKey
	providers []*IdentityProvider
}

// publish swaps the table. The caller holds mu.
func (s *Store) publish(t *tenant, changed edgev1.Lane) {
	if t.uid == PlatformUID {
		s.publishAll()
		return
	}
	table := s.table.Load()
	site := s.site(t, table.Pool)
	if site == nil {
		return
	}
	s.swap(table.with(site, changed == edgev1.Lane_LANE_URGENT))
}

// swap makes a table the one that the next request is decided on. The caller holds mu.
func (s *Store) swap(t *Table) {
	s.table.Store(t)
	close(s.swaps)
	s.swaps = make(chan struct{})
}

// publishAll makes every site anew, after a change of the pool. Whoever is not served any more is forgotten, keys and all.
func (s *Store) publishAll() {
	platform := s.tenants[PlatformUID]
	sites := map[string]*Site{}
	if platform.pool == nil {
		return
	}
	for uid, t := range s.tenants {
		if _, served := platform.pool.tenants[uid]; !served && uid != PlatformUID {
			delete(s.tenants, uid)
			continue
		}
		if site := s.site(t, platform.pool); site != nil {
			sites[uid] = site
		}
	}
	s.missing = time.Now() // whoever the pool serves from now on is on their way
	s.swap(tableOf(platform.pool, sites))
}

// site assembles a tenant's site, or nil if it cannot be served yet: without its revocations it must not be.
func (s *Store) site(t *tenant, pool *Pool) *Site {
	if pool == nil || t.config == nil || t.urgent == nil {
		return nil
	}
	if _, served := pool.tenants[t.uid]; !served {
		return nil
	}
	s.open(t)
	c, m := t.config, t.config.tenant
	site := &Site{
		TenantUID: t.uid, TenantID: m.GetId(), DisplayName: m.GetDisplayName(), AuthHost: m.GetAuthHost(), Disabled: m.GetDisabled(),
		Closed: t.urgent.foreign, Pool: pool, Program: c.program, Apps: c.apps, Revocations: t.urgent.revocations,
		Version:   version(t.lane(edgev1.Lane_LANE_CONFIG), t.lane(edgev1.Lane_LANE_URGENT)),
		Providers: t.opened.providers, Keys: t.opened.keys, AssertionKeys: t.opened.assertion,
		hosts: c.hosts, appByID: c.appByID, appByUID: c.appByUID, tokens: c.tokens, claimGroups: c.claimGroups, signInLists: c.signInLists, fresh: t.fresh,
	}
	if l := limits(m.GetSession()); l != nil {
		site.Session = *l
	}
	return site
}

// open opens what is sealed, if it or the keys changed since it last did.
func (s *Store) open(t *tenant) {
	if slices.Equal(t.openedProviders, t.config.providers) && t.openedUrgent == t.urgent && t.openedDataKeys == len(t.dataKeys) {
		return
	}
	t.openedProviders, t.openedUrgent, t.openedDataKeys = t.config.providers, t.urgent, len(t.dataKeys)
	t.opened = opened{}
	for _, k := range t.urgent.keysets {
		a, err := openKeyset(t.dataKeys, t.uid, s.poolUID, k.resource, k.message)
		if err != nil {
			s.lacking(t, err)
			continue
		}
		switch k.message.GetPurpose() {
		case "ticket":
			t.opened.keys.Ticket = a
		case "redis":
			t.opened.keys.Redis = a
		case "login":
			t.opened.keys.Login = a
		}
	}
	for _, k := range t.urgent.assertion {
		key, err := openAssertionKey(t.dataKeys, t.uid, s.poolUID, k.resource, k.message)
		if err != nil {
			s.lacking(t, err)
		}
		if key != nil {
			t.opened.assertion = append(t.opened.assertion, key)
		}
	}
	for _, p := range t.config.providers {
		m := p.message.(*edgev1.IdentityProvider)
		made := newProvider(m)
		if sealed := m.GetClientSecret(); sealed != nil {
			secret, err := t.dataKeys.open(sealed, t.uid, s.poolUID, p.GetKind(), p.GetUid(), "client_secret")
			if err != nil {
				s.lacking(t, errors.New("open the client secret of "+made.ID+": "+err.Error()))
			}
			made.ClientSecret = NewSecret(string(secret))
		}
		t.opened.providers = append(t.opened.providers, made)
	}
}

// lacking says that something sealed cannot be had. What needs it answers unavailable.key; the rest is served (CE-12).
func (s *Store) lacking(t *tenant, err error) {
	s.config.Log.Error("a sealed field of a snapshot cannot be opened", slog.String("tenant_uid", t.uid), slog.Any("error", err))
}

func version(config, urgent *lane) Version {
	return Version{Lineage: max(config.lineage, urgent.lineage), Config: config.counter, Urgent: urgent.counter, UrgentLineage: urgent.lineage}
}
