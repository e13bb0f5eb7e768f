package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// maxSessionHosts bounds the hosts listed of one session.
const maxSessionHosts = 64

// Session is one login, as edges reported it. The zero EndTime is not ended.
type Session struct {
	SID        string
	Principal  string
	Email      string
	IDP        string
	BeginTime  time.Time
	BeginIP    string
	BeginEdge  string
	SeenTime   time.Time
	ExpireTime time.Time
	EndTime    time.Time
	EndReason  string
	Hosts      []string
}

// listedSession is a session as the lists show it: ended also when a revocation that came after its beginning is of it,
// of its person or provider, or of everybody. That is found when it is read, so that a revocation waits for no list.
// What it is of is made apart (OFFSET 0 keeps it so): Postgres looks nothing up in an index by what a function says that
// is not leakproof, as || is not, in a table with row security, and would read every revocation for every session.
const listedSession = `(
	SELECT s.tenant_uid, sid, principal, email, idp, began_at, began_ip, began_edge, seen_at, s.expires_at, coalesce(ended_at, revoked_at) AS ended_at,
		CASE WHEN ended_at IS NULL AND revoked_at IS NOT NULL THEN 'revoked' ELSE end_reason END AS end_reason, hosts
	FROM session s CROSS JOIN LATERAL (
		SELECT ARRAY['tenant', 'session:' || s.sid, s.principal, 'email:' || lower(s.email) COLLATE "C",
			'idp:' || (SELECT p.uid FROM resource p WHERE p.tenant_uid = s.tenant_uid AND p.kind = 'IdentityProvider' AND p.id = s.idp)] AS of OFFSET 0
	) AS subjects LEFT JOIN LATERAL (
		SELECT min(r.created_at) AS revoked_at FROM revocation r
		WHERE r.tenant_uid = s.tenant_uid AND r.created_at >= s.began_at AND r.subject = ANY (subjects.of)
	) AS revocations ON true) AS listed`

const sessionColumns = `sid, principal, email, idp, began_at, began_ip, began_edge, seen_at, expires_at, ended_at, end_reason, hosts`

func scanSession(row pgx.CollectableRow) (Session, error) {
	var s Session
	var ended *time.Time
	err := row.Scan(&s.SID, &s.Principal, &s.Email, &s.IDP, &s.BeginTime, &s.BeginIP, &s.BeginEdge, &s.SeenTime, &s.ExpireTime, &ended, &s.EndReason, &s.Hosts)
	s.BeginTime, s.SeenTime, s.ExpireTime, s.EndTime = s.BeginTime.UTC(), s.SeenTime.UTC(), s.ExpireTime.UTC(), orZero(ended)
	return s, err
}

// Session returns one; what is not there is NotFound.
func (tx *TenantTx) Session(sid string) (*Session, error) {
	rows, err := tx.pg.Query(tx.ctx, `SELECT `+sessionColumns+` FROM `+listedSession+` WHERE tenant_uid = $1 AND sid = $2`, tx.head.TenantUID, sid)
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	s, err := pgx.CollectExactlyOneRow(rows, scanSession)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, notFound()
	}
	return &s, wrap("read session", err)
}

// SessionQuery selects sessions, newest first.
type SessionQuery struct {
	Principal string // subject or e-mail; "" for everyone's
	ShowEnded bool   // those that are over or expired, too
	AfterTime time.Time
	AfterSID  string // with AfterTime: BeginTime and SID of the last one of the page before
	Limit     int
}

// Sessions lists sessions, newest first. That a revocation of everybody ends whatever began before it is said twice: this
// way nobody has to look at each of a hundred thousand that it ended.
func (tx *TenantTx) Sessions(q SessionQuery) ([]Session, error) {
	rows, err := tx.pg.Query(tx.ctx, `SELECT `+sessionColumns+` FROM `+listedSession+`
		WHERE tenant_uid = @tenant AND (@principal = '' OR principal = @principal OR lower(email) = lower(@principal))
			AND (@show_ended OR (ended_at IS NULL AND expires_at > now()))
			AND (@show_ended OR began_at > coalesce((SELECT max(created_at) FROM revocation WHERE tenant_uid = @tenant AND subject = 'tenant'), '-infinity'))
			AND (@after_sid = '' OR began_at < @after_time OR (began_at = @after_time AND sid > @after_sid))
		ORDER BY began_at DESC, sid LIMIT @limit`, pgx.NamedArgs{
		"tenant": tx.head.TenantUID, "principal": q.Principal, "show_ended": q.ShowEnded,
		"after_time": q.AfterTime, "after_sid": q.AfterSID, "limit": q.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanSession)
	return found, wrap("list sessions", err)
}

// EndSession marks a session in the lists; what ends it is a revocation. One that is over keeps its first reason.
func (tx *TenantTx) EndSession(sid, reason string) error {
	_, err := tx.pg.Exec(tx.ctx, `
		UPDATE session SET ended_at = now(), end_reason = $3 WHERE tenant_uid = $1 AND sid = $2 AND ended_at IS NULL`, tx.head.TenantUID, sid, reason)
	return wrap("end session", err)
}

// SessionEventKind is what happened to a session.
type SessionEventKind int

const (
	SessionBegun SessionEventKind = iota + 1
	SessionSeen
	SessionEnded
)

// SessionEvent is one report of a session.
type SessionEvent struct {
	Kind       SessionEventKind
	SID        string
	Principal  string
	Email      string
	IDP        string
	Time       time.Time
	ExpireTime time.Time
	IP         string
	Host       string
	Edge       string // id of the edge that reports
	Reason     string // for SessionEnded
}

// UpsertSessions folds reports into the list of sessions. They may come late, twice, and in any order between edges.
func (s *System) UpsertSessions(ctx context.Context, tenant controlplane.UID, events []SessionEvent) error {
	if len(events) == 0 {
		return nil
	}
	// Rows are locked in one order by everybody.
	events = slices.SortedStableFunc(slices.Values(events), func(a, b SessionEvent) int { return cmp.Compare(a.SID, b.SID) })
	batch := &pgx.Batch{}
	for _, e := range events {
		expires := e.ExpireTime
		if expires.IsZero() {
			expires = e.Time
		}
		var ended time.Time
		if e.Kind == SessionEnded {
			ended = e.Time
		}
		hosts := []string{}
		if e.Host != "" {
			hosts = append(hosts, storable(e.Host))
		}
		batch.Queue(`
			INSERT INTO session AS s (tenant_uid, sid, principal, email, idp, began_at, began_ip, began_edge, seen_at, expires_at, ended_at, end_reason, hosts)
			VALUES (@tenant, @sid, @principal, @email, @idp, @time, @ip, @edge, @time, @expires, @ended, @reason, @hosts)
			ON CONFLICT (tenant_uid, sid) DO UPDATE SET
				principal  = coalesce(nullif(s.principal, ''), excluded.principal),
				email      = coalesce(nullif(s.email, ''), excluded.email),
				idp        = coalesce(nullif(s.idp, ''), excluded.idp),
				began_at   = least(s.began_at, excluded.began_at),
				began_ip   = CASE WHEN @begun THEN excluded.began_ip ELSE s.began_ip END,
				began_edge = CASE WHEN @begun THEN excluded.began_edge ELSE s.began_edge END,
				seen_at    = greatest(s.seen_at, excluded.seen_at),
				expires_at = greatest(s.expires_at, excluded.expires_at),
				ended_at   = coalesce(s.ended_at, excluded.ended_at),
				end_reason = CASE WHEN s.ended_at IS NULL THEN excluded.end_reason ELSE s.end_reason END,
				hosts      = CASE WHEN s.hosts @> excluded.hosts OR cardinality(s.hosts) >= @max_hosts THEN s.hosts ELSE s.hosts || excluded.hosts END`,
			pgx.NamedArgs{
				"tenant": tenant, "sid": storable(e.SID), "principal": storable(e.Principal), "email": storable(e.Email), "idp": storable(e.IDP),
				"time": e.Time, "ip": storable(e.IP), "edge": storable(e.Edge), "expires": expires, "ended": timeOrNull(ended),
				"reason": storable(e.Reason), "hosts": hosts, "begun": e.Kind == SessionBegun, "max_hosts": maxSessionHosts,
			})
	}
	return s.exec(ctx, "store session reports", batch)
}
