package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/oklog/ulid/v2"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
)

// retryFor bounds how long a transaction that keeps colliding with those of other replicas is run again.
const retryFor = 5 * time.Second

// Head is where a tenant's history is.
type Head struct {
	TenantUID   controlplane.UID
	ID          string
	Config      int64
	Urgent      int64
	Lineage     string // another one after a restore; later ones sort later
	ConfigChain []byte // hash over all config changes
	UrgentChain []byte
	Disabled    bool
}

// Revision is the newest one of a lane.
func (h *Head) Revision(lane controlplane.Lane) controlplane.Revision {
	if lane == controlplane.Urgent {
		return controlplane.Revision{Lane: lane, Number: h.Urgent}
	}
	return controlplane.Revision{Lane: controlplane.Config, Number: h.Config}
}

func (h *Head) chain(lane controlplane.Lane) []byte {
	if lane == controlplane.Urgent {
		return h.UrgentChain
	}
	return h.ConfigChain
}

const (
	headColumns = `t.tenant_uid, t.id, t.lineage, t.disabled, c.revision, c.chain, u.revision, u.chain`
	headTables  = `tenant t JOIN head c ON c.tenant_uid = t.tenant_uid AND c.lane = 'config' JOIN head u ON u.tenant_uid = t.tenant_uid AND u.lane = 'urgent'`
)

func scanHead(row pgx.Row, h *Head, more ...any) error {
	return row.Scan(append([]any{&h.TenantUID, &h.ID, &h.Lineage, &h.Disabled, &h.Config, &h.ConfigChain, &h.Urgent, &h.UrgentChain}, more...)...)
}

// TenantTx is a transaction in which nothing but one tenant's rows exists. Its methods are not for concurrent use, and
// it ends with the function it was given to.
type TenantTx struct {
	ctx      context.Context //nolint:containedctx // a transaction ends with its context, as sql.Tx does
	pg       pgx.Tx
	db       *DB
	head     Head
	wrapped  []byte // the tenant's data key
	dek      *keyring.Tenant
	readOnly bool
	dryRun   bool

	wrote    map[controlplane.Lane]bool
	recorded map[controlplane.Lane]*Change
	hosts    map[controlplane.UID][]string // owner to hosts, claimed in the last step
	disabled bool
	deleted  bool

	known  map[resourceKey]identity // resources seen in this transaction
	listed map[controlplane.Kind]bool
}

type inTransaction struct{}

// Tenant runs fn in a transaction in which it may read and write the tenant's rows, and commits if fn returns nil.
// fn may run several times; each run begins on fresh state, so it must not keep anything from an earlier one.
// Transactions do not nest: give Context of the TenantTx to whatever fn calls, and a nested one is an error.
func (db *DB) Tenant(ctx context.Context, tenant controlplane.UID, fn func(*TenantTx) error) error {
	return db.write(ctx, writer{tenant, controlplane.Config}, "", fn)
}

// Urgent is [DB.Tenant] for a transaction that changes only the urgent lane. It does not wait for the tenant's config
// changes, which may be long in being checked, nor they for it.
func (db *DB) Urgent(ctx context.Context, tenant controlplane.UID, fn func(*TenantTx) error) error {
	return db.write(ctx, writer{tenant, controlplane.Urgent}, "", fn)
}

// CreateTenant is [DB.Tenant] for a tenant that is made by the same transaction, with its data key and at revision 0.
// An id that is taken is Exists. fn puts the Tenant resource and records the change.
func (db *DB) CreateTenant(ctx context.Context, tenant controlplane.UID, id string, fn func(*TenantTx) error) error {
	return db.write(ctx, writer{tenant, controlplane.Config}, id, fn)
}

// Read runs fn in a transaction that sees one instant of the tenant's rows and can change nothing.
func (db *DB) Read(ctx context.Context, tenant controlplane.UID, fn func(*TenantTx) error) error {
	if ctx.Value(inTransaction{}) != nil {
		return errors.New("store: a transaction inside a transaction")
	}
	return translate(ctx, db.once(ctx, tenant, "", true, fn))
}

func (db *DB) write(ctx context.Context, w writer, create string, fn func(*TenantTx) error) error {
	if ctx.Value(inTransaction{}) != nil {
		return errors.New("store: a transaction inside a transaction")
	}
	leave, err := db.writers.enter(ctx, w)
	if err != nil {
		return translate(ctx, err)
	}
	defer leave()
	return again(ctx, func() error { return db.once(ctx, w.tenant, create, false, fn) })
}

// again runs a transaction until it succeeds, fails for good, or has collided for too long.
func again(ctx context.Context, run func() error) error {
	giveUp := time.Now().Add(retryFor)
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := run()
		if err == nil || !retryable(err) || time.Now().After(giveUp) {
			return translate(ctx, err)
		}
		timer := time.NewTimer(mathrand.N(pause) + time.Millisecond) //nolint:gosec // spreads retries; guards nothing
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return translate(ctx, err)
		}
	}
}

// once is one attempt. Whatever happens, a panic of fn included, the connection goes back without a transaction.
func (db *DB) once(ctx context.Context, tenant controlplane.UID, create string, readOnly bool, fn func(*TenantTx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead}
	if readOnly {
		options.AccessMode = pgx.ReadOnly
	}
	pg, err := begin(ctx, db.app, options)
	if err != nil {
		return err
	}
	defer rollback(ctx, pg)
	tx := &TenantTx{
		ctx:      context.WithValue(ctx, inTransaction{}, true),
		pg:       pg,
		db:       db,
		readOnly: readOnly,
		wrote:    map[controlplane.Lane]bool{},
		recorded: map[controlplane.Lane]*Change{},
		hosts:    map[controlplane.UID][]string{},
		known:    map[resourceKey]identity{},
		listed:   map[controlplane.Kind]bool{},
	}
	if create != "" {
		err = tx.create(tenant, create)
	} else {
		err = tx.open(tenant)
	}
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.finish(); err != nil || tx.dryRun {
		return err
	}
	if err := pg.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func begin(ctx context.Context, pool *pgxpool.Pool, options pgx.TxOptions) (pgx.Tx, error) {
	pg, err := pool.BeginTx(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	return pg, nil
}

// rollback ends a transaction whatever became of the caller's context: a connection must not go back to the pool with
// one open. After a commit it does nothing.
func rollback(ctx context.Context, pg pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_ = pg.Rollback(ctx) // the connection is closed if it fails, which ends the transaction as well
}

// enter sets the variable that row-level security reads. It is gone with the transaction.
const enterTenant = `SELECT set_config('sallyport.tenant', $1, true)`

func (tx *TenantTx) open(tenant controlplane.UID) error {
	batch := &pgx.Batch{}
	batch.Queue(enterTenant, string(tenant))
	batch.Queue(`SELECT `+headColumns+`, t.dek FROM `+headTables+` WHERE t.tenant_uid = $1 AND t.deleted_at IS NULL`, tenant).
		QueryRow(func(row pgx.Row) error { return scanHead(row, &tx.head, &tx.wrapped) })
	err := tx.pg.SendBatch(tx.ctx, batch).Close()
	if errors.Is(err, pgx.ErrNoRows) {
		return notFound()
	}
	if err != nil {
		return fmt.Errorf("read head of tenant %s: %w", tenant, err)
	}
	tx.disabled = tx.head.Disabled
	return nil
}

func (tx *TenantTx) create(tenant controlplane.UID, id string) error {
	lineage, err := ulid.New(ulid.Now(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make lineage: %w", err)
	}
	if tx.wrapped, err = tx.db.keys.NewTenant(tenant); err != nil {
		return err
	}
	tx.head = Head{TenantUID: tenant, ID: id, Lineage: lineage.String()}
	batch := &pgx.Batch{}
	batch.Queue(enterTenant, string(tenant))
	batch.Queue(`INSERT INTO tenant (tenant_uid, id, lineage, dek) VALUES ($1, $2, $3, $4)`, tenant, id, tx.head.Lineage, tx.wrapped)
	batch.Queue(`INSERT INTO head (tenant_uid, lane) VALUES ($1, 'config'), ($1, 'urgent')`, tenant)
	if err := tx.pg.SendBatch(tx.ctx, batch).Close(); err != nil {
		return fmt.Errorf("create tenant %s: %w", tenant, err)
	}
	return nil
}

// Context is the transaction's; a transaction begun under it is refused.
func (tx *TenantTx) Context() context.Context { return tx.ctx }

// DryRun makes the transaction do everything but commit.
func (tx *TenantTx) DryRun() { tx.dryRun = true }

// Head is where the tenant is before this transaction.
func (tx *TenantTx) Head() Head { return tx.head }

// Next is what this transaction commits as if it records a change of the lane.
func (tx *TenantTx) Next(lane controlplane.Lane) controlplane.Revision {
	revision := tx.head.Revision(lane)
	revision.Number++
	return revision
}

// Committed is what the tenant's lane is at once the transaction is through.
func (tx *TenantTx) Committed(lane controlplane.Lane) controlplane.Revision {
	if tx.recorded[lane] != nil {
		return tx.Next(lane)
	}
	return tx.head.Revision(lane)
}

// write notes that rows of a lane are changed, so that a change has to be recorded.
func (tx *TenantTx) write(lane controlplane.Lane) error {
	if tx.readOnly {
		return errors.New("store: a write in a transaction that only reads")
	}
	tx.wrote[lane] = true
	return nil
}

// key is the tenant's data key.
func (tx *TenantTx) key() (*keyring.Tenant, error) {
	if tx.dek == nil {
		dek, err := tx.db.keys.Tenant(tx.head.TenantUID, tx.wrapped)
		if err != nil {
			return nil, err
		}
		tx.dek = dek
	}
	return tx.dek, nil
}

// EnsurePlatform makes the platform, the tenant that holds the operator's resources, if it is not there yet.
func (db *DB) EnsurePlatform(ctx context.Context) error {
	err := db.Read(ctx, controlplane.PlatformUID, func(*TenantTx) error { return nil })
	if controlplane.KindOf(err) != controlplane.NotFound {
		return err
	}
	err = db.CreateTenant(ctx, controlplane.PlatformUID, controlplane.PlatformParent, func(*TenantTx) error { return nil })
	if controlplane.KindOf(err) == controlplane.Exists {
		return nil // another replica was first
	}
	return err
}
