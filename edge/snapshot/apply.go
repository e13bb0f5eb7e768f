package snapshot

import (
	"log/slog"
	"maps"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Apply verifies, compiles and publishes an update. Exactly one of the results is nil. When Applied is returned, the next
// request is decided on the update.
func (s *Store) Apply(u *edgev1.Update) (*edgev1.Applied, *edgev1.Refused) {
	applied, offered, refusal := s.apply(u)
	if refusal == nil {
		s.swapped(u.GetTenantUid())
		return applied, nil
	}
	s.config.Log.Error("an update was refused; the last good state is kept", slog.String("tenant_uid", u.GetTenantUid()),
		slog.String("lane", laneName(u.GetLane())), slog.Int64("to", u.GetTo()), slog.String("error", refusal.Error()))
	return nil, &edgev1.Refused{TenantUid: u.GetTenantUid(), Lane: u.GetLane(), Offered: offered, Reason: refusal.Reason, Detail: refusal.Detail}
}

func (s *Store) apply(u *edgev1.Update) (*edgev1.Applied, *edgev1.Version, *Refusal) {
	h, refusal := s.verify(u.GetHead(), u.GetTenantUid())
	if refusal != nil {
		return nil, nil, refusal
	}
	offered := h.GetVersion()
	if l := u.GetLane(); l != edgev1.Lane_LANE_CONFIG && l != edgev1.Lane_LANE_URGENT {
		return nil, offered, refuse(wrongBase, "there is no lane %d", l)
	}
	s.mu.Lock()
	t := s.tenant(u.GetTenantUid())
	before, config := t.lane(u.GetLane()), t.config
	s.mu.Unlock()
	// Everything that takes time happens without the lock: another tenant's or lane's update is not held up.
	next, refusal := before.next(u, h)
	if refusal != nil {
		return nil, offered, refusal
	}
	made, refusal := compile(u, config, next)
	if refusal != nil {
		return nil, offered, refusal
	}
	keys := s.unwrapAll(u)

	s.mu.Lock()
	defer s.mu.Unlock()
	t = s.tenant(u.GetTenantUid())
	if have := t.lanes[u.GetLane()]; have != before && (have != nil || before.lineage != "") {
		return nil, offered, refuse(wrongBase, "another update of the lane came in between")
	}
	if made.pool != nil {
		if refusal := s.pin(made.pool, h); refusal != nil {
			return nil, offered, refusal
		}
	}
	t.lanes[u.GetLane()] = next
	t.take(made)
	if len(keys) > 0 {
		t.dataKeys = maps.Clone(t.dataKeys)
		maps.Copy(t.dataKeys, keys)
	}
	t.confirm(h)
	s.publish(t, u.GetLane())
	return &edgev1.Applied{TenantUid: t.uid, At: t.version(), ClosedApps: t.closedApps()}, offered, nil
}

// Head takes a head that came alone: proof that nothing changed. It is refused only if it says that a lane of the same
// counter has another state.
func (s *Store) Head(signed *edgev1.SignedHead) *edgev1.Refused {
	h, refusal := s.verify(signed, "")
	if refusal != nil {
		s.config.Log.Error("a head was refused", slog.String("error", refusal.Error()))
		return &edgev1.Refused{Reason: refusal.Reason, Detail: refusal.Detail}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[h.GetTenantUid()]
	if t == nil {
		return nil
	}
	which, contradicted := t.confirm(h)
	if !contradicted {
		return nil
	}
	s.config.Log.Error("a signed head contradicts the state here", slog.String("tenant_uid", t.uid), slog.String("lane", laneName(which)))
	return &edgev1.Refused{TenantUid: t.uid, Lane: which, Offered: h.GetVersion(), Reason: badRoot, Detail: "the state here is not the state that was signed"}
}

// confirm notes which lanes a head shows to be current.
func (t *tenant) confirm(h *head) (which edgev1.Lane, contradicted bool) {
	for _, l := range []edgev1.Lane{edgev1.Lane_LANE_CONFIG, edgev1.Lane_LANE_URGENT} {
		same, contradicts := t.lane(l).confirms(h, l)
		switch {
		case contradicts:
			which, contradicted = l, true
		case same && l == edgev1.Lane_LANE_CONFIG:
			newer(&t.fresh.config, h.issued)
		case same:
			newer(&t.fresh.urgent, h.issued)
		}
	}
	return which, contradicted
}

// verify checks a head's signature, tenant ("" is any) and pool.
func (s *Store) verify(signed *edgev1.SignedHead, tenantUID string) (*head, *Refusal) {
	s.mu.Lock()
	keys, poolUID := s.keys, s.poolUID
	s.mu.Unlock()
	h, refusal := keys.open(signed)
	if refusal != nil {
		return nil, refusal
	}
	switch {
	case tenantUID != "" && h.GetTenantUid() != tenantUID:
		return nil, refuse(badSignature, "the head is of another tenant")
	case poolUID == "" && h.GetTenantUid() != PlatformUID:
		return nil, refuse(wrongBase, "the platform's snapshot comes first: it says which pool this edge is of")
	case poolUID != "" && h.GetPoolUid() != poolUID:
		return nil, refuse(badSignature, "the head is for pool %q, this edge is of %q", h.GetPoolUid(), poolUID)
	}
	return h, nil
}

// pin holds the edge to the pool that the platform's first snapshot names. The caller holds mu.
func (s *Store) pin(p *Pool, h *head) *Refusal {
	if p.UID != h.GetPoolUid() {
		return refuse(badSignature, "the head is for pool %q, its snapshot names %q", h.GetPoolUid(), p.UID)
	}
	s.poolUID = p.UID
	return nil
}

// unwrapAll opens the data keys that came with an update. One that does not open is as good as missing.
func (s *Store) unwrapAll(u *edgev1.Update) dataKeys {
	s.mu.Lock()
	poolUID := s.poolUID
	s.mu.Unlock()
	keys := dataKeys{}
	for _, w := range u.GetDataKeys() {
		k, err := unwrap(s.config.Private, u.GetTenantUid(), poolUID, w)
		if err != nil {
			s.config.Log.Error("a data key does not open", slog.String("tenant_uid", u.GetTenantUid()), slog.Any("error", err))
			continue
		}
		keys[w.GetKeyId()] = k
	}
	return keys
}

// compiled is what an update's lane became: exactly one is set, none for the platform's urgent lane.
type compiled struct {
	config *config
	urgent *urgent
	pool   *Pool
}

func compile(u *edgev1.Update, before *config, l *lane) (compiled, *Refusal) {
	switch {
	case u.GetLane() == edgev1.Lane_LANE_URGENT:
		urgent, refusal := compileUrgent(l)
		return compiled{urgent: urgent}, refusal
	case u.GetTenantUid() == PlatformUID:
		pool, refusal := compilePool(l)
		return compiled{pool: pool}, refusal
	default:
		config, refusal := compileConfig(before, l)
		return compiled{config: config}, refusal
	}
}

func (t *tenant) take(made compiled) {
	switch {
	case made.config != nil:
		t.config = made.config
	case made.urgent != nil:
		t.urgent = made.urgent
	case made.pool != nil:
		t.pool = made.pool
	}
}

func (t *tenant) closedApps() []string {
	if t.config == nil {
		return nil
	}
	if t.urgent != nil && t.urgent.foreign {
		all := make([]string, len(t.config.apps))
		for i, a := range t.config.apps {
			all[i] = a.ID
		}
		return all
	}
	return t.config.closed
}
