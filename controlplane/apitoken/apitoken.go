// Package apitoken makes the credentials of the admin API. A token's secret exists in the answer to its creation and
// nowhere else: what is kept is a hash, and nothing here can show it again.
package apitoken

import (
	"context"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/authn"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/token"
)

// How long tokens live.
const (
	defaultLifetime   = 90 * 24 * time.Hour
	maxLifetime       = 366 * 24 * time.Hour
	bootstrapLifetime = time.Hour
)

// Config is what [New] needs.
type Config struct {
	DB      *store.DB
	Changes *changeset.Service
	Now     func() time.Time // time.Now, but in tests
}

// Service makes tokens.
type Service struct {
	db      *store.DB
	changes *changeset.Service
	now     func() time.Time
}

// New makes a Service.
func New(config Config) *Service {
	return &Service{db: config.DB, changes: config.Changes, now: config.Now}
}

// Create makes the token that a set of one Create item describes, and returns it with its text. For a dry run there is
// no text.
func (s *Service) Create(ctx context.Context, caller *controlplane.Caller, set *changeset.Set) (*controlplane.Resource, string, error) {
	item := &set.Items[0]
	if item.ID == authn.BootstrapID && set.Scope.UID == controlplane.PlatformUID {
		return nil, "", controlplane.InvalidFields(controlplane.Violation{
			Field: "api_token_id", Reason: controlplane.ReasonFieldInvalid,
			Description: "is reserved",
		})
	}
	minted := token.Mint(token.API)
	write, at := item.Write, item.At
	item.Write = func(current *controlplane.Resource) (changeset.Desired, error) {
		desired, err := write(current)
		if err != nil {
			return desired, err
		}
		return desired, s.limit(desired.Spec.(*controlplane.APIToken), at)
	}
	// A pointer into the set's resources, which the hook below reads once everything is written.
	set.Also = func(tx *store.TenantTx, result *changeset.Result) error {
		return put(tx, result.Resources[0], minted)
	}
	if caller.ActorKind == controlplane.BootstrapActor {
		s.succeed(set)
	}
	result, err := s.changes.Apply(ctx, caller, set)
	if err != nil {
		return nil, "", err
	}
	if set.ValidateOnly {
		return result.Resources[0], "", nil
	}
	return result.Resources[0], minted.Text(), nil
}

// limit fills in when the token ends, and keeps that within bounds.
func (s *Service) limit(spec *controlplane.APIToken, at string) error {
	now := s.now()
	if spec.ExpireTime == nil {
		end := now.UTC().Truncate(time.Second).Add(defaultLifetime)
		spec.ExpireTime = &end
	}
	if end := *spec.ExpireTime; !end.After(now) || end.After(now.Add(maxLifetime)) {
		return controlplane.InvalidFields(controlplane.Violation{
			Field: at + ".expire_time", Reason: controlplane.ReasonFieldInvalid,
			Description: "must be in the future, and within 366 days",
		})
	}
	return nil
}

func put(tx *store.TenantTx, r *controlplane.Resource, minted token.Token) error {
	hash := minted.Hash()
	return tx.PutAPIToken(r.UID, minted.ID, hash[:], *r.Spec.(*controlplane.APIToken).ExpireTime)
}

// succeed lets the bootstrap token be used up: what it makes must be an owner's token, and takes its place.
func (s *Service) succeed(set *changeset.Set) {
	write := set.Items[0].Write
	set.Items[0].Write = func(current *controlplane.Resource) (changeset.Desired, error) {
		desired, err := write(current)
		if err == nil && desired.Spec.(*controlplane.APIToken).Role != controlplane.Owner {
			err = controlplane.InvalidFields(controlplane.Violation{
				Field: set.Items[0].At + ".role", Reason: controlplane.ReasonFieldInvalid,
				Description: "the first operator must be an owner",
			})
		}
		return desired, err
	}
	for _, kind := range []controlplane.Kind{controlplane.KindAPIToken, controlplane.KindMember} {
		set.Items = append(set.Items, changeset.Item{Kind: kind, ID: authn.BootstrapID, Action: changeset.Delete, AllowMissing: true, At: "bootstrap"})
	}
}

// Bootstrap makes the token that makes the first operator, replacing one that was made before. It is refused once an
// operator can sign in: whoever reaches the database then has no need of it, and nobody else should have it.
func (s *Service) Bootstrap(ctx context.Context) (text string, err error) {
	return s.bootstrap(ctx, s.noOperator)
}

// Recover is Bootstrap for when the tokens of all operators are lost, though not expired. Whoever can call it has the
// database and the deployment's key; it is recorded like every change.
func (s *Service) Recover(ctx context.Context) (text string, err error) {
	return s.bootstrap(ctx, func(*store.TenantTx, time.Time) error { return nil })
}

func (s *Service) bootstrap(ctx context.Context, allowed func(*store.TenantTx, time.Time) error) (text string, err error) {
	minted := token.Mint(token.Bootstrap)
	now := s.now().UTC().Truncate(time.Second)
	caller := &controlplane.Caller{Actor: "system/bootstrap", ActorKind: controlplane.SystemActor, TenantUID: controlplane.PlatformUID, Role: controlplane.Owner}
	err = s.db.Tenant(ctx, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		if err := allowed(tx, now); err != nil {
			return err
		}
		if _, err := tx.Resource(controlplane.KindAPIToken, authn.BootstrapID); err == nil {
			// Its hash goes with it.
			if err := tx.Delete(controlplane.KindAPIToken, authn.BootstrapID); err != nil {
				return err
			}
		}
		end := now.Add(bootstrapLifetime)
		for _, r := range []*controlplane.Resource{
			{
				Kind: controlplane.KindMember, ID: authn.BootstrapID, DisplayName: "Makes the first operator",
				Spec: &controlplane.Member{Role: controlplane.Owner},
			},
			{Kind: controlplane.KindAPIToken, ID: authn.BootstrapID, Spec: &controlplane.APIToken{
				Member: "platform/members/" + authn.BootstrapID, Role: controlplane.Owner, ExpireTime: &end,
			}},
		} {
			if _, err := s.changes.PutIn(tx, caller, r); err != nil {
				return err
			}
			if r.Kind == controlplane.KindAPIToken {
				if err := put(tx, r, minted); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return minted.Text(), nil
}

// noOperator refuses if somebody has a token that is good for everything.
func (s *Service) noOperator(tx *store.TenantTx, now time.Time) error {
	all, err := tx.AllResources(controlplane.KindMember, controlplane.KindAPIToken)
	if err != nil {
		return err
	}
	owners := map[string]bool{}
	for _, r := range all {
		if m, ok := r.Spec.(*controlplane.Member); ok && m.Role == controlplane.Owner {
			owners[controlplane.Name{Kind: r.Kind, ID: r.ID}.String()] = true
		}
	}
	for _, r := range all {
		t, ok := r.Spec.(*controlplane.APIToken)
		if !ok || r.ID == authn.BootstrapID || t.Role != controlplane.Owner || !owners[t.Member] {
			continue
		}
		if t.ExpireTime != nil && t.ExpireTime.After(now) {
			return &controlplane.Error{
				Kind: controlplane.Precondition, Reason: "OPERATOR_EXISTS",
				Message: "there is an operator already: " + t.Member,
			}
		}
	}
	return nil
}
