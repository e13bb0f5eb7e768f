package audit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

var small = limits{records: 2000, bytes: 2 << 20, ends: 100, total: 4 << 20, reserved: 256 << 10}

func newSpools(m limits) *spools { return &spools{limits: m, byTenant: map[string]*spool{}} }

func request(tenant, id, outcome string, bytes int) entry {
	k := refused
	if outcome == "ALLOW" {
		k = allowed
	}
	e := access(id, outcome)
	e.Request = &sallyportv1.EventRequest{Path: strings.Repeat("a", bytes)}
	return entry{tenant, &edgev1.Record{Event: &edgev1.Record_Access{Access: e}}, k}
}

func ending(tenant, sid string) entry {
	return entry{tenant, &edgev1.Record{Event: &edgev1.Record_Session{Session: &edgev1.SessionEvent{Kind: edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, Sid: sid}}}, ended}
}

// kept are the records of a tenant that are no gaps, by name.
func kept(t *testing.T, a *spools, tenant string) (names []string, lost int) {
	t.Helper()
	var records []*edgev1.Record
	for _, n := range a.of(tenant).records {
		records = append(records, n.Record)
		switch {
		case n.GetSession() != nil:
			names = append(names, n.GetSession().GetSid())
		case n.GetAccess().GetGap() == nil:
			names = append(names, n.GetAccess().GetId())
		}
	}
	return names, whole(t, records)
}

// Tenants that fill the memory of all lose their own records, and a quiet one none.
func TestLoudTenantsCostQuietOnesNothing(t *testing.T) {
	t.Parallel()
	a, now := newSpools(small), time.Now()
	var want []string
	for i := range 5000 {
		for _, loud := range []string{"loud-1", "loud-2", "loud-3", "loud-4"} {
			a.put(request(loud, fmt.Sprint(i), "ALLOW", 1000), now)
		}
		if i%50 == 0 {
			want = append(want, fmt.Sprint(i))
			a.put(request("quiet", fmt.Sprint(i), "ALLOW", 1000), now)
		}
		if a.bytes > small.total {
			t.Fatalf("%d bytes after %d rounds", a.bytes, i)
		}
	}
	if got, lost := kept(t, a, "quiet"); lost != 0 || !slices.Equal(got, want) {
		t.Errorf("of the quiet tenant's %d records %d are lost", len(want), lost)
	}
	all := 0
	for _, loud := range []string{"loud-1", "loud-2", "loud-3", "loud-4"} {
		got, lost := kept(t, a, loud)
		if len(got)+lost != 5000 || len(got) < 100 {
			t.Errorf("%s: %d kept, %d lost", loud, len(got), lost)
		}
		if last := got[len(got)-1]; last != "4999" {
			t.Errorf("%s: its last record is %s: what is oldest goes first", loud, last)
		}
		all += lost
	}
	if int64(all) != a.lost {
		t.Errorf("%d are lost, and %d counted", all, a.lost)
	}
}

// What goes first: allowed requests, then refused ones; and nobody's refused request for an allowed one of theirs.
func TestAllowedGoFirst(t *testing.T) {
	t.Parallel()
	m := small
	m.records, m.bytes = 1<<20, 1<<30
	a, now := newSpools(m), time.Now()
	for i := range 200 {
		a.put(request("acme", fmt.Sprint("refused-", i), "DENY", 1000), now)
	}
	for i := range 5000 {
		a.put(request("acme", fmt.Sprint("allowed-", i), "ALLOW", 1000), now)
	}
	names, _ := kept(t, a, "acme")
	n := 0
	for _, name := range names {
		if strings.HasPrefix(name, "refused-") {
			n++
		}
	}
	if n != 200 || len(names) == n {
		t.Errorf("of 200 refused requests %d are kept, of allowed ones %d", n, len(names)-n)
	}
	for i := range 5000 {
		a.put(request("acme", fmt.Sprint("late-", i), "DENY", 1000), now)
	}
	names, _ = kept(t, a, "acme")
	if i := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, "allowed-") }); i >= 0 {
		t.Errorf("%s is kept, and refused requests are lost", names[i])
	}
	for i := range 1000 {
		a.put(request("acme", fmt.Sprint("loud-", i), "ALLOW", 1000), now)
	}
	after, _ := kept(t, a, "acme")
	after = slices.DeleteFunc(after, func(name string) bool { return strings.HasPrefix(name, "loud-") })
	if !slices.Equal(after, names) {
		t.Errorf("of %d refused requests, allowed ones leave %d", len(names), len(after))
	}
}

// An end of a session finds room however many access records there are, of its tenant's and of others'.
func TestEndsAreKept(t *testing.T) {
	t.Parallel()
	for _, others := range []string{"acme", "loud"} {
		a, now := newSpools(small), time.Now()
		fill := func() {
			for i := range 4000 {
				for _, n := range []string{"", "-2", "-3"} {
					a.put(request(others+n, fmt.Sprint(i), "DENY", 1000), now)
				}
			}
		}
		fill()
		var want []string
		for i := range small.ends {
			want = append(want, fmt.Sprint("s_", i))
			a.put(ending("acme", want[i]), now)
		}
		fill()
		names, _ := kept(t, a, "acme")
		names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, "s_") })
		if !slices.Equal(names, want) {
			t.Errorf("beside %s: of %d ends %d are kept", others, len(want), len(names))
		}
		if s := a.of("acme"); s.lostEnd != 0 {
			t.Error("an end is said to be lost")
		}
		a.put(ending("acme", "one too many"), now)
		if s := a.of("acme"); s.lostEnd == 0 {
			t.Error("there is room for endlessly many ends, or one was lost silently")
		}
	}
}

// Ends of sessions go for nothing: neither for a request, nor for another end. They alone fill what is reserved for them.
func TestEndsGoForNothing(t *testing.T) {
	t.Parallel()
	a, now := newSpools(small), time.Now()
	a.put(request("loud", "first", "DENY", 1000), now)
	ends := 0
	for tenant := 0; a.lost < 2; tenant++ {
		for i := range small.ends {
			a.put(ending(fmt.Sprint("tenant-", tenant), fmt.Sprint("s_", i)), now)
			ends++
		}
	}
	if a.bytes < small.total+small.reserved*9/10 {
		t.Errorf("an end was lost at %d bytes", a.bytes)
	}
	if names, _ := kept(t, a, "loud"); len(names) != 0 {
		t.Error("an end was lost, and a request is kept")
	}
	a.put(request("quiet", "late", "DENY", 1000), now)
	kept := 0
	for _, s := range a.byTenant {
		kept += s.ends
	}
	if want := ends - int(a.lost) + 2; kept != want {
		t.Errorf("%d ends are kept, want %d", kept, want)
	}
}

// What was sent may be stored, and so must not be said to be lost: it is not evicted, nor is a gap widened.
func TestSentRecordsStay(t *testing.T) {
	t.Parallel()
	a, now := newSpools(small), time.Now()
	for i := range 100 {
		a.put(request("acme", fmt.Sprint(i), "ALLOW", 1000), now)
	}
	a.lose("acme", 3, now)
	sent, _ := a.of("acme").batch(batchBytes)
	a.lose("acme", 2, now)
	for i := range 5000 {
		for _, loud := range []string{"acme", "loud-1", "loud-2"} {
			a.put(request(loud, fmt.Sprint("later-", i), "ALLOW", 1000), now)
		}
	}
	have := a.of("acme").records
	for i, r := range sent.GetRecords() {
		if have[i].Record != r {
			t.Fatalf("record %d is another one than was sent", i)
		}
	}
	if g := sent.GetRecords()[100].GetAccess().GetGap(); g.GetFrom() != 101 || g.GetTo() != 103 {
		t.Errorf("the gap that was sent is %v", g)
	}
	if _, lost := kept(t, a, "acme"); lost <= 5 {
		t.Errorf("%d are lost", lost)
	}
}

// TestSpoolsAddUp does what may happen in any order, and looks at every sum and every number after each step.
func TestSpoolsAddUp(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	m := limits{records: 60, bytes: 80 << 10, ends: 10, total: 200 << 10, reserved: 8 << 10}
	a, now := newSpools(m), time.Now()
	given, told := map[string]int64{}, map[string][]*edgev1.Record{}
	tenants := []string{"a", "b", "c", "d", "e"}
	for step := range 10_000 {
		tenant := tenants[min(random.IntN(8), random.IntN(len(tenants)))%len(tenants)]
		switch what := random.IntN(100); {
		case what < 60:
			a.put(request(tenant, fmt.Sprint(step), []string{"ALLOW", "DENY"}[random.IntN(2)], random.IntN(3000)), now)
			given[tenant]++
		case what < 70:
			a.put(ending(tenant, fmt.Sprint(step)), now)
			given[tenant]++
		case what < 75:
			n := 1 + random.IntN(5)
			a.lose(tenant, n, now)
			given[tenant] += int64(n)
		case what < 80:
			a.of(tenant).batch(random.IntN(50 << 10)) // and no answer came
		case what < 85:
			b, _ := a.of(tenant).batch(random.IntN(50 << 10))
			if n := len(b.GetRecords()); n > 0 {
				told[tenant] = append(told[tenant], b.GetRecords()...)
				if forgotten := a.stored(&edgev1.Stored{TenantUid: tenant, ThroughSeq: b.GetRecords()[n-1].GetSeq()}); forgotten != n {
					t.Fatalf("step %d: %d were sent, %d forgotten", step, n, forgotten)
				}
			}
		}
		bytes, records, lost := 0, 0, 0
		for _, tenant := range tenants {
			s := a.of(tenant)
			all, held, ends, size := slices.Clone(told[tenant]), 0, 0, 0
			for _, n := range s.records {
				all = append(all, n.Record)
				size += n.memory()
				if n.kind == ended {
					ends++
				}
				if n.kind <= lastEvicted && n.GetSeq() > s.sent {
					held += n.memory()
				}
			}
			if size != s.bytes || held != s.held || ends != s.ends || s.next-1 != given[tenant] {
				t.Fatalf("step %d: %s has %d bytes (says %d), %d held (says %d), %d ends (says %d), %d numbers (gave %d)", step, tenant, size, s.bytes, held, s.held, ends, s.ends, given[tenant], s.next-1)
			}
			if step%100 == 0 {
				lost += whole(t, all)
			}
			bytes, records = bytes+size, records+len(s.records)
		}
		if bytes != a.bytes || records != a.records || step%100 == 0 && int64(lost) != a.lost {
			t.Fatalf("step %d: %d bytes (says %d), %d records (says %d), %d lost (says %d)", step, bytes, a.bytes, records, a.records, lost, a.lost)
		}
		if bytes > m.total+m.reserved+4<<10 {
			t.Fatalf("step %d: %d bytes", step, bytes)
		}
	}
	if a.lost < 500 {
		t.Errorf("only %d were lost: the limits were hardly met", a.lost)
	}
}

// While a report hangs, requests go on, and are numbered: else one tenant would fill the shards of all.
func TestSlowControlPlane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{hang: make(chan struct{})}
		l := newLog(r)
		stop := running(t, l)
		tenants := []string{"loud-1", "loud-2", "loud-3", "quiet"}
		for range 45 {
			for _, tenant := range tenants[:3] {
				for i := range 600 {
					l.Access(tenant, access(fmt.Sprint(tenant, i), "ALLOW"))
				}
			}
			l.Access("quiet", access("q", "ALLOW"))
			time.Sleep(collectEvery)
		}
		close(r.hang)
		time.Sleep(time.Minute)
		stop()
		for i, tenant := range tenants {
			if lost, want := whole(t, r.of(tenant)), []int{27_000, 27_000, 27_000, 45}[i]; lost != 0 || len(r.of(tenant)) != want {
				t.Errorf("%s: %d stored, %d lost", tenant, len(r.of(tenant)), lost)
			}
		}
	})
}

// A loss is told though nothing comes after it; and a sign-out whose end was lost is not told that it is everywhere.
func TestLossIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		l := newLog(r)
		l.spools.limits.ends = 3
		end := func(sid string) (bool, error) {
			l.Session("acme", &edgev1.SessionEvent{Kind: edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, Sid: sid})
			_, enforced, err := l.ReportNow(t.Context(), "acme")
			return enforced, err
		}
		if enforced, err := end("s_0"); !enforced || err != nil {
			t.Errorf("got %v, %v", enforced, err)
		}
		r.fail(errors.New("down"))
		for i := range 4 {
			if enforced, err := end(fmt.Sprint("s_", i+1)); enforced || err == nil {
				t.Errorf("while the control plane is down: %v, %v", enforced, err)
			}
		}
		r.fail(nil)
		if enforced, err := l.reportNow(t, "acme"); enforced || !errors.Is(err, errLostEnd) {
			t.Errorf("one end was lost: %v, %v", enforced, err)
		}
		if lost := whole(t, r.of("acme")); lost != 1 || len(r.of("acme")) != 5 {
			t.Errorf("%d stored, %d lost", len(r.of("acme")), lost)
		}
		if enforced, err := end("s_5"); !enforced || err != nil {
			t.Errorf("the next end: %v, %v", enforced, err)
		}
	})
}

func (l *Log) reportNow(t *testing.T, tenant string) (bool, error) {
	t.Helper()
	_, enforced, err := l.ReportNow(t.Context(), tenant)
	return enforced, err
}
