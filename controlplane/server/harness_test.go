package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/edgefleet"
	"github.com/sallyport-iap/sallyport/controlplane/feed"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
	"github.com/sallyport-iap/sallyport/controlplane/revision"
	"github.com/sallyport-iap/sallyport/controlplane/server"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
	"github.com/sallyport-iap/sallyport/controlplane/token"
)

// world is a deployment: a database, and what an operator does in it.
type world struct {
	t    *testing.T
	urls storetest.URLs
	keys *keyring.Keyring
	db   *store.DB
}

func setup(t *testing.T) *world {
	t.Helper()
	keys, err := keyring.Ephemeral()
	if err != nil {
		t.Fatal(err)
	}
	urls := storetest.Database(t)
	return &world{t: t, urls: urls, keys: keys, db: storetest.OpenWith(t, urls, keys)}
}

// replica is a running control plane.
type replica struct {
	syncURL, apiURL, healthURL string
	stop                       func() error // orderly
}

func (w *world) replica() *replica {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	config := server.Config{
		AppURL: w.urls.App, FeedURL: w.urls.Feed, Keys: w.keys, DatabaseWait: time.Second, DrainTimeout: 5 * time.Second, Version: "test",
		Log: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		API: listen(w.t), Sync: listen(w.t), Health: listen(w.t),
	}
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx, config) }()
	stopped := false
	r := &replica{
		syncURL: "https://" + config.Sync.Addr().String(), apiURL: "http://" + config.API.Addr().String(), healthURL: "http://" + config.Health.Addr().String(),
		stop: func() error {
			if stopped {
				return nil
			}
			stopped = true
			cancel()
			return <-done
		},
	}
	w.t.Cleanup(func() {
		if err := r.stop(); err != nil {
			w.t.Errorf("control plane: %v", err)
		}
	})
	eventually(w.t, "ready", func() error { return r.ready() })
	return r
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (r *replica) ready() error {
	response, err := http.Get(r.healthURL + "/readyz")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("readyz answers %s", response.Status)
	}
	return nil
}

// eventually polls what no event tells.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// change writes in one tenant and returns what it committed as.
func (w *world) change(tenant controlplane.UID, lane controlplane.Lane, fn func(*store.TenantTx) error) controlplane.Revision {
	w.t.Helper()
	var tx *store.TenantTx
	err := w.db.Tenant(w.t.Context(), tenant, func(now *store.TenantTx) error {
		tx = now
		if err := fn(now); err != nil {
			return err
		}
		return now.Record(store.Change{Lane: lane, Caller: storetest.Caller(), Items: []store.ChangeItem{{Name: "test", Action: store.Updated}}})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return tx.Committed(lane)
}

func (w *world) put(tenant controlplane.UID, resources ...*controlplane.Resource) controlplane.Revision {
	w.t.Helper()
	return w.change(tenant, controlplane.Config, func(tx *store.TenantTx) error {
		for _, r := range resources {
			if err := tx.Put(r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) remove(tenant controlplane.UID, kind controlplane.Kind, id string) controlplane.Revision {
	w.t.Helper()
	return w.change(tenant, controlplane.Config, func(tx *store.TenantTx) error { return tx.Delete(kind, id) })
}

func (w *world) revoke(tenant controlplane.UID, subject string) controlplane.Revision {
	w.t.Helper()
	return w.change(tenant, controlplane.Urgent, func(tx *store.TenantTx) error {
		return tx.AddRevocation(&store.Revocation{Subject: subject, ExpireTime: time.Now().Add(time.Hour)})
	})
}

func pool(id string, login bool, tenants ...string) *controlplane.Resource {
	return &controlplane.Resource{Kind: controlplane.KindEdgePool, ID: id, Spec: &controlplane.EdgePool{Tenants: tenants, Login: login}}
}

func app(id, host string) *controlplane.Resource {
	return &controlplane.Resource{Kind: controlplane.KindApp, ID: id, Spec: &controlplane.App{
		Hosts:  []string{host},
		Routes: []controlplane.Route{{Path: "/**", Upstreams: []controlplane.Upstream{{URL: "http://192.0.2.1"}}}},
	}}
}

// joinToken makes one as the operator would, but of any age.
func (w *world) joinToken(pool, edge string, lifetime time.Duration) string {
	w.t.Helper()
	authority, err := edgefleet.LoadAuthority(w.t.Context(), w.db.System(), time.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	minted := token.Mint(token.Join)
	hash := minted.Hash()
	w.change(controlplane.PlatformUID, controlplane.Config, func(tx *store.TenantTx) error {
		return tx.AddJoinToken(store.JoinToken{ID: minted.ID, Hash: hash[:], Pool: pool, Edge: edge, ExpireTime: time.Now().Add(lifetime)})
	})
	return minted.WithPin(authority.Pin())
}

func (w *world) edge(r *replica, pool, name string) *edge {
	w.t.Helper()
	e, err := enrol(w.t, r, w.joinToken(pool, name, time.Minute))
	if err != nil {
		w.t.Fatalf("enrol %s: %v", name, err)
	}
	return e
}

// wait asks how far a revision has come, at any replica: here a service that no edge is connected to.
func (w *world) wait(tenant controlplane.UID, r controlplane.Revision, timeout time.Duration) *revision.WaitResult {
	w.t.Helper()
	service := revision.New(revision.Config{DB: w.db, Now: time.Now})
	result, err := service.Wait(w.t.Context(), storetest.Caller(), revision.WaitRequest{Tenant: tenant, Revision: r, Timeout: timeout})
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// waiter is the receipt service of a replica that has nothing else: it learns of acknowledgements from the database.
func waiter(t *testing.T, w *world) *revision.Service {
	t.Helper()
	revisions := revision.New(revision.Config{DB: w.db, Now: time.Now})
	f := feed.New(feed.Config{
		Store: w.db.System(), Changed: func(controlplane.UID) {}, Compare: func([]store.Head, time.Time) {},
		Acknowledged: revisions.Acknowledged, Reconnected: func() {}, Now: time.Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return revisions
}

func quantiles(d []time.Duration) string {
	slices.Sort(d)
	return fmt.Sprintf("n=%d p50=%s p95=%s max=%s", len(d), d[len(d)/2], d[len(d)*95/100], d[len(d)-1])
}

// superuser is whoever can break a database.
type superuser struct {
	t    *testing.T
	conn *pgx.Conn
}

func (w *world) superuser() *superuser {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.urls.Superuser)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(w.t.Context())) })
	return &superuser{t: w.t, conn: conn}
}

func (s *superuser) exec(sql string) {
	s.t.Helper()
	if _, err := s.conn.Exec(s.t.Context(), sql); err != nil {
		s.t.Fatal(err)
	}
}

// limit bounds who can connect anew; those that are connected stay.
func (s *superuser) limit(n int) {
	s.t.Helper()
	s.exec(fmt.Sprintf(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I CONNECTION LIMIT %d', current_database()); END $$`, n))
}

func (s *superuser) count(sql string) int {
	s.t.Helper()
	n := 0
	if err := s.conn.QueryRow(s.t.Context(), sql).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}
