package changeset

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/lint"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/turn"
)

// Config is what [New] needs.
type Config struct {
	DB *store.DB
	// CheckPool says what is wrong with an edge pool, given a way to ask whether a tenant exists.
	CheckPool func(pool *controlplane.EdgePool, tenantExists func(id string) (bool, error)) ([]controlplane.Violation, error)
	// Now says as of when a policy is linted; nil: nobody is told what can hardly be meant. Nothing that is written
	// depends on it.
	Now func() time.Time
}

// Previews at a time, of one process and of one tenant: each compiles a tenant's policy and has a connection meanwhile.
const (
	maxPreviews       = 4
	maxTenantPreviews = 2
)

// Service reads and writes configuration.
type Service struct {
	db        *store.DB
	sites     *sites
	previews  *turn.Turns
	checkPool func(*controlplane.EdgePool, func(string) (bool, error)) ([]controlplane.Violation, error)
	now       func() time.Time
}

// New makes a Service.
func New(config Config) *Service {
	return &Service{
		db: config.DB, sites: newSites(maxKept), checkPool: config.CheckPool, now: config.Now,
		previews: turn.New(turn.Config{What: "drafts", All: maxPreviews, Each: maxTenantPreviews}),
	}
}

// Apply brings a set about, if the caller may.
func (s *Service) Apply(ctx context.Context, caller *controlplane.Caller, set *Set) (*Result, error) {
	if err := caller.Enter(set.Scope.UID); err != nil {
		return nil, err
	}
	return s.apply(ctx, caller, set, func(fn func(*store.TenantTx) error) error { return s.db.Tenant(ctx, set.Scope.UID, fn) })
}

// ApplyNew brings a set about in a tenant that is made in the same transaction.
func (s *Service) ApplyNew(ctx context.Context, caller *controlplane.Caller, set *Set) (*Result, error) {
	return s.apply(ctx, caller, set, func(fn func(*store.TenantTx) error) error {
		return s.db.CreateTenant(ctx, set.Scope.UID, set.Scope.ID, fn)
	})
}

func (s *Service) apply(ctx context.Context, caller *controlplane.Caller, set *Set, transact func(func(*store.TenantTx) error) error) (*Result, error) {
	outside, err := s.lookOutside(ctx, set)
	if err != nil {
		return nil, err
	}
	var result *Result
	var r *run
	err = transact(func(tx *store.TenantTx) error {
		r = s.run(tx, caller, set)
		r.outside = outside
		var err error
		result, err = r.all()
		return err
	})
	if err != nil {
		return nil, placeHost(err, set, result)
	}
	if set.ValidateOnly && s.now != nil && r.after != nil {
		result.Warnings, err = s.lint(ctx, set.Scope.UID, r)
	}
	return result, err
}

// lint finds what a set brings that can hardly be meant. It comes after the transaction, so that no writer waits for it.
func (s *Service) lint(ctx context.Context, tenant controlplane.UID, r *run) ([]lint.Finding, error) {
	give, err := s.previews.Take(ctx, tenant)
	if err != nil {
		return nil, err
	}
	defer give()
	return lint.New(ctx, r.before, r.after, s.now())
}

// Replay returns the answer that a set of the same request id got, if there was one, in a scope that it made itself.
func (s *Service) Replay(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, set *Set) (answer []byte, seen bool, err error) {
	err = s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		var err error
		answer, seen, err = tx.SeenRequest(caller, set.RequestID, set.Digest)
		return err
	})
	return answer, seen, err
}

// PutIn writes one resource in a transaction that does more than that, on behalf of the system: no role is asked for.
func (s *Service) PutIn(tx *store.TenantTx, caller *controlplane.Caller, resource *controlplane.Resource) (changed bool, err error) {
	head := tx.Head()
	set := &Set{Scope: controlplane.Scope{UID: head.TenantUID, ID: head.ID}, Items: []Item{{
		Kind: resource.Kind, ID: resource.ID, Action: Replace,
		Write: func(*controlplane.Resource) (Desired, error) { return Desired{Resource: resource}, nil },
	}}}
	if head.TenantUID == controlplane.PlatformUID {
		set.Scope.ID = ""
	}
	r := s.run(tx, caller, set)
	r.trusted = true
	result, err := r.all()
	if err != nil {
		return false, err
	}
	return len(result.Changes) > 0, nil
}

func (s *Service) run(tx *store.TenantTx, caller *controlplane.Caller, set *Set) *run {
	return &run{
		tx: tx, caller: caller, set: set, sites: s.sites, checkPool: s.checkPool,
		current: map[key]*controlplane.Resource{}, ids: map[controlplane.Kind][]string{},
	}
}

// outside is what a set depends on beyond its own tenant. It is read before the transaction, for one transaction sees one
// tenant only; an edge checks the addresses again whenever it dials.
type outside struct {
	opened  []netip.Prefix // networks that a pool of the tenant opens for upstreams
	signIn  []netip.Prefix // networks that a pool that signs in opens for issuers
	tenants map[string]bool
}

func (s *Service) lookOutside(ctx context.Context, set *Set) (outside, error) {
	var out outside
	has := func(kinds ...controlplane.Kind) bool {
		return slices.ContainsFunc(set.Items, func(i Item) bool { return i.Action != Delete && slices.Contains(kinds, i.Kind) })
	}
	if has(controlplane.KindEdgePool) {
		heads, err := s.db.System().Heads(ctx)
		if err != nil {
			return out, fmt.Errorf("list tenants: %w", err)
		}
		out.tenants = map[string]bool{}
		for _, h := range heads {
			out.tenants[h.ID] = h.TenantUID != controlplane.PlatformUID
		}
	}
	if !has(controlplane.KindApp, controlplane.KindIdentityProvider) {
		return out, nil
	}
	err := s.db.Read(ctx, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		pools, err := tx.AllResources(controlplane.KindEdgePool)
		out.opened, out.signIn = nil, nil
		for _, p := range pools {
			out.open(p.Spec.(*controlplane.EdgePool), set.Scope.ID)
		}
		return err
	})
	if err != nil {
		return out, fmt.Errorf("read edge pools: %w", err)
	}
	return out, nil
}

func (o *outside) open(pool *controlplane.EdgePool, tenant string) {
	if !slices.Contains(pool.Tenants, tenant) {
		return
	}
	for _, text := range pool.AllowedUpstreamCIDRs {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			continue // opens nothing
		}
		o.opened = append(o.opened, network)
		if pool.Login {
			o.signIn = append(o.signIn, network)
		}
	}
}

// placeHost names the field of a host that somebody else has. The store notices it at the end of the transaction, where
// it knows the host and not who asked for it.
func placeHost(err error, set *Set, planned *Result) error {
	taken, ok := errors.AsType[*controlplane.Error](err)
	if !ok || taken.Reason != controlplane.ReasonHostTaken || planned == nil {
		return err
	}
	for i, r := range planned.Resources {
		if field := hostField(r, taken.Metadata["host"]); field != "" {
			placed := *taken
			placed.Violations = []controlplane.Violation{{Field: join(set.Items[i].At, field), Reason: taken.Reason, Description: taken.Message}}
			return &placed
		}
	}
	return err
}

func hostField(r *controlplane.Resource, host string) string {
	if r == nil {
		return ""
	}
	switch spec := r.Spec.(type) {
	case *controlplane.App:
		if i := slices.Index(spec.Hosts, host); i >= 0 {
			return fmt.Sprintf("hosts[%d]", i)
		}
	case *controlplane.Tenant:
		if spec.AuthHost == host {
			return "auth_host"
		}
	}
	return ""
}

// join puts a field's path behind the path of the resource that it is in.
func join(at, field string) string {
	switch {
	case at == "":
		return field
	case field == "":
		return at
	default:
		return at + "." + field
	}
}
