package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
)

// A request id belongs to its actor: two who choose the same one never see each other's answers.
func requestPlace(c *controlplane.Caller, id string) keyring.Place {
	return keyring.Place{Table: "request_seen", Column: "response", Row: c.Actor + "\n" + id}
}

// SeenRequest returns the answer that a request of this id got within the last day. An id that came with another method
// or content is Invalid REQUEST_ID_REUSED.
func (tx *TenantTx) SeenRequest(c *controlplane.Caller, id string, digest []byte) (response []byte, seen bool, err error) {
	var method string
	var before, sealed []byte
	err = tx.pg.QueryRow(tx.ctx, `
		SELECT method, digest, response FROM request_seen
		WHERE tenant_uid = $1 AND actor = $2 AND request_id = $3 AND seen_at > now() - interval '1 day'`,
		tx.head.TenantUID, c.Actor, id).Scan(&method, &before, &sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look up request: %w", err)
	}
	if method != c.Method || !bytes.Equal(before, digest) {
		return nil, false, &controlplane.Error{
			Kind: controlplane.Invalid, Reason: controlplane.ReasonRequestIDReused,
			Message: "request_id was used for another request",
		}
	}
	dek, err := tx.key()
	if err != nil {
		return nil, false, err
	}
	response, err = dek.Open(requestPlace(c, id), sealed)
	return response, err == nil, err
}

// RememberRequest keeps the answer, sealed, for a day. Two requests of one id at the same time: one of them runs again
// and finds it.
func (tx *TenantTx) RememberRequest(c *controlplane.Caller, id string, digest, response []byte) error {
	dek, err := tx.key()
	if err != nil {
		return err
	}
	sealed, err := dek.Seal(requestPlace(c, id), response)
	if err != nil {
		return fmt.Errorf("seal answer: %w", err)
	}
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM request_seen WHERE tenant_uid = $1 AND actor = $2 AND request_id = $3 AND seen_at <= now() - interval '1 day'`,
		tx.head.TenantUID, c.Actor, id)
	batch.Queue(`INSERT INTO request_seen (tenant_uid, actor, request_id, method, digest, response) VALUES (@tenant, @actor, @id, @method, @digest, @response)`,
		pgx.NamedArgs{"tenant": tx.head.TenantUID, "actor": c.Actor, "id": id, "method": c.Method, "digest": digest, "response": sealed})
	return wrap("remember request", tx.pg.SendBatch(tx.ctx, batch).Close())
}
