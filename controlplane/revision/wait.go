package revision

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Limits of one call of Wait.
const (
	DefaultTimeout = 30 * time.Second
	MaxTimeout     = time.Minute
	// lookAgain is how often a wait looks without being told: edges fall silent without telling.
	lookAgain = time.Second
)

// Config is what the service needs; every field is required.
type Config struct {
	DB  *store.DB
	Now func() time.Time
}

// Service answers how far changes have come.
type Service struct {
	cfg Config

	drain   chan struct{}
	mu      sync.Mutex
	waiting map[controlplane.UID]map[chan struct{}]struct{}
}

// New makes the service.
func New(cfg Config) *Service {
	return &Service{cfg: cfg, drain: make(chan struct{}), waiting: make(map[controlplane.UID]map[chan struct{}]struct{})}
}

// Drain ends all waits with what is known, now and from now on: this process is going, and clients ask another one.
// Call it once.
func (s *Service) Drain() { close(s.drain) }

// State is where a tenant and its edges are.
type State struct {
	Config, Urgent controlplane.Revision
	Edges          []EdgeRevision
}

// Get returns the tenant's newest revisions and what every accountable edge has.
func (s *Service) Get(ctx context.Context, caller *controlplane.Caller, tenant controlplane.UID) (*State, error) {
	if err := caller.Enter(tenant); err != nil {
		return nil, err
	}
	head, err := s.head(ctx, tenant)
	if err != nil {
		return nil, err
	}
	edges, err := s.cfg.DB.System().Edges(ctx, tenant)
	if err != nil {
		return nil, fmt.Errorf("read edges of tenant %s: %w", tenant, err)
	}
	state := &State{Config: head.Revision(controlplane.Config), Urgent: head.Revision(controlplane.Urgent)}
	for _, e := range edges {
		if standing, r := judge(e, state.Config, head.Lineage, s.cfg.Now()); standing != released {
			state.Edges = append(state.Edges, r)
		}
	}
	return state, nil
}

// WaitRequest says what to wait for.
type WaitRequest struct {
	Tenant   controlplane.UID
	Revision controlplane.Revision
	Pool     string        // id; "" for all that serve the tenant
	Timeout  time.Duration // 0 answers at once
}

// Wait answers as soon as no connected edge is behind the revision, or when the time is up.
func (s *Service) Wait(ctx context.Context, caller *controlplane.Caller, request WaitRequest) (*WaitResult, error) {
	if err := caller.Enter(request.Tenant); err != nil {
		return nil, err
	}
	return s.wait(ctx, request)
}

// Enforced reports whether every accountable edge has a revision by the deadline: for callers inside the control plane.
func (s *Service) Enforced(ctx context.Context, tenant controlplane.UID, want controlplane.Revision, timeout time.Duration) (bool, error) {
	result, err := s.wait(ctx, WaitRequest{Tenant: tenant, Revision: want, Timeout: timeout})
	if err != nil {
		return false, err
	}
	return result.Result == Enforced, nil
}

func (s *Service) wait(ctx context.Context, request WaitRequest) (*WaitResult, error) {
	// Told from here on: what is acknowledged after the first look is not missed.
	told := s.join(request.Tenant)
	defer s.leave(request.Tenant, told)

	head, err := s.head(ctx, request.Tenant)
	if err != nil {
		return nil, err
	}
	if newest := head.Revision(request.Revision.Lane); request.Revision.Number > newest.Number {
		return nil, controlplane.InvalidFields(controlplane.Violation{
			Field: "revision", Reason: controlplane.ReasonFieldInvalid,
			Description: fmt.Sprintf("%s does not exist yet: the newest is %q", request.Revision, newest),
		})
	}
	committed, _, err := s.cfg.DB.System().CommitTime(ctx, request.Tenant, request.Revision)
	if err != nil {
		return nil, fmt.Errorf("read when %s was committed: %w", request.Revision, err)
	}
	deadline := time.NewTimer(min(request.Timeout, MaxTimeout))
	defer deadline.Stop()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		result, err := s.look(ctx, request, head.Lineage)
		if err != nil {
			return nil, err
		}
		result.CommitTime = committed
		if result.Result == Enforced && result.EnforceTime.Before(committed) {
			result.EnforceTime = committed // nobody had to be waited for
		}
		if result.Result != Pending {
			return result, nil
		}
		select {
		case <-told:
		case <-again.C:
		case <-deadline.C:
			return result, nil
		case <-s.drain:
			return result, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *Service) look(ctx context.Context, request WaitRequest, lineage string) (*WaitResult, error) {
	edges, err := s.cfg.DB.System().Edges(ctx, request.Tenant)
	if err != nil {
		return nil, fmt.Errorf("read edges of tenant %s: %w", request.Tenant, err)
	}
	if request.Pool != "" {
		var of []store.EdgeState
		for _, e := range edges {
			if strings.HasPrefix(e.Edge.Name, "edgePools/"+request.Pool+"/") {
				of = append(of, e)
			}
		}
		edges = of
	}
	return judgeAll(edges, request.Revision, lineage, s.cfg.Now()), nil
}

func (s *Service) head(ctx context.Context, tenant controlplane.UID) (store.Head, error) {
	var head store.Head
	err := s.cfg.DB.Read(ctx, tenant, func(tx *store.TenantTx) error {
		head = tx.Head()
		return nil
	})
	return head, err
}

// Acknowledged tells whoever waits that something may have come further; "" tells all.
func (s *Service) Acknowledged(tenant controlplane.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for uid, waiting := range s.waiting {
		if tenant != "" && uid != tenant {
			continue
		}
		for told := range waiting {
			select {
			case told <- struct{}{}:
			default:
			}
		}
	}
}

func (s *Service) join(tenant controlplane.UID) chan struct{} {
	told := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[tenant] == nil {
		s.waiting[tenant] = make(map[chan struct{}]struct{})
	}
	s.waiting[tenant][told] = struct{}{}
	return told
}

func (s *Service) leave(tenant controlplane.UID, told chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting[tenant], told)
	if len(s.waiting[tenant]) == 0 {
		delete(s.waiting, tenant)
	}
}
