package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

func access(seq int64, at time.Time) *edgev1.Record {
	return &edgev1.Record{Seq: seq, Event: &edgev1.Record_Access{Access: &sallyportv1.AccessEvent{
		Id: fmt.Sprintf("01HZX3V9Q4T8%014d", seq), Edge: "edgePools/forged/edges/forged", Boot: "forged", Seq: 99, Time: timestamppb.New(at),
		App: "wiki", Principal: &sallyportv1.EventPrincipal{Subject: "user:1", Email: "bob@acme.test"},
		Decision: &sallyportv1.EventDecision{Outcome: "DENY", Reason: "deny.no_rule"},
	}}}
}

func session(seq int64, kind edgev1.SessionEventKind, sid string) *edgev1.Record {
	return &edgev1.Record{Seq: seq, Event: &edgev1.Record_Session{Session: &edgev1.SessionEvent{
		Kind: kind, Sid: sid, Principal: "user:1", Email: "bob@acme.test", IdentityProvider: "demo", Time: timestamppb.Now(),
		ExpireTime: timestamppb.New(time.Now().Add(time.Hour)), Ip: "127.0.0.1", Host: "wiki.acme.test", Reason: "signed_out",
	}}}
}

func TestReport(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme, globex := storetest.Tenant(t, w.db, "acme"), storetest.Tenant(t, w.db, "globex")
	w.put(controlplane.PlatformUID, pool("dev", false, "acme"))
	r := w.replica()
	e, other := w.edge(r, "dev", "eu-1"), w.edge(r, "dev", "us-1")
	for _, one := range []*edge{e, other} {
		one.connect(r)
		one.until("urgent", func() bool { s := one.sites[string(acme)]; return s != nil && s.urgent["Keyset/ticket"] != nil })
	}
	api := e.api(r)
	report := func(batches ...*edgev1.Batch) []*edgev1.Stored {
		t.Helper()
		response, err := api.Report(t.Context(), &edgev1.ReportRequest{BootId: "boot-1", Batches: batches})
		if err != nil {
			t.Fatal(err)
		}
		return response.Stored
	}
	events := func(tenant controlplane.UID) (all []store.AccessEvent) {
		t.Helper()
		err := w.db.Read(t.Context(), tenant, func(tx *store.TenantTx) (err error) {
			all, err = tx.AccessEvents(store.AccessEventQuery{Limit: 100})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}

	now := time.Now()
	huge := access(3, now)
	huge.GetAccess().Request = &sallyportv1.EventRequest{Path: strings.Repeat("x", 20_000)}
	records := []*edgev1.Record{access(1, now), access(2, now.Add(-20*365*24*time.Hour)), huge}
	for range 2 {
		stored := report(&edgev1.Batch{TenantUid: string(acme), Records: records}, &edgev1.Batch{TenantUid: string(globex), Records: records})
		if len(stored) != 1 || stored[0].TenantUid != string(acme) || stored[0].ThroughSeq != 3 || stored[0].Urgent != 0 {
			t.Fatalf("stored: %v", stored)
		}
	}
	if got := events(globex); len(got) != 0 {
		t.Errorf("it reported for a tenant that its pool does not serve: %s", text(got))
	}
	got := events(acme)
	if len(got) != 3 {
		t.Fatalf("%d events of three, reported twice", len(got))
	}
	for _, one := range got {
		event := &sallyportv1.AccessEvent{}
		if err := protojson.Unmarshal(one.Event, event); err != nil {
			t.Fatal(err)
		}
		if event.Edge != "eu-1" || event.Boot != "boot-1" || event.Seq != one.Seq || event.ReceiveTime == nil {
			t.Errorf("who reported it, and when, is what the edge says: %v", event)
		}
		if d := now.Sub(one.Time).Abs(); d > time.Minute {
			t.Errorf("seq %d is filed %s away", one.Seq, d)
		}
		if event.Gap != nil || event.GetRequest().GetPath() == huge.GetAccess().GetRequest().GetPath() {
			t.Errorf("seq %d: what is too large is cut, and not lost: %v", one.Seq, event)
		}
	}

	stored := report(&edgev1.Batch{TenantUid: string(acme), Records: []*edgev1.Record{
		session(4, edgev1.SessionEventKind_SESSION_EVENT_KIND_BEGUN, "s_1"), session(5, edgev1.SessionEventKind_SESSION_EVENT_KIND_SEEN, "s_1"),
	}})
	if stored[0].Urgent != 0 || stored[0].ThroughSeq != 5 {
		t.Errorf("a session began: %v", stored)
	}
	// One cookie of it ended: a revocation, and no session of its own.
	stored = report(&edgev1.Batch{TenantUid: string(acme), Records: []*edgev1.Record{session(55, edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, "h_1")}})
	if stored[0].Urgent == 0 {
		t.Errorf("a cookie ended: %v", stored)
	}
	began := time.Now()
	stored = report(&edgev1.Batch{TenantUid: string(acme), Records: []*edgev1.Record{session(6, edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, "s_1")}})
	if stored[0].Urgent == 0 || !stored[0].Enforced {
		t.Errorf("a session ended: %v", stored)
	}
	t.Logf("a session's end is everywhere after %s", time.Since(began).Round(time.Millisecond))
	var revocation string
	other.mu.Lock()
	for key := range other.sites[string(acme)].urgent {
		if strings.HasPrefix(key, "Revocation/") {
			revocation = key
		}
	}
	other.mu.Unlock()
	if revocation == "" {
		t.Error("the other edge does not have it, and it was called enforced")
	}
	again := report(&edgev1.Batch{TenantUid: string(acme), Records: []*edgev1.Record{session(6, edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, "s_1")}})
	if again[0].Urgent != stored[0].Urgent {
		t.Errorf("reported again it is another revision: %v, %v", stored, again)
	}
	err := w.db.Read(t.Context(), acme, func(tx *store.TenantTx) error {
		if _, err := tx.Session("h_1"); err == nil {
			t.Error("one cookie is listed as a session")
		}
		s, err := tx.Session("s_1")
		if err == nil && (s.EndTime.IsZero() || s.EndReason != "signed_out" || s.BeginEdge != "eu-1") {
			t.Errorf("session: %s", text(s))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	many := &edgev1.Batch{TenantUid: string(acme)}
	for i := range int64(1_001) {
		many.Records = append(many.Records, access(i+1, now))
	}
	for name, batch := range map[string]*edgev1.Batch{
		"too many":         many,
		"not ascending":    {TenantUid: string(acme), Records: []*edgev1.Record{access(8, now), access(7, now)}},
		"from zero":        {TenantUid: string(acme), Records: []*edgev1.Record{access(0, now)}},
		"no event":         {TenantUid: string(acme), Records: []*edgev1.Record{{Seq: 9}}},
		"no session id":    {TenantUid: string(acme), Records: []*edgev1.Record{session(9, edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, "")}},
		"no kind":          {TenantUid: string(acme), Records: []*edgev1.Record{session(9, 0, "s_2")}},
		"a session id \\n": {TenantUid: string(acme), Records: []*edgev1.Record{session(9, edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, "s\n2")}},
	} {
		if _, err := api.Report(t.Context(), &edgev1.ReportRequest{BootId: "boot-1", Batches: []*edgev1.Batch{batch}}); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An edge that takes nothing, or a tenant that cannot be written, must not keep another edge from reporting of the rest.
func TestReportWaitsOnceForAllTenants(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var ids []string
	var uids []controlplane.UID
	for i := range 7 {
		ids = append(ids, fmt.Sprintf("t%d", i))
		uids = append(uids, storetest.Tenant(t, w.db, ids[i]))
	}
	w.put(controlplane.PlatformUID, pool("good", false, ids...))
	w.put(controlplane.PlatformUID, pool("bad", false, ids...))
	r := w.replica()
	e, other := w.edge(r, "good", "eu-1"), w.edge(r, "bad", "us-1")
	for _, one := range []*edge{e, other} {
		one.connect(r)
		for _, uid := range uids {
			one.until("urgent", func() bool { s := one.sites[string(uid)]; return s != nil && s.urgent["Keyset/ticket"] != nil })
		}
	}
	other.mu.Lock()
	other.refuse = func(*edgev1.Update) edgev1.RefusedReason { return edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT }
	other.mu.Unlock()

	report := func(within time.Duration, sid string) []*edgev1.Stored {
		t.Helper()
		var batches []*edgev1.Batch
		for _, uid := range uids {
			batches = append(batches, &edgev1.Batch{TenantUid: string(uid), Records: []*edgev1.Record{
				access(1, time.Now()), session(2, edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, sid),
			}})
		}
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		began := time.Now()
		response, err := e.api(r).Report(ctx, &edgev1.ReportRequest{BootId: "boot-1", Batches: batches})
		if err != nil {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
		for _, stored := range response.Stored {
			if stored.ThroughSeq != 2 || stored.Urgent == 0 || stored.Enforced {
				t.Errorf("stored: %v", stored)
			}
		}
		return response.Stored
	}
	if stored := report(10*time.Second, "s_1"); len(stored) != len(uids) {
		t.Errorf("%d of %d tenants are stored", len(stored), len(uids))
	}

	admin := w.superuser()
	admin.exec("BEGIN")
	admin.exec("SELECT FROM head WHERE tenant_uid = '" + string(uids[3]) + "' FOR UPDATE")
	if stored := report(4*time.Second, "s_2"); len(stored) != 3 {
		t.Errorf("%d tenants are stored before the one that cannot be", len(stored))
	}
	admin.exec("ROLLBACK")
}

// A revocation lives as long as a clock that is behind would let the session in, and no longer.
func TestHowLongAnEndIsRemembered(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", false, "acme"))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	e.connect(r)
	e.until("urgent", func() bool { s := e.sites[string(acme)]; return s != nil && s.urgent["Keyset/ticket"] != nil })
	now := time.Now().UTC().Truncate(time.Microsecond)
	const margin, longest = 2 * time.Minute, 30 * 24 * time.Hour
	var seq int64
	for name, c := range map[string]struct {
		expires time.Time // of the session; zero is not said
		want    time.Time // of the revocation; zero is none
	}{
		"lives":            {now.Add(time.Hour), now.Add(time.Hour + margin)},
		"just over":        {now.Add(-time.Minute), now.Add(margin - time.Minute)},
		"over":             {now.Add(-margin - time.Second), time.Time{}},
		"over for weeks":   {now.Add(-31 * 24 * time.Hour), time.Time{}},
		"lives for years":  {now.Add(365 * 24 * time.Hour), now.Add(longest + margin)},
		"does not say":     {time.Time{}, now.Add(longest + margin)},
		"one cookie, over": {now.Add(-time.Hour), time.Time{}},
	} {
		seq++
		sid := fmt.Sprintf("s_%d", seq)
		if strings.HasPrefix(name, "one cookie") {
			sid = fmt.Sprintf("h_%d", seq)
		}
		record := session(seq, edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, sid)
		record.GetSession().ExpireTime = timestamppb.New(c.expires)
		if c.expires.IsZero() {
			record.GetSession().ExpireTime = nil
		}
		response, err := e.api(r).Report(t.Context(), &edgev1.ReportRequest{BootId: "boot-1", Batches: []*edgev1.Batch{{TenantUid: string(acme), Records: []*edgev1.Record{record}}}})
		if err != nil {
			t.Fatal(err)
		}
		if stored := response.Stored[0]; stored.ThroughSeq != seq || (stored.Urgent == 0) != c.want.IsZero() {
			t.Errorf("%s: stored %v", name, stored)
		}
		err = w.db.Read(t.Context(), acme, func(tx *store.TenantTx) error {
			made, found, err := tx.RevocationOf("session:" + sid)
			switch {
			case err != nil:
				return err
			case found != !c.want.IsZero():
				t.Errorf("%s: revoked is %t", name, found)
			case found && made.ExpireTime.Sub(c.want).Abs() > time.Minute/2:
				t.Errorf("%s: the revocation ends at %v, want %v", name, made.ExpireTime, c.want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	// Use that is reported late does not put a session that is over back into the list.
	seq++
	late := session(seq, edgev1.SessionEventKind_SESSION_EVENT_KIND_SEEN, "s_late")
	late.GetSession().ExpireTime = timestamppb.New(now.Add(-time.Hour))
	if _, err := e.api(r).Report(t.Context(), &edgev1.ReportRequest{BootId: "boot-1", Batches: []*edgev1.Batch{{TenantUid: string(acme), Records: []*edgev1.Record{late}}}}); err != nil {
		t.Fatal(err)
	}
	err := w.db.Read(t.Context(), acme, func(tx *store.TenantTx) error {
		live, err := tx.Sessions(store.SessionQuery{Limit: 100})
		if err == nil && len(live) != 0 {
			t.Errorf("sessions that are over are listed as live: %s", text(live))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
