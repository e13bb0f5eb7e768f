// Package tenant makes and removes tenants, and is where a tenant's name in a request becomes a scope: the one place that
// decides whether a caller may so much as know that a tenant exists. A tenant that is not the caller's and one that does
// not exist must never be told apart.
package tenant

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Config is what [New] needs.
type Config struct {
	DB      *store.DB
	Changes *changeset.Service
}

// Service finds, makes and removes tenants.
type Service struct {
	db      *store.DB
	changes *changeset.Service
}

// New makes a Service.
func New(config Config) *Service { return &Service{db: config.DB, changes: config.Changes} }

// Platform returns the scope of the operator's resources.
func (s *Service) Platform(caller *controlplane.Caller) (controlplane.Scope, error) {
	scope := controlplane.Scope{UID: controlplane.PlatformUID}
	return scope, caller.Enter(scope.UID)
}

// Find returns the scope of a tenant by its id.
func (s *Service) Find(ctx context.Context, caller *controlplane.Caller, id string) (controlplane.Scope, error) {
	if !caller.Operator() {
		if id == "" || id != caller.TenantID {
			return controlplane.Scope{}, controlplane.NotFoundError()
		}
		return controlplane.Scope{UID: caller.TenantUID, ID: id}, nil
	}
	// The platform is a tenant to the store, but has names of its own.
	if id == controlplane.PlatformParent {
		return controlplane.Scope{}, controlplane.NotFoundError()
	}
	uid, err := s.db.System().TenantUID(ctx, id)
	if err != nil {
		return controlplane.Scope{}, err
	}
	return controlplane.Scope{UID: uid, ID: id}, caller.Enter(uid)
}

// List returns up to limit tenants, ordered by id, from behind after on: all for operators, for others their own.
func (s *Service) List(ctx context.Context, caller *controlplane.Caller, after string, limit int) ([]Found, error) {
	scopes := []controlplane.Scope{{UID: caller.TenantUID, ID: caller.TenantID}}
	if caller.Operator() {
		heads, err := s.db.System().Tenants(ctx, after, limit)
		if err != nil {
			return nil, err
		}
		scopes = nil
		for _, h := range heads {
			scopes = append(scopes, controlplane.Scope{UID: h.TenantUID, ID: h.ID})
		}
	} else if caller.TenantID <= after {
		scopes = nil
	}
	var all []Found
	for _, scope := range scopes {
		r, err := s.changes.Get(ctx, caller, scope, controlplane.KindTenant, scope.ID)
		if controlplane.KindOf(err) == controlplane.NotFound {
			continue // it went between the two reads
		}
		if err != nil {
			return nil, fmt.Errorf("read tenant %s: %w", scope.ID, err)
		}
		all = append(all, Found{Scope: scope, Resource: r})
	}
	return all, nil
}

// Found is a tenant and its own resource.
type Found struct {
	Scope    controlplane.Scope
	Resource *controlplane.Resource
}

// Create makes a tenant with the resource that the set's only item describes. The set's scope is filled in.
func (s *Service) Create(ctx context.Context, caller *controlplane.Caller, set *changeset.Set) (*changeset.Result, error) {
	if !caller.Operator() {
		return nil, controlplane.OperatorError()
	}
	uid, err := store.NewUID()
	if err != nil {
		return nil, err
	}
	set.Scope = controlplane.Scope{UID: uid, ID: set.Items[0].ID}
	result, err := s.changes.ApplyNew(ctx, caller, set)
	if e := controlplane.KindOf(err); e != controlplane.Exists || set.RequestID == "" {
		return result, err
	}
	// It is there: by this very request, perhaps, whose answer was lost. What was remembered is in the tenant.
	there, findErr := s.Find(ctx, caller, set.Scope.ID)
	if findErr != nil {
		return nil, err
	}
	answer, seen, replayErr := s.changes.Replay(ctx, caller, there, set)
	if replayErr != nil || !seen {
		return nil, err
	}
	return &changeset.Result{Replayed: answer}, nil
}

// Removal asks for the end of a tenant.
type Removal struct {
	ID           string
	Etag         string // if set, must be current
	AllowMissing bool
	ValidateOnly bool
	RequestID    string
	Digest       []byte
}

// Delete removes a tenant that has nothing left but its own settings and administrators, and that no edge pool serves.
// Its id can be used again, its uid never is. It returns the token of the revision that removed it; "" if there was none.
func (s *Service) Delete(ctx context.Context, caller *controlplane.Caller, q Removal) (string, error) {
	if !caller.Operator() {
		return "", controlplane.OperatorError()
	}
	// The tenant takes with it what it remembers, so the platform remembers this. It is another transaction: a retry after
	// a crash in between finds the tenant gone.
	answer, users, err := s.lookAround(ctx, caller, q)
	if err != nil || answer != nil {
		return string(answer), err
	}
	scope, err := s.Find(ctx, caller, q.ID)
	if q.AllowMissing && controlplane.KindOf(err) == controlplane.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if len(users) > 0 {
		return "", inUse("is served by", users)
	}
	var revision controlplane.Revision
	err = s.db.Tenant(ctx, scope.UID, func(tx *store.TenantTx) error {
		if q.ValidateOnly {
			tx.DryRun()
		}
		var err error
		revision, err = remove(tx, caller, scope, q.Etag)
		if head := tx.Head(); q.ValidateOnly {
			revision = head.Revision(controlplane.Config) // there will be no other to wait for
		}
		return err
	})
	if err != nil || q.RequestID == "" || q.ValidateOnly {
		return revision.String(), err
	}
	return revision.String(), s.db.Tenant(ctx, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		return tx.RememberRequest(caller, q.RequestID, q.Digest, []byte(revision.String()))
	})
}

// lookAround asks the platform for the answer that this request got before, and for the pools that serve the tenant.
func (s *Service) lookAround(ctx context.Context, caller *controlplane.Caller, q Removal) (answer []byte, users []string, err error) {
	err = s.db.Read(ctx, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		answer, users = nil, nil
		if q.RequestID != "" {
			remembered, seen, err := tx.SeenRequest(caller, q.RequestID, q.Digest)
			if err != nil || seen {
				answer = remembered
				return err
			}
		}
		pools, err := tx.AllResources(controlplane.KindEdgePool)
		for _, p := range pools {
			if slices.Contains(p.Spec.(*controlplane.EdgePool).Tenants, q.ID) {
				users = append(users, controlplane.Name{Kind: p.Kind, ID: p.ID}.String())
			}
		}
		return err
	})
	return answer, users, err
}

func remove(tx *store.TenantTx, caller *controlplane.Caller, scope controlplane.Scope, etag string) (controlplane.Revision, error) {
	none := controlplane.Revision{}
	own, err := tx.Resource(controlplane.KindTenant, scope.ID)
	if err != nil {
		return none, err
	}
	if etag != "" && etag != own.Etag {
		return none, changeset.Stale(own)
	}
	all, err := tx.AllResources()
	if err != nil {
		return none, err
	}
	var left []string
	for _, r := range all {
		switch r.Kind {
		case controlplane.KindTenant, controlplane.KindMember, controlplane.KindAPIToken:
		default:
			left = append(left, scope.Name(r.Kind, r.ID))
		}
	}
	if len(left) > 0 {
		return none, inUse("still has", left)
	}
	before, err := changeset.Document(scope, own)
	if err != nil {
		return none, err
	}
	if err := tx.DeleteTenant(); err != nil {
		return none, err
	}
	err = tx.Record(store.Change{
		Lane: controlplane.Config, Caller: caller,
		Items: []store.ChangeItem{{Name: scope.Parent(), Action: store.Deleted, Before: before}},
	})
	return tx.Committed(controlplane.Config), err
}

// told is how many names an error lists.
const told = 10

func inUse(how string, names []string) error {
	text := strings.Join(names[:min(told, len(names))], ", ")
	if more := len(names) - told; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return &controlplane.Error{
		Kind: controlplane.Precondition, Reason: controlplane.ReasonInUse,
		Message: "the tenant " + how + " " + text, Metadata: map[string]string{"referrers": text},
	}
}
