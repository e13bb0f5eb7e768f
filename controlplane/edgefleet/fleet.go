package edgefleet

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/token"
)

// maxJoinLife is how long a join token can be used, at most and by default.
const maxJoinLife = time.Hour

var idPattern = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Config is what a fleet needs; every field is required.
type Config struct {
	DB        *store.DB
	Authority *Authority
	// Write puts one resource and records the change, in a transaction that is open already. It is the one write path's.
	Write func(*store.TenantTx, *controlplane.Caller, *controlplane.Resource) (changed bool, err error)
	Now   func() time.Time
	Log   *slog.Logger
}

// Fleet is the edges' use cases.
type Fleet struct{ cfg Config }

// New makes a fleet.
func New(cfg Config) *Fleet { return &Fleet{cfg} }

// CreateJoinToken makes a token with which the named edge can enrol once. An edge of that name may exist: enrolling it
// anew ends the key that it has.
func (f *Fleet) CreateJoinToken(ctx context.Context, caller *controlplane.Caller, pool, edge string, lifetime time.Duration) (secret string, expires time.Time, err error) {
	if !caller.Operator() {
		return "", time.Time{}, controlplane.OperatorError()
	}
	if err := caller.Require(controlplane.WriteConfiguration); err != nil {
		return "", time.Time{}, err
	}
	if !idPattern.MatchString(edge) {
		return "", time.Time{}, controlplane.InvalidFields(controlplane.Violation{
			Field: "edge_id", Reason: controlplane.ReasonFieldInvalid,
			Description: "must be 1 to 63 of a-z, 0-9 and -, beginning with a letter and not ending with -",
		})
	}
	if lifetime == 0 {
		lifetime = maxJoinLife
	}
	if lifetime < 0 || lifetime > maxJoinLife {
		return "", time.Time{}, controlplane.InvalidFields(controlplane.Violation{
			Field: "lifetime", Reason: controlplane.ReasonFieldInvalid, Description: "must be at most 1h",
		})
	}
	t := token.Mint(token.Join)
	hash := t.Hash()
	expires = f.cfg.Now().Add(lifetime).UTC().Truncate(time.Second)
	after, err := json.Marshal(map[string]string{"edge": edge, "expire_time": expires.Format(time.RFC3339)})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("describe join token: %w", err)
	}
	err = f.cfg.DB.Tenant(ctx, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		if _, err := tx.Resource(controlplane.KindEdgePool, pool); err != nil {
			return err
		}
		if err := tx.AddJoinToken(store.JoinToken{ID: t.ID, Hash: hash[:], Pool: pool, Edge: edge, ExpireTime: expires}); err != nil {
			return err
		}
		return tx.Record(store.Change{Lane: controlplane.Config, Caller: caller, Items: []store.ChangeItem{{
			Name: "edgePools/" + pool + "/joinTokens/" + t.ID, Action: store.Created, After: after,
		}}})
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("create join token: %w", err)
	}
	return t.WithPin(f.cfg.Authority.Pin()), expires, nil
}

// Status is what an edge last told.
type Status struct {
	Connected bool
	SeenTime  time.Time
	Version   string
	Departed  bool
}

// Silence is how long a connected edge may say nothing before it counts as gone.
const Silence = 15 * time.Second

// Status returns the state of the edges asked for; one that never enrolled is missing.
func (f *Fleet) Status(ctx context.Context, uids ...controlplane.UID) (map[controlplane.UID]Status, error) {
	wanted := make(map[controlplane.UID]bool, len(uids))
	for _, uid := range uids {
		wanted[uid] = true
	}
	edges, err := f.cfg.DB.System().AllEdges(ctx)
	if err != nil {
		return nil, fmt.Errorf("read edges: %w", err)
	}
	statuses := make(map[controlplane.UID]Status, len(uids))
	for _, e := range edges {
		if !wanted[e.EdgeUID] {
			continue
		}
		departed := !e.DepartedTime.IsZero()
		statuses[e.EdgeUID] = Status{
			SeenTime: e.SeenTime, Version: e.Version, Departed: departed,
			Connected: !departed && e.LeftTime.IsZero() && !e.SeenTime.IsZero() && f.cfg.Now().Sub(e.SeenTime) <= Silence,
		}
	}
	return statuses, nil
}
