package audit

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// Config is what a Log is made of.
type Config struct {
	BootID string
	// Send delivers a report. It is called by one goroutine at a time.
	Send func(context.Context, *edgev1.ReportRequest) (*edgev1.ReportResponse, error)
	// Serves tells whether the pool still serves a tenant. What is left of one that it does not is dropped.
	Serves func(tenantUID string) bool
	Now    func() time.Time
	Log    *slog.Logger
}

// Bounds of what is not numbered yet.
const (
	shards       = 16
	shardRecords = 4096
)

// Log takes records and ships them. Make it with New and run it with Run.
type Log struct {
	config  Config
	shards  [shards]shard
	full    chan struct{} // a shard fills up
	urgent  chan struct{} // something should be sent at once
	sending chan struct{} // holds a token while a report is on its way
	lost    atomic.Int64
	pending atomic.Int64

	mu     sync.Mutex // guards what follows; never taken by a request
	spools spools
}

type shard struct {
	mu      sync.Mutex
	records []entry
	dropped map[string]int // by tenant: what did not fit
	_       [24]byte       // shards are on cache lines of their own
}

type entry struct {
	tenantUID string
	record    *edgev1.Record
	kind      kind
}

// kind says what goes first when there is no room.
type kind int8

const (
	allowed kind = iota // requests that were allowed
	refused             // those that were not
	session             // a session that began or was used
	ended               // one that ended: until that is told, it is good at other edges
	gap                 // what says that others went

	lastEvicted = session
)

// New returns a log.
func New(c Config) *Log {
	return &Log{
		config: c, full: make(chan struct{}, 1), urgent: make(chan struct{}, 1), sending: make(chan struct{}, 1),
		spools: spools{limits: productionLimits, byTenant: map[string]*spool{}},
	}
}

// Access adds the record of a request. The caller must not change it afterwards.
func (l *Log) Access(tenantUID string, e *sallyportv1.AccessEvent) {
	k := refused
	if e.GetDecision().GetOutcome() == "ALLOW" {
		k = allowed
	}
	l.add(e.GetId(), entry{tenantUID, &edgev1.Record{Event: &edgev1.Record_Access{Access: e}}, k})
}

// Session adds what became of a session. The caller must not change it afterwards.
func (l *Log) Session(tenantUID string, e *edgev1.SessionEvent) {
	k := session
	if e.GetKind() == edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED {
		k = ended
	}
	l.add(e.GetSid(), entry{tenantUID, &edgev1.Record{Event: &edgev1.Record_Session{Session: e}}, k})
	if k == ended {
		kick(l.urgent)
	}
}

// add keeps a record. Records about one thing stay in order: they go to the shard of its name, which ends in random bits.
func (l *Log) add(name string, e entry) {
	s := &l.shards[0]
	if name != "" {
		s = &l.shards[name[len(name)-1]%shards]
	}
	s.mu.Lock()
	full := len(s.records) >= shardRecords && e.kind < session
	if full {
		if s.dropped == nil {
			s.dropped = map[string]int{}
		}
		s.dropped[e.tenantUID]++
	} else {
		s.records = append(s.records, e)
	}
	half := len(s.records) == shardRecords/2
	s.mu.Unlock()
	if half {
		kick(l.full)
	}
}

func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Pending is how many numbered records are not acknowledged, Lost how many did not fit since the start.
func (l *Log) Pending() int64 { return l.pending.Load() }

// Lost is how many records did not fit since the start. Each is in a gap record.
func (l *Log) Lost() int64 { return l.lost.Load() }

// collect moves what requests added into the spools, and numbers it. The caller holds mu.
func (l *Log) collect() {
	now := l.config.Now()
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		records, dropped := s.records, s.dropped
		s.records, s.dropped = nil, nil
		s.mu.Unlock()
		for _, e := range records {
			l.spools.put(e, now)
		}
		for tenantUID, n := range dropped {
			l.spools.lose(tenantUID, n, now)
		}
	}
	l.publish()
}

// publish makes the sums readable without the lock. The caller holds mu.
func (l *Log) publish() {
	l.lost.Store(l.spools.lost)
	l.pending.Store(int64(l.spools.records))
}
