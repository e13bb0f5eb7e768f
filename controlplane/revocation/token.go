package revocation

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// EndToken ends a service account's token: edges refuse it from the returned urgent revision on. One that is ended already
// stays so, and the current revision is returned, which its end is in.
func (s *Service) EndToken(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, account, id string) (revision controlplane.Revision, err error) {
	if err := caller.Enter(scope.UID); err != nil {
		return revision, err
	}
	err = s.db.Tenant(ctx, scope.UID, func(tx *store.TenantTx) error {
		found, err := tx.Resource(controlplane.KindServiceAccount, account)
		if err != nil {
			return err
		}
		tokens, err := tx.ServiceTokens(found.UID)
		if err != nil {
			return err
		}
		known := false
		for _, t := range tokens {
			known = known || t.ID == id
		}
		if !known {
			return controlplane.NotFoundError()
		}
		if err := s.endTokens(tx, caller, scope, found, id); err != nil {
			return err
		}
		revision = tx.Committed(controlplane.Urgent)
		return nil
	})
	return revision, err
}

// endTokens ends the tokens of an account that work, or only the one of the given id: with a revocation for the edges that
// have it, and out of the account's resource for those that come.
func (s *Service) endTokens(tx *store.TenantTx, caller *controlplane.Caller, scope controlplane.Scope, account *controlplane.Resource, only string) error {
	tokens, err := tx.ServiceTokens(account.UID)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if !t.RevokeTime.IsZero() || only != "" && t.ID != only || only == "" && !t.ExpireTime.After(s.now()) {
			continue
		}
		row, err := tx.RevokeServiceToken(account.UID, t.ID)
		if err != nil {
			return err
		}
		// A little longer than the token: an edge's clock may be behind.
		if err := tx.AddRevocation(&store.Revocation{Subject: "token:" + t.ID, ExpireTime: t.ExpireTime.Add(time.Hour)}); err != nil {
			return err
		}
		if err := recordEnd(tx, caller, scope.TokenName(account.ID, t.ID), row); err != nil {
			return err
		}
	}
	return nil
}

func recordEnd(tx *store.TenantTx, caller *controlplane.Caller, name string, row store.ServiceToken) error {
	doc := map[string]any{"name": name, "create_time": row.CreateTime, "expire_time": row.ExpireTime}
	before, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	doc["revoke_time"] = row.RevokeTime
	after, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	for _, lane := range []controlplane.Lane{controlplane.Config, controlplane.Urgent} {
		err := tx.Record(store.Change{
			Lane: lane, Caller: caller,
			Items: []store.ChangeItem{{Name: name, Action: store.Updated, Before: before, After: after}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
