package revocation

import (
	"context"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// EndSession ends a session that is in the list, everywhere: edges refuse it from the returned urgent revision on. One
// that was revoked already is not revoked again.
func (s *Service) EndSession(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, sid string) (revision controlplane.Revision, err error) {
	if err := caller.Enter(scope.UID); err != nil {
		return revision, err
	}
	err = s.db.Tenant(ctx, scope.UID, func(tx *store.TenantTx) error {
		if _, err := tx.Session(sid); err != nil {
			return err
		}
		subject := "session:" + sid
		if row, found, err := tx.RevocationOf(subject); err != nil || found {
			if found {
				revision = controlplane.Revision{Lane: controlplane.Urgent, Number: row.Urgent}
			}
			return err
		}
		if _, err := s.create(tx, caller, scope, Request{Subject: subject}); err != nil {
			return err
		}
		revision = tx.Committed(controlplane.Urgent)
		return tx.EndSession(sid, "revoked")
	})
	return revision, err
}
