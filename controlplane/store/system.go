package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// System reads across tenants what the feed, the edges' streams and authentication need, and writes only what edges
// report. Its role can do no more than that. What it returns must not reach an API caller but through a check of theirs.
type System struct {
	db   *DB
	feed *feedPool
	wait patience
	log  *slog.Logger
}

// exec runs statements as one transaction, again if it collides.
func (s *System) exec(ctx context.Context, doing string, batch *pgx.Batch) error {
	return again(ctx, func() error {
		bound, cancel := s.feed.bound(ctx)
		defer cancel()
		return wrap(doing, s.feed.SendBatch(bound, batch).Close())
	})
}

func collectHeads(rows pgx.Rows) ([]Head, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (h Head, err error) {
		err = scanHead(row, &h)
		return h, err
	})
}

// Heads returns where every tenant is, the platform too.
func (s *System) Heads(ctx context.Context) ([]Head, error) {
	rows, err := s.feed.Query(ctx, `SELECT `+headColumns+` FROM `+headTables+` WHERE t.deleted_at IS NULL`)
	if err != nil {
		return nil, translate(ctx, fmt.Errorf("read heads: %w", err))
	}
	heads, err := collectHeads(rows)
	return heads, translate(ctx, wrap("read heads", err))
}

// Tenants lists a page of tenants ordered by id, without the platform.
func (s *System) Tenants(ctx context.Context, afterID string, limit int) ([]Head, error) {
	rows, err := s.feed.Query(ctx, `SELECT `+headColumns+` FROM `+headTables+`
		WHERE t.deleted_at IS NULL AND t.tenant_uid <> $1 AND t.id > $2 ORDER BY t.id LIMIT $3`, controlplane.PlatformUID, afterID, limit)
	if err != nil {
		return nil, translate(ctx, fmt.Errorf("list tenants: %w", err))
	}
	heads, err := collectHeads(rows)
	return heads, translate(ctx, wrap("list tenants", err))
}

// TenantResources lists a page of Tenant resources ordered by id.
func (s *System) TenantResources(ctx context.Context, afterID string, limit int) ([]*controlplane.Resource, error) {
	rows, err := s.feed.Query(ctx, `SELECT `+resourceColumns+` FROM resource WHERE kind = 'Tenant' AND id > $1 ORDER BY id LIMIT $2`, afterID, limit)
	if err != nil {
		return nil, translate(ctx, fmt.Errorf("list tenants: %w", err))
	}
	tenants, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*controlplane.Resource, error) {
		r, _, err := scanResource(row)
		return r, err
	})
	return tenants, translate(ctx, wrap("list tenants", err))
}

// TenantUID resolves a tenant's id; what is not there is NotFound. The platform is no tenant that can be named so.
func (s *System) TenantUID(ctx context.Context, id string) (controlplane.UID, error) {
	var uid controlplane.UID
	err := s.feed.QueryRow(ctx, `SELECT tenant_uid FROM tenant WHERE id = $1 AND deleted_at IS NULL AND tenant_uid <> $2`,
		id, controlplane.PlatformUID).Scan(&uid)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", notFound()
	}
	return uid, translate(ctx, wrap("resolve tenant", err))
}

// ChainAt returns the hash of all changes up to a revision; false if there is no such revision. Revision 0 has the empty chain.
func (s *System) ChainAt(ctx context.Context, tenant controlplane.UID, revision controlplane.Revision) ([]byte, bool, error) {
	if revision.Number == 0 {
		return []byte{}, true, nil
	}
	var chain []byte
	err := s.feed.QueryRow(ctx, `SELECT hash FROM change WHERE tenant_uid = $1 AND lane = $2 AND revision = $3`,
		tenant, revision.Lane, revision.Number).Scan(&chain)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	return chain, err == nil, translate(ctx, wrap("read chain", err))
}

// CommitTime returns when a revision was committed; false if there is no such revision.
func (s *System) CommitTime(ctx context.Context, tenant controlplane.UID, revision controlplane.Revision) (time.Time, bool, error) {
	var at time.Time
	err := s.feed.QueryRow(ctx, `SELECT committed_at FROM change WHERE tenant_uid = $1 AND lane = $2 AND revision = $3`,
		tenant, revision.Lane, revision.Number).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, false, nil
	}
	return at.UTC(), err == nil, translate(ctx, wrap("read commit time", err))
}

// APIToken is what authentication needs to know of a token.
type APIToken struct {
	ExpireTime     time.Time
	TenantUID      controlplane.UID
	TenantID       string
	TenantDisabled bool
	Token          *controlplane.Resource // *controlplane.APIToken
	Member         *controlplane.Resource // *controlplane.Member: whom it acts for, as of now
}

// APIToken returns the token of an id if matches says that the hash of its secret is right; else it is NotFound. One that
// is unknown and one with another secret cost the same: one query, one comparison.
func (s *System) APIToken(ctx context.Context, tokenID string, matches func(hash []byte) bool) (*APIToken, error) {
	var t APIToken
	var resource controlplane.UID
	hash := make([]byte, sha256.Size)
	err := s.feed.QueryRow(ctx, `
		SELECT k.hash, k.expires_at, k.resource_uid, t.tenant_uid, t.id, t.disabled
		FROM api_token k JOIN tenant t USING (tenant_uid) WHERE k.token_id = $1 AND t.deleted_at IS NULL`, tokenID).
		Scan(&hash, &t.ExpireTime, &resource, &t.TenantUID, &t.TenantID, &t.TenantDisabled)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, translate(ctx, fmt.Errorf("look up API token: %w", err))
	}
	if !matches(hash) || err != nil {
		return nil, notFound()
	}
	t.ExpireTime = t.ExpireTime.UTC()
	rows, err := s.feed.Query(ctx, `
		SELECT `+resourceColumns+` FROM resource WHERE tenant_uid = $1 AND (uid = $2 OR kind = 'Member' AND id =
			(SELECT split_part(body ->> 'member', '/', -1) FROM resource WHERE tenant_uid = $1 AND uid = $2))`, t.TenantUID, resource)
	if err != nil {
		return nil, translate(ctx, fmt.Errorf("look up API token: %w", err))
	}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		r, _, err := scanResource(row)
		if err == nil && r.Kind == controlplane.KindMember {
			t.Member = r
		} else if err == nil {
			t.Token = r
		}
		return struct{}{}, err
	})
	if err != nil {
		return nil, translate(ctx, fmt.Errorf("look up API token: %w", err))
	}
	if t.Token == nil || t.Member == nil {
		return nil, notFound() // deleted between the two queries
	}
	return &t, nil
}

// APITokenUsed notes the day of a token's last use.
func (s *System) APITokenUsed(ctx context.Context, tokenID string) error {
	_, err := s.feed.Exec(ctx, `UPDATE api_token SET used_on = current_date WHERE token_id = $1 AND used_on IS DISTINCT FROM current_date`, tokenID)
	return translate(ctx, wrap("note use of API token", err))
}

// Deployment opens a secret of the whole deployment; false if it has not been made.
func (s *System) Deployment(ctx context.Context, name string) ([]byte, bool, error) {
	var sealed []byte
	err := s.feed.QueryRow(ctx, `SELECT sealed FROM deployment_secret WHERE name = $1`, name).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, translate(ctx, fmt.Errorf("read deployment secret: %w", err))
	}
	plaintext, err := s.db.keys.OpenDeployment(name, sealed)
	return plaintext, err == nil, err
}

// PutDeploymentIfAbsent stores a secret of the deployment unless another replica was first, and returns the one that counts.
func (s *System) PutDeploymentIfAbsent(ctx context.Context, name string, plaintext []byte) ([]byte, error) {
	sealed, err := s.db.keys.SealDeployment(name, plaintext)
	if err != nil {
		return nil, fmt.Errorf("seal deployment secret: %w", err)
	}
	// The feed's role may not write it; the platform's own transaction may.
	err = s.db.Tenant(ctx, controlplane.PlatformUID, func(tx *TenantTx) error {
		_, err := tx.pg.Exec(tx.ctx, `INSERT INTO deployment_secret (tenant_uid, name, sealed) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING`,
			controlplane.PlatformUID, name, sealed)
		return wrap("put deployment secret", err)
	})
	if err != nil {
		return nil, err
	}
	stored, ok, err := s.Deployment(ctx, name)
	if err == nil && !ok {
		err = fmt.Errorf("store: deployment secret %q is gone", name)
	}
	return stored, err
}
