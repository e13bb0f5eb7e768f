package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// Action is what a change did to a resource.
type Action string

const (
	Created Action = "CREATE"
	Updated Action = "UPDATE"
	Deleted Action = "DELETE"
)

// Change is what [TenantTx.Record] takes: who did what on one lane.
type Change struct {
	Lane   controlplane.Lane
	Caller *controlplane.Caller
	Items  []ChangeItem
	Notes  json.RawMessage // what is to be known of it beyond its items; nil for nothing
}

// ChangeItem is what a change did to one resource.
type ChangeItem struct {
	Name   string // resource name
	Action Action
	Before json.RawMessage // without secrets; nil if it was not there
	After  json.RawMessage // without secrets; nil if it is gone
}

// RecordedChange is a change as it is stored, for ever.
type RecordedChange struct {
	Revision  controlplane.Revision
	Time      time.Time
	Actor     string
	ActorKind string
	IP        string
	RequestID string
	Method    string
	Items     []ChangeItem
	Notes     json.RawMessage // as given to Record
	PrevHash  []byte
	Hash      []byte
}

// Record says that the transaction changes a lane: it commits as one new revision of it. Recording a lane again adds
// items to the same revision, under the first caller; the first notes count.
func (tx *TenantTx) Record(change Change) error {
	if change.Caller == nil || len(change.Items) == 0 {
		return errors.New("store: a change needs a caller and items")
	}
	if change.Lane != controlplane.Config && change.Lane != controlplane.Urgent {
		return fmt.Errorf("store: a change of lane %q", change.Lane)
	}
	if err := tx.write(change.Lane); err != nil {
		return err
	}
	if first := tx.recorded[change.Lane]; first != nil {
		first.Items = append(first.Items, change.Items...)
		if first.Notes == nil {
			first.Notes = change.Notes
		}
		return nil
	}
	change.Items = slices.Clone(change.Items)
	tx.recorded[change.Lane] = &change
	return nil
}

// finish is the last step of a transaction: nothing but the commit comes after it, because it takes the lock that
// orders all changes of the tenant.
func (tx *TenantTx) finish() error {
	for lane := range tx.wrote {
		if tx.recorded[lane] == nil {
			return fmt.Errorf("store: rows of lane %s were written without a recorded change", lane)
		}
	}
	if err := tx.claimHosts(); err != nil {
		return err
	}
	if len(tx.recorded) == 0 || tx.dryRun {
		return nil
	}
	var now time.Time
	if err := tx.pg.QueryRow(tx.ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return fmt.Errorf("read clock: %w", err)
	}

	batch := &pgx.Batch{}
	for _, lane := range []controlplane.Lane{controlplane.Config, controlplane.Urgent} { // always in this order: no deadlocks
		change := tx.recorded[lane]
		if change == nil {
			continue
		}
		recorded := recordedChange(change, tx.Next(lane), now.UTC(), tx.head.chain(lane))
		recorded.Hash = recorded.hash(tx.head.TenantUID)
		batch.Queue(`UPDATE head SET revision = $3, chain = $4 WHERE tenant_uid = $1 AND lane = $2 AND revision = $3 - 1`,
			tx.head.TenantUID, lane, recorded.Revision.Number, recorded.Hash).Exec(wantOneRow("update head"))
		queueChange(batch, tx.head.TenantUID, &recorded)
	}
	if tx.disabled != tx.head.Disabled || tx.deleted {
		batch.Queue(`
			UPDATE tenant SET disabled = $2, deleted_at = CASE WHEN $3 THEN now() END, dek = CASE WHEN $3 THEN '' ELSE dek END
			WHERE tenant_uid = $1`, tx.head.TenantUID, tx.disabled, tx.deleted).Exec(wantOneRow("update tenant"))
	}
	batch.Queue(`SELECT pg_notify('sallyport_head', $1)`, string(tx.head.TenantUID))
	if err := tx.pg.SendBatch(tx.ctx, batch).Close(); err != nil {
		return fmt.Errorf("record change: %w", err)
	}
	return nil
}

func recordedChange(c *Change, revision controlplane.Revision, at time.Time, prev []byte) RecordedChange {
	return RecordedChange{
		Revision: revision, Time: at,
		Actor: c.Caller.Actor, ActorKind: c.Caller.ActorKind, IP: c.Caller.IP, RequestID: c.Caller.RequestID, Method: c.Caller.Method,
		Items: c.Items, Notes: c.Notes, PrevHash: nonNil(prev),
	}
}

func queueChange(batch *pgx.Batch, tenant controlplane.UID, c *RecordedChange) {
	batch.Queue(`
		INSERT INTO change (tenant_uid, lane, revision, committed_at, actor, actor_kind, ip, request_id, method, notes, prev_hash, hash)
		VALUES (@tenant, @lane, @revision, @at, @actor, @actor_kind, @ip, @request_id, @method, @notes::json, @prev_hash, @hash)`, pgx.NamedArgs{
		"tenant": tenant, "lane": c.Revision.Lane, "revision": c.Revision.Number, "at": c.Time,
		"actor": c.Actor, "actor_kind": c.ActorKind, "ip": c.IP, "request_id": c.RequestID, "method": c.Method,
		"notes": textOrNull(c.Notes), "prev_hash": c.PrevHash, "hash": c.Hash,
	})
	names, actions := make([]string, len(c.Items)), make([]string, len(c.Items))
	before, after := make([]*string, len(c.Items)), make([]*string, len(c.Items))
	for i, item := range c.Items {
		names[i], actions[i] = item.Name, string(item.Action)
		before[i], after[i] = textOrNull(item.Before), textOrNull(item.After)
	}
	batch.Queue(`
		INSERT INTO change_item (tenant_uid, lane, revision, ordinal, name, action, before, after)
		SELECT @tenant, @lane, @revision, ordinal, name, action, before::json, after::json
		FROM unnest(@names::text[], @actions::text[], @before::text[], @after::text[]) WITH ORDINALITY
			AS item (name, action, before, after, ordinal)`, pgx.NamedArgs{
		"tenant": tenant, "lane": c.Revision.Lane, "revision": c.Revision.Number,
		"names": names, "actions": actions, "before": before, "after": after,
	})
}

// ChangeQuery selects recorded changes, newest first.
type ChangeQuery struct {
	Lane   controlplane.Lane     // "" for both
	Before controlplane.Revision // only those that are older than this one; the zero Revision for the newest
	Limit  int
}

// Changes lists changes, newest first.
func (tx *TenantTx) Changes(query ChangeQuery) ([]RecordedChange, error) {
	rows, err := tx.pg.Query(tx.ctx, `
		SELECT lane, revision, committed_at, actor, actor_kind, ip, request_id, method, notes::text, prev_hash, hash FROM change
		WHERE tenant_uid = @tenant AND (@lane = '' OR lane = @lane) AND (@number = 0 OR (committed_at, lane, revision) <
			(SELECT committed_at, lane, revision FROM change WHERE tenant_uid = @tenant AND lane = @before AND revision = @number))
		ORDER BY committed_at DESC, lane DESC, revision DESC LIMIT @limit`, pgx.NamedArgs{
		"tenant": tx.head.TenantUID, "lane": query.Lane, "before": query.Before.Lane, "number": query.Before.Number, "limit": query.Limit,
	})
	return tx.withItems(rows, err)
}

// ChangesSince lists changes of one lane after a revision, oldest first.
func (tx *TenantTx) ChangesSince(since controlplane.Revision, limit int) ([]RecordedChange, error) {
	rows, err := tx.pg.Query(tx.ctx, `
		SELECT lane, revision, committed_at, actor, actor_kind, ip, request_id, method, notes::text, prev_hash, hash FROM change
		WHERE tenant_uid = $1 AND lane = $2 AND revision > $3 ORDER BY revision LIMIT $4`,
		tx.head.TenantUID, since.Lane, since.Number, limit)
	return tx.withItems(rows, err)
}

// Were calls fn with each resource of the tenant that changed of a lane after a revision, and with what it was before the
// first of these changes; nil: it was not there. They are in no order. They come one by one, for a history is long.
func (tx *TenantTx) Were(since controlplane.Revision, fn func(name string, before json.RawMessage) error) error {
	rows, err := tx.pg.Query(tx.ctx, `
		WITH first AS (
			SELECT DISTINCT ON (name) name, revision, ordinal FROM change_item
			WHERE tenant_uid = $1 AND lane = $2 AND revision > $3 ORDER BY name, revision, ordinal)
		SELECT item.name, item.before::text FROM first JOIN change_item item
			ON item.tenant_uid = $1 AND item.lane = $2 AND item.revision = first.revision AND item.ordinal = first.ordinal`,
		tx.head.TenantUID, since.Lane, since.Number)
	if err != nil {
		return fmt.Errorf("read what was changed: %w", err)
	}
	var name string
	var before *string
	_, err = pgx.ForEachRow(rows, []any{&name, &before}, func() error { return fn(name, rawOrNil(before)) })
	return wrap("read what was changed", err)
}

func (tx *TenantTx) withItems(rows pgx.Rows, err error) ([]RecordedChange, error) {
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}
	changes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (RecordedChange, error) {
		var c RecordedChange
		var notes *string
		err := row.Scan(&c.Revision.Lane, &c.Revision.Number, &c.Time, &c.Actor, &c.ActorKind, &c.IP, &c.RequestID, &c.Method, &notes, &c.PrevHash, &c.Hash)
		c.Notes = rawOrNil(notes)
		return c, err
	})
	if err != nil || len(changes) == 0 {
		return nil, wrap("list changes", err)
	}
	index := map[controlplane.Revision]*RecordedChange{}
	lanes, numbers := make([]string, len(changes)), make([]int64, len(changes))
	for i := range changes {
		c := &changes[i]
		index[c.Revision] = c
		lanes[i], numbers[i] = string(c.Revision.Lane), c.Revision.Number
	}
	rows, err = tx.pg.Query(tx.ctx, `
		SELECT lane, revision, name, action, before::text, after::text FROM change_item
		WHERE tenant_uid = $1 AND (lane, revision) IN (SELECT * FROM unnest($2::text[], $3::bigint[]))
		ORDER BY lane, revision, ordinal`, tx.head.TenantUID, lanes, numbers)
	if err != nil {
		return nil, fmt.Errorf("list changed resources: %w", err)
	}
	var revision controlplane.Revision
	var item ChangeItem
	var before, after *string
	_, err = pgx.ForEachRow(rows, []any{&revision.Lane, &revision.Number, &item.Name, &item.Action, &before, &after}, func() error {
		item.Before, item.After = rawOrNil(before), rawOrNil(after)
		index[revision].Items = append(index[revision].Items, item)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list changed resources: %w", err)
	}
	return changes, nil
}
