package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/recorded"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

const (
	// MaxEvents is how many recorded events one simulation reads at most, those that it passes over too.
	MaxEvents = 1_000_000
	// MaxTime is how long one may take.
	MaxTime = 5 * time.Minute

	maxRuns       = 4 // at a time, of one process
	maxTenantRuns = 2 // of these, about one tenant
	someExamples  = 3
	usually       = 7 * 24 * time.Hour
	page          = 2_000
	lookUpEvery   = 64 // events, to see whether to go on
	touchEvery    = 5 * time.Second
	tellEvery     = 500 * time.Millisecond
	draftAgain    = 3 // times that a draft is put upon a policy that moves on
)

// Config is what [New] needs.
type Config struct {
	DB      *store.DB
	Changes *changeset.Service
	Now     func() time.Time
}

// Service simulates.
type Service struct {
	Config

	mu    sync.Mutex
	total int
	runs  map[controlplane.UID]int
	rows  int // of a query
}

// New makes a Service.
func New(config Config) *Service {
	return &Service{Config: config, runs: map[controlplane.UID]int{}, rows: MaxEvents}
}

// Query says which recorded events are looked at. What is zero is filled in.
type Query struct {
	Scope        controlplane.Scope
	Draft        *changeset.Set // nil is none
	Since, Until time.Time
	App          string
	MaxEvents    int
	Examples     int

	rows int // events of all apps that are gone through for those of one
}

// Progress is how far a simulation is.
type Progress struct {
	Events, MaxEvents int64
	Reached           time.Time // it goes from the newest to the oldest
}

// Read is what was read.
type Read struct {
	Since, Until time.Time
	Events       int64
	Oldest       time.Time
	Truncated    bool
	Notes        []string
}

// Summary is what came out.
type Summary struct {
	Read
	Revision           controlplane.Revision
	Decided, Unchanged int64
	Gains, Losses      Moves
	Changes            []*Change
	Undecidable        []*Count
	Skipped            []*Count
	Drift              int64
	Drifts             []*Change
}

// Run simulates. It tells how far it is about twice a second; an error of tell ends it.
func (s *Service) Run(ctx context.Context, caller *controlplane.Caller, q Query, tell func(Progress) error) (*Summary, error) {
	ctx, leave, err := s.begin(ctx, caller, &q)
	if err != nil {
		return nil, err
	}
	defer leave()
	for range draftAgain {
		var sides []*side
		var upon controlplane.Revision
		if q.Draft != nil {
			err := s.Changes.Preview(ctx, caller, q.Draft, func(_ *store.TenantTx, site *policy.Site, at controlplane.Revision) error {
				upon, sides = at, []*side{newSide(site)}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		var summary *Summary
		err = s.DB.Read(ctx, q.Scope.UID, func(tx *store.TenantTx) error {
			head := tx.Head()
			revision := head.Revision(controlplane.Config)
			if q.Draft != nil && revision != upon {
				return errMoved
			}
			site, err := s.Changes.Site(tx)
			if err != nil {
				return err
			}
			r := newRun(&q, append([]*side{newSide(site)}, sides...), tell)
			r.Revision = revision
			if r.judge.eras, err = newEras(tx); err != nil {
				return err
			}
			summary, err = r.Summary, r.all(ctx, tx)
			return err
		})
		if !errors.Is(err, errMoved) {
			return summary, err
		}
	}
	return nil, &controlplane.Error{
		Kind: controlplane.Unavailable, Reason: controlplane.ReasonStoreDown, RetryAfter: time.Second,
		Message: "the policy changed while the draft was put upon it: try again", Cause: errMoved,
	}
}

var errMoved = errors.New("the policy is another one by now")

// begin checks a query, fills it in and takes a place for it.
func (s *Service) begin(ctx context.Context, caller *controlplane.Caller, q *Query) (context.Context, func(), error) {
	if err := caller.Enter(q.Scope.UID); err != nil {
		return nil, nil, err
	}
	if err := caller.Require(controlplane.ReadActivity); err != nil {
		return nil, nil, err
	}
	if q.Until.IsZero() {
		q.Until = s.Now()
	}
	if q.Since.IsZero() {
		q.Since = q.Until.Add(-usually)
	}
	if !q.Since.Before(q.Until) {
		return nil, nil, controlplane.InvalidFields(controlplane.Violation{
			Field: "since", Reason: controlplane.ReasonFieldInvalid, Description: "nothing is between since and until: since must be earlier",
		})
	}
	if q.MaxEvents == 0 {
		q.MaxEvents = MaxEvents
	}
	if q.Examples == 0 {
		q.Examples = someExamples
	}
	q.rows = s.rows
	leave, err := s.enter(q.Scope.UID)
	if err != nil {
		return nil, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, MaxTime)
	return bounded, func() {
		cancel()
		leave()
	}, nil
}

// enter takes a place. It is by the tenant looked into: its events are what costs.
func (s *Service) enter(of controlplane.UID) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxRuns {
		return nil, quota("too many simulations run: wait for one to end", "simulations", maxRuns)
	}
	if s.runs[of] >= maxTenantRuns {
		return nil, quota("too many simulations of this tenant run: wait for one to end", "tenant-simulations", maxTenantRuns)
	}
	s.total++
	s.runs[of]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.total--
		if s.runs[of]--; s.runs[of] == 0 {
			delete(s.runs, of)
		}
	}, nil
}

func quota(message, name string, limit int) error {
	return &controlplane.Error{
		Kind: controlplane.Exhausted, Reason: controlplane.ReasonQuota, RetryAfter: 10 * time.Second,
		Message: message, Metadata: map[string]string{"quota": name, "limit": fmt.Sprint(limit)},
	}
}

// run is one simulation.
type run struct {
	*Summary
	query *Query
	judge *judge
	tally tally
	tell  func(Progress) error
	lost  int64 // records that others say are missing
}

func newRun(q *Query, sides []*side, tell func(Progress) error) *run {
	return &run{
		Summary: &Summary{Read: Read{Since: q.Since, Until: q.Until}}, query: q, tell: tell,
		judge: newJudge(sides, maxPeople), tally: tally{each: q.Examples, left: maxExamples},
	}
}

func (r *run) all(ctx context.Context, tx *store.TenantTx) error {
	if err := r.Read.all(ctx, tx, r.query, r.tell, r.event); err != nil {
		return err
	}
	r.Gains.order()
	r.Losses.order()
	orderChanges(r.Changes)
	orderChanges(r.Drifts)
	orderCounts(r.Undecidable)
	orderCounts(r.Skipped)
	if r.lost > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("Edges could not report %d records of that time, so what was asked then is not all here.", r.lost))
	}
	if r.query.App != "" && r.Events == 0 {
		if app, there := r.query.App, r.judge.sides[0]; !slices.Contains(there.Apps(), app) {
			note := fmt.Sprintf("There is no app %q", app)
			if near := controlplane.Nearest(app, there.Apps()); near != "" {
				note += fmt.Sprintf("; there is %q", near)
			}
			r.Notes = append(r.Notes, note+".")
		}
	}
	return nil
}

// all reads events, newest first, page by page of one instant.
func (r *Read) all(ctx context.Context, tx *store.TenantTx, q *Query, tell func(Progress) error, each func(id string, raw *recorded.Raw) error) error {
	scan := &store.EventScan{Since: q.Since, Until: q.Until, App: q.App, Page: page}
	if q.App == "" {
		scan.Page = min(page, q.MaxEvents+1)
	}
	now := time.Now()
	p := pace{told: now, asked: now, tell: tell, touch: tx.StayOpen}
	var raw recorded.Raw
	for rows := 0; ; {
		more, err := tx.ScanEvents(scan)
		if err != nil {
			return err
		}
		p.asked = time.Now()
		judged := 0
		for id, event := range scan.All {
			if r.Events == int64(q.MaxEvents) {
				r.Truncated = true
				break
			}
			r.Events++
			if !recorded.Scan(event, &raw) {
				raw = recorded.Raw{}
			}
			if err := each(id, &raw); err != nil {
				return err
			}
			if judged++; judged%lookUpEvery == 0 {
				if err := p.keep(ctx, r, q); err != nil {
					return err
				}
			}
		}
		if at, err := time.Parse(time.RFC3339Nano, recorded.Text(raw.Time)); err == nil {
			r.Oldest, p.reached = at, at
		}
		if at, err := ulid.ParseStrict(scan.Last); err == nil && scan.Passed > 0 {
			p.reached = at.Timestamp().UTC()
		}
		if rows += judged + scan.Passed; q.App != "" && rows >= q.rows && more && !r.Truncated {
			r.Truncated, r.Oldest = true, p.reached
			r.Notes = append(r.Notes, fmt.Sprintf("The newest %d recorded requests of all apps were gone through for those to %s: no more are.", rows, q.App))
		}
		if !more || r.Truncated {
			return nil
		}
		if err := p.keep(ctx, r, q); err != nil {
			return err
		}
	}
}

// pace ends what goes on for too long or without its client, tells how far it is, and touches the transaction, which
// Postgres ends if nothing is asked of it for too long.
type pace struct {
	told, asked, reached time.Time
	tell                 func(Progress) error
	touch                func() error
}

func (p *pace) keep(ctx context.Context, r *Read, q *Query) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := time.Now()
	if now.Sub(p.asked) >= touchEvery {
		p.asked = now
		if err := p.touch(); err != nil {
			return err
		}
	}
	if now.Sub(p.told) < tellEvery {
		return nil
	}
	p.told = now
	return p.tell(Progress{r.Events, int64(q.MaxEvents), p.reached})
}

func (r *run) event(id string, raw *recorded.Raw) error {
	if why := left(raw); why != "" {
		if why == whyGap {
			r.lost += missing(raw.Gap)
		}
		r.tally.count(&r.Skipped, why, nil)
		return nil
	}
	e, why, err := r.judge.event(raw)
	switch {
	case err != nil:
		return err
	case why == whyUnreadable:
		r.tally.count(&r.Skipped, why, nil)
		return nil
	}
	r.drifted(id, raw, &e, why)
	if why != "" {
		r.tally.count(&r.Undecidable, why, r.example(id, raw, &e))
		return nil
	}
	r.Decided++
	before, after := e.recorded, e.outcome[0]
	if r.query.Draft != nil {
		before, after = e.outcome[0], e.outcome[1]
	}
	switch {
	case e.same || before.Outcome == after.Outcome:
		r.Unchanged++
	case after.Outcome == allow:
		r.tally.move(&r.Gains, r.example(id, raw, &e), after)
	case before.Outcome == allow:
		r.tally.move(&r.Losses, r.example(id, raw, &e), after)
	default:
		r.tally.change(&r.Changes, before.Outcome, after.Outcome, r.example(id, raw, &e))
	}
	return nil
}

// drifted counts what came out otherwise than the policy of today would have it.
func (r *run) drifted(id string, raw *recorded.Raw, e *judged, why string) {
	if r.query.Draft == nil || why == whyCut || !e.certain[0] || e.recorded.Outcome == e.outcome[0].Outcome {
		return
	}
	r.Drift++
	r.tally.change(&r.Drifts, e.recorded.Outcome, e.outcome[0].Outcome, r.example(id, raw, e))
}

func (r *run) example(id string, raw *recorded.Raw, e *judged) *Example {
	x := newExample(id, raw, e.who.who, e.time)
	x.Recorded = e.recorded
	after := 0
	if r.query.Draft != nil {
		after = 1
		if e.certain[0] {
			x.Before = new(e.outcome[0])
		}
	}
	if e.certain[after] {
		x.After = new(e.outcome[after])
	}
	return x
}

func newExample(id string, raw *recorded.Raw, who recorded.Principal, at time.Time) *Example {
	return &Example{
		ID: "d_" + id, Time: at, Who: who, App: recorded.Text(raw.App), Operation: recorded.Text(raw.Operation),
		Method: recorded.Text(raw.Method), Host: recorded.Text(raw.Host), Path: recorded.Text(raw.Path),
	}
}
