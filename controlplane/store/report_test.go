package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

func TestAccessEvents(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme, globex, initech := storetest.Tenant(t, db, "acme"), storetest.Tenant(t, db, "globex"), storetest.Tenant(t, db, "initech")
	edge := newUID(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	event := func(n int64, app, principal, outcome string) store.AccessEvent {
		return store.AccessEvent{
			ID: fmt.Sprintf("E%d", n), EdgeUID: edge, Boot: "b_1", Seq: n, Time: now, App: app, Principal: principal,
			Email: "Bob@acme.test", Outcome: outcome, Reason: "deny.rule", Event: []byte(`{"ua": "\u0000\ud800",  "n": 1.50}`),
		}
	}
	report := []store.AccessEvent{event(1, "wiki", "user:a", "ALLOW"), event(2, "api", "user:b", "DENY"), event(3, "wi\x00\xffki", "user:a", "DENY")}
	for range 2 { // told twice, stored once
		if err := db.System().InsertEvents(t.Context(), acme, edge, "b_1", report); err != nil {
			t.Fatal(err)
		}
	}
	far := event(4, "wiki", "user:a", "ALLOW")
	far.Time = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := db.System().InsertEvents(t.Context(), acme, edge, "b_1", []store.AccessEvent{far}); err != nil {
		t.Fatal("an edge whose clock is far off: ", err)
	}
	if err := db.System().InsertEvents(t.Context(), globex, edge, "b_1", report[:1]); err != nil {
		t.Fatal("another tenant's of the same number: ", err)
	}
	if err := db.System().InsertEvents(t.Context(), acme, edge, "b_1", []store.AccessEvent{{Event: []byte(`{`)}}); controlplane.KindOf(err) != controlplane.Invalid {
		t.Errorf("no JSON: got %v, want Invalid", err)
	}

	list := func(tenant controlplane.UID, q store.AccessEventQuery) []store.AccessEvent {
		t.Helper()
		var found []store.AccessEvent
		if q.Limit == 0 {
			q.Limit = 10
		}
		read(t, db, tenant, func(tx *store.TenantTx) (err error) {
			found, err = tx.AccessEvents(q)
			return err
		})
		return found
	}
	end := event(5, "wiki", "user:a", "ALLOW")
	end.ID = "E1"
	if err := db.System().InsertEvents(t.Context(), initech, edge, "b_1", []store.AccessEvent{event(1, "wiki", "user:a", "ALLOW"), end}); err != nil {
		t.Fatal(err)
	}
	later := list(initech, store.AccessEventQuery{Limit: 1})
	if len(later) != 1 || later[0].Seq != 5 {
		t.Fatalf("the later record of a stream: %+v", later)
	}
	if first := list(initech, store.AccessEventQuery{Before: later[0].Place()}); len(first) != 1 || first[0].Seq != 1 {
		t.Errorf("the first record of a stream, on the next page: %+v", first)
	}
	all := list(acme, store.AccessEventQuery{})
	if len(all) != 4 || all[0].ID != "E4" || all[1].App != "wi\uFFFD\uFFFDki" || all[0].ReceiveTime.IsZero() {
		t.Errorf("all events: %+v", all)
	}
	all[3].ReceiveTime = time.Time{}
	if diff := cmp.Diff(report[0], all[3]); diff != "" {
		t.Errorf("an event reads differently than it was reported (-reported +read):\n%s", diff)
	}
	for name, c := range map[string]struct {
		q    store.AccessEventQuery
		want []string
	}{
		"id":       {store.AccessEventQuery{ID: "E2"}, []string{"E2"}},
		"app":      {store.AccessEventQuery{App: "wiki"}, []string{"E4", "E1"}},
		"subject":  {store.AccessEventQuery{Principal: "user:b"}, []string{"E2"}},
		"e-mail":   {store.AccessEventQuery{Principal: "bob@ACME.test", Outcome: "DENY"}, []string{"E3", "E2"}},
		"page":     {store.AccessEventQuery{Before: store.EventPlace{ID: "E4", Seq: 4}, Limit: 2}, []string{"E3", "E2"}},
		"received": {store.AccessEventQuery{ReceivedSince: now.Add(time.Hour)}, nil},
	} {
		var got []string
		for _, e := range list(acme, c.q) {
			got = append(got, e.ID)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", name, diff)
		}
	}
	if n := len(list(globex, store.AccessEventQuery{})); n != 1 {
		t.Errorf("globex has %d events", n)
	}
}

func TestPruneKeepsWhatMatters(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme := storetest.Tenant(t, db, "acme")
	super := superuser(t, urls)
	edge := newUID(t)
	// An old day with a partition, an old day without, and a coming day that is in the default partition already.
	exec(t, super, `CREATE TABLE access_event_20200101 PARTITION OF access_event FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')`)
	exec(t, super, `ALTER TABLE access_event_20200101 OWNER TO sallyport_owner`)
	tomorrow := time.Now().UTC().Add(24 * time.Hour)
	exec(t, super, `DROP TABLE access_event_`+tomorrow.Format("20060102"))
	for i, at := range []time.Time{time.Date(2020, 1, 1, 12, 0, 0, 0, time.UTC), time.Date(2020, 2, 2, 0, 0, 0, 0, time.UTC), time.Now(), tomorrow} {
		err := db.System().InsertEvents(t.Context(), acme, edge, "b", []store.AccessEvent{{ID: fmt.Sprintf("E%d", i), Seq: int64(i), Time: at, Event: []byte(`{}`)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(t, db, acme, app("one"))
	put(t, db, acme, app("two"))
	remove(t, db, acme, controlplane.KindApp, "one")
	remove(t, db, acme, controlplane.KindApp, "two")
	exec(t, super, `UPDATE removed SET removed_at = now() - interval '8 days' WHERE id = 'one'`)
	if err := db.System().UpsertSessions(t.Context(), acme, []store.SessionEvent{
		{Kind: store.SessionBegun, SID: "old", Time: time.Now(), ExpireTime: time.Now().Add(-31 * 24 * time.Hour)},
		{Kind: store.SessionBegun, SID: "new", Time: time.Now(), ExpireTime: time.Now()},
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.System().Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	left := slices.Concat(
		texts(t, super, `SELECT id FROM access_event ORDER BY id`),
		texts(t, super, `SELECT id FROM removed ORDER BY id`),
		texts(t, super, `SELECT sid FROM session ORDER BY sid`))
	if diff := cmp.Diff([]string{"E1", "E2", "E3", "two", "new"}, left); diff != "" {
		t.Errorf("pruning left (-want +got):\n%s", diff)
	}
	ahead := texts(t, super, `SELECT relname::text FROM pg_class WHERE relname = 'access_event_' || to_char((now() AT TIME ZONE 'UTC')::date + 7, 'YYYYMMDD')`)
	if len(ahead) != 1 {
		t.Error("there is no partition for in a week")
	}
	// Whoever holds the feed's role cannot drop more than that.
	feed := connect(t, urls.Feed)
	for _, call := range []string{`access_event_partitions(7, 0)`, `access_event_partitions(7, 30)`, `access_event_partitions(100, 90)`} {
		if _, err := feed.Exec(t.Context(), `SELECT `+call); err == nil {
			t.Errorf("%s was done", call)
		}
	}
	if tag, err := feed.Exec(t.Context(), `DELETE FROM removed`); err != nil || tag.RowsAffected() != 0 {
		t.Errorf("the feed deleted %d recent removals, %v", tag.RowsAffected(), err)
	}
}

// However reports are ordered between edges and however often they come, the list ends up the same.
func TestSessionReportsInAnyOrder(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	began := time.Now().UTC().Truncate(time.Microsecond)
	expires := began.Add(12 * time.Hour)
	events := []store.SessionEvent{
		{Kind: store.SessionBegun, SID: "s", Principal: "user:a", Email: "a@acme.test", IDP: "demo", Time: began, ExpireTime: expires, IP: "192.0.2.1", Host: "wiki.test", Edge: "eu-1"},
		{Kind: store.SessionSeen, SID: "s", Principal: "user:a", Email: "a@acme.test", IDP: "demo", Time: began.Add(time.Minute), ExpireTime: expires, IP: "192.0.2.2", Host: "api.test", Edge: "us-1"},
		{Kind: store.SessionEnded, SID: "s", Principal: "user:a", Email: "a@acme.test", IDP: "demo", Time: began.Add(2 * time.Minute), ExpireTime: expires, Edge: "us-1", Reason: "signed_out"},
	}
	want := &store.Session{
		SID: "s", Principal: "user:a", Email: "a@acme.test", IDP: "demo", BeginTime: began, BeginIP: "192.0.2.1", BeginEdge: "eu-1",
		SeenTime: began.Add(2 * time.Minute), ExpireTime: expires, EndTime: began.Add(2 * time.Minute), EndReason: "signed_out", Hosts: []string{"api.test", "wiki.test"},
	}
	for i, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}, {0, 2, 1}, {2, 0, 1}, {0, 0, 1, 1, 2, 2, 0}} {
		tenant := storetest.Tenant(t, db, fmt.Sprintf("t%d", i))
		for _, n := range order {
			if err := db.System().UpsertSessions(t.Context(), tenant, events[n:n+1]); err != nil {
				t.Fatal(err)
			}
		}
		read(t, db, tenant, func(tx *store.TenantTx) error {
			got, err := tx.Session("s")
			if err != nil {
				return err
			}
			slices.Sort(got.Hosts)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("order %v (-want +got):\n%s", order, diff)
			}
			return nil
		})
	}
}

func TestSessionLists(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	began := time.Now().UTC().Truncate(time.Microsecond)
	var events []store.SessionEvent
	for i, sid := range []string{"a", "b", "c", "d"} {
		events = append(events, store.SessionEvent{
			Kind: store.SessionBegun, SID: sid, Principal: fmt.Sprintf("user:%d", i%2), Email: "x@test",
			Time: began.Add(time.Duration(i/2) * time.Minute), ExpireTime: began.Add(time.Hour),
		})
	}
	events[3].ExpireTime = began.Add(-time.Hour)
	if err := db.System().UpsertSessions(t.Context(), acme, events); err != nil {
		t.Fatal(err)
	}
	err := db.Tenant(t.Context(), acme, func(tx *store.TenantTx) error {
		return errors.Join(tx.EndSession("b", "revoked"), tx.EndSession("b", "again"), tx.EndSession("nobody's", "x"))
	})
	if err != nil {
		t.Fatal(err)
	}
	read(t, db, acme, func(tx *store.TenantTx) error {
		for name, c := range map[string]struct {
			q    store.SessionQuery
			want []string
		}{
			"live":      {store.SessionQuery{}, []string{"c", "a"}},
			"all":       {store.SessionQuery{ShowEnded: true}, []string{"c", "d", "a", "b"}},
			"principal": {store.SessionQuery{Principal: "user:1", ShowEnded: true}, []string{"d", "b"}},
			"e-mail":    {store.SessionQuery{Principal: "X@TEST"}, []string{"c", "a"}},
			"page":      {store.SessionQuery{ShowEnded: true, AfterTime: began.Add(time.Minute), AfterSID: "c"}, []string{"d", "a", "b"}},
		} {
			c.q.Limit = 10
			found, err := tx.Sessions(c.q)
			if err != nil {
				return err
			}
			var got []string
			for _, s := range found {
				got = append(got, s.SID)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		b, err := tx.Session("b")
		if err == nil && b.EndReason != "revoked" {
			t.Errorf("b ended by %q, want the first reason", b.EndReason)
		}
		return err
	})
}

// In an incident revocations are many, and the list of sessions is what everybody looks at. Row security keeps Postgres from
// using an index for much of what can be written.
func TestManyRevocationsDoNotSlowTheListOfSessions(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme := storetest.Tenant(t, db, "acme")
	root := connect(t, urls.Superuser)
	run := func(sql string) {
		t.Helper()
		if _, err := root.Exec(t.Context(), sql, acme); err != nil {
			t.Fatal(err)
		}
	}
	run(`INSERT INTO session (tenant_uid, sid, principal, email, idp, began_at, began_ip, began_edge, seen_at, expires_at)
		SELECT $1, 's_' || i, 'user:' || i, 'u' || i || '@acme.test', 'idp', now() - interval '1 hour', '', '', now(), now() + interval '1 hour' FROM generate_series(1, 1000) AS i`)
	run(`INSERT INTO revocation (tenant_uid, uid, subject, reason, urgent, expires_at)
		SELECT $1, gen_random_uuid(), 'session:s_' || i, 'signed_out', i, now() + interval '1 hour' FROM generate_series(501, 40000) AS i`)
	began := time.Now()
	read(t, db, acme, func(tx *store.TenantTx) error {
		live, err := tx.Sessions(store.SessionQuery{Limit: 1000})
		if len(live) != 500 {
			t.Errorf("%d are listed", len(live))
		}
		return err
	})
	// 0.02 s by the index, and half a minute without.
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}
