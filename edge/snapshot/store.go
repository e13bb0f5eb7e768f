package snapshot

import (
	"crypto/hpke"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// PlatformUID is the tenant whose snapshot says which tenants the pool serves, and how.
const PlatformUID = "00000000-0000-0000-0000-000000000000"

// Config is what a Store is made of.
type Config struct {
	HeadKeys []*edgev1.HeadKey // pinned at enrolment
	Private  hpke.PrivateKey   // that data keys are wrapped to
	Log      *slog.Logger
	// Swapped is called after a change of a tenant is what the next request is decided on, and before it is acknowledged:
	// open streams are decided again here.
	Swapped func(tenantUID string)
}

// Store takes updates and publishes tables. It is safe for concurrent use; updates of one (tenant, lane) come one at a
// time, as the protocol has it.
type Store struct {
	config Config
	table  atomic.Pointer[Table]

	mu      sync.Mutex
	keys    headKeys // copied on write
	poolUID string   // pinned by the platform's first snapshot
	tenants map[string]*tenant
	swaps   chan struct{} // closed, and replaced, when the table is
	missing time.Time     // since when tenants are missing that may be on their way; zero: none is
}

// tenant is the state of one tenant, guarded by Store.mu.
type tenant struct {
	uid             string
	lanes           map[edgev1.Lane]*lane
	config          *config // nil until there is one
	urgent          *urgent
	pool            *Pool // of the platform
	dataKeys        dataKeys
	fresh           *freshness
	opened          opened
	openedProviders []*resource
	openedUrgent    *urgent
	openedDataKeys  int
}

// New returns a store that knows nothing yet.
func New(c Config) *Store {
	s := &Store{config: c, keys: headKeys{}, tenants: map[string]*tenant{}, swaps: make(chan struct{}), missing: time.Now()}
	s.keys.add(c.HeadKeys)
	s.table.Store(&Table{})
	return s
}

// Table is what to decide the next request on.
func (s *Store) Table() *Table { return s.table.Load() }

// TrustHeadKeys adds keys that sign heads. They may only come over the authenticated connection to the control plane.
func (s *Store) TrustHeadKeys(keys []*edgev1.HeadKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = maps.Clone(s.keys)
	s.keys.add(keys)
}

// Withdraw forgets everything, and the edge serves nothing: it was disabled or deleted.
func (s *Store) Withdraw() {
	s.mu.Lock()
	uids := make([]string, 0, len(s.tenants))
	for uid := range s.tenants {
		uids = append(uids, uid)
	}
	s.tenants = map[string]*tenant{}
	s.missing = time.Time{}
	s.swap(&Table{})
	s.mu.Unlock()
	for _, uid := range uids {
		s.swapped(uid)
	}
}

func (s *Store) swapped(tenantUID string) {
	if s.config.Swapped != nil {
		s.config.Swapped(tenantUID)
	}
}

// Have says what this edge has, to resume from there.
func (s *Store) Have() map[string]*edgev1.Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := make(map[string]*edgev1.Version, len(s.tenants))
	for uid, t := range s.tenants {
		have[uid] = t.version()
	}
	return have
}

// version names both lanes. A lane that is still of an older history counts as absent.
func (t *tenant) version() *edgev1.Version {
	config, urgent := t.lane(edgev1.Lane_LANE_CONFIG), t.lane(edgev1.Lane_LANE_URGENT)
	v := &edgev1.Version{Lineage: max(config.lineage, urgent.lineage)}
	if config.lineage == v.Lineage {
		v.Config, v.ConfigChain = config.counter, config.chain
	}
	if urgent.lineage == v.Lineage {
		v.Urgent, v.UrgentChain = urgent.counter, urgent.chain
	}
	return v
}

func (t *tenant) lane(l edgev1.Lane) *lane {
	if have := t.lanes[l]; have != nil {
		return have
	}
	return &lane{}
}

// tenant returns a tenant's state, made if need be. The caller holds mu.
func (s *Store) tenant(uid string) *tenant {
	t := s.tenants[uid]
	if t == nil {
		t = &tenant{uid: uid, lanes: map[edgev1.Lane]*lane{}, dataKeys: dataKeys{}, fresh: &freshness{}}
		s.tenants[uid] = t
	}
	return t
}
