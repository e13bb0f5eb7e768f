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
	return controlplane.Scope{UID: uid, ID: id}, err
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

// Delete removes a tenant that has nothing left but its own settings and administrators, and that no edge pool serves.
// Its id can be used again, its uid never is.
func (s *Service) Delete(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, etag string, validateOnly bool) (controlplane.Revision, error) {
	if !caller.Operator() {
		return controlplane.Revision{}, controlplane.OperatorError()
	}
	var users []string
	err := s.db.Read(ctx, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		pools, err := tx.AllResources(controlplane.KindEdgePool)
		users = nil
		for _, p := range pools {
			if slices.Contains(p.Spec.(*controlplane.EdgePool).Tenants, scope.ID) {
				users = append(users, controlplane.Name{Kind: p.Kind, ID: p.ID}.String())
			}
		}
		return err
	})
	if err != nil {
		return controlplane.Revision{}, err
	}
	if len(users) > 0 {
		return controlplane.Revision{}, inUse("is served by", users)
	}
	var revision controlplane.Revision
	err = s.db.Tenant(ctx, scope.UID, func(tx *store.TenantTx) error {
		if validateOnly {
			tx.DryRun()
		}
		var err error
		revision, err = remove(tx, caller, scope, etag)
		return err
	})
	return revision, err
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
	err = tx.Record(store.Change{Lane: controlplane.Config, Caller: caller,
		Items: []store.ChangeItem{{Name: scope.Parent(), Action: store.Deleted, Before: before}}})
	return tx.Committed(controlplane.Config), err
}

// told is how many names an error lists.
const told = 10

func inUse(how string, names []string) error {
	text := strings.Join(names[:min(told, len(names))], ", ")
	if more := len(names) - told; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return &controlplane.Error{Kind: controlplane.Precondition, Reason: controlplane.ReasonInUse,
		Message: "the tenant " + how + " " + text, Metadata: map[string]string{"referrers": text}}
}
