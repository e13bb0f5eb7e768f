package server_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/revision"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

func TestCommitToAcknowledged(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", false, "acme"))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	e.connect(r)
	e.has(acme, w.put(acme, app("wiki", "first.acme.test")))
	revisions := waiter(t, w)
	var took []time.Duration
	for range 50 {
		at := w.put(acme, app("wiki", "wiki.acme.test"))
		began := time.Now()
		result, err := revisions.Wait(t.Context(), storetest.Caller(), revision.WaitRequest{Tenant: acme, Revision: at, Timeout: patience})
		if err != nil || result.Result != revision.Enforced {
			t.Fatalf("%s: %v %s", at, err, text(result))
		}
		took = append(took, time.Since(began))
		e.mu.Lock()
		if has := e.sites[string(acme)].version.Config; has < at.Number {
			t.Errorf("Wait answered for %s, the edge has c%d", at, has)
		}
		e.mu.Unlock()
	}
	t.Logf("commit to Wait's answer, through notifications: %s", quantiles(took))
}

func TestWaitNamesTheSilent(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", false, "acme"))
	if got := w.wait(acme, w.put(acme, app("wiki", "wiki.acme.test")), 0); got.Result != revision.Enforced || got.EnforceTime.IsZero() {
		t.Errorf("no edge at all: %s", text(got))
	}
	r := w.replica()
	one, two := w.edge(r, "dev", "eu-1"), w.edge(r, "dev", "eu-2")
	one.connect(r)
	stream := two.connect(r)
	at := w.put(acme, app("wiki", "wiki2.acme.test"))
	one.has(acme, at)
	two.has(acme, at)
	if got := w.wait(acme, at, patience); got.Result != revision.Enforced {
		t.Fatalf("both are there: %s", text(got))
	}

	two.mu.Lock()
	two.mute = true // as if it were stopped: the connection stays, and nothing comes
	two.mu.Unlock()
	at = w.put(acme, app("wiki", "wiki3.acme.test"))
	one.has(acme, at)
	eventually(t, "it alone is waited for", func() error {
		got := w.wait(acme, at, 0)
		if got.Result != revision.Pending || len(got.Pending) != 1 || got.Pending[0].Edge != two.name || len(got.Unreachable) != 0 {
			return errors.New(text(got))
		}
		return nil
	})
	// Twenty seconds later, without waiting for them.
	super := w.superuser()
	super.exec(`UPDATE edge SET seen_at = now() - interval '20 seconds' WHERE name = '` + two.name + `'`)
	got := w.wait(acme, at, patience)
	if got.Result != revision.EnforcedExcept || len(got.Unreachable) != 1 || got.Unreachable[0].Edge != two.name {
		t.Errorf("it is silent: %s", text(got))
	} else if left := time.Until(got.Unreachable[0].ClosesBy); left < 23*time.Hour || left > 25*time.Hour {
		t.Errorf("it closes in %s, want about a day", left)
	}
	super.exec(`UPDATE edge SET seen_at = now() - interval '25 hours' WHERE name = '` + two.name + `'`)
	if got = w.wait(acme, at, patience); got.Result != revision.Enforced {
		t.Errorf("it has closed by itself: %s", text(got))
	}
	_ = stream.close()

	// A goodbye releases it; coming back makes it accountable again.
	two.mu.Lock()
	two.mute = false
	two.mu.Unlock()
	stream = two.connect(r)
	two.has(acme, at)
	stream.leave(t)
	at = w.put(acme, app("wiki", "wiki4.acme.test"))
	if got = w.wait(acme, at, patience); got.Result != revision.Enforced {
		t.Errorf("it said goodbye: %s", text(got))
	}
	two.mu.Lock()
	two.mute = true
	two.mu.Unlock()
	two.connect(r)
	two.until("it is back", func() bool { return two.count["welcome"] == 3 })
	at = w.put(acme, app("wiki", "wiki5.acme.test"))
	if got = w.wait(acme, at, 300*time.Millisecond); got.Result != revision.Pending {
		t.Errorf("it is back: %s", text(got))
	}
}

// Half a minute of real time: beats, heads that say that nothing has changed, and the end of an edge that says nothing.
func TestLifeAndSilence(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", false, "acme"))
	r := w.replica()
	alive, silent := w.edge(r, "dev", "eu-1"), w.edge(r, "dev", "eu-2")
	alive.connect(r)
	alive.until("current", func() bool {
		s := alive.sites[string(acme)]
		return s != nil && !s.configAt.IsZero() && !s.urgentAt.IsZero()
	})
	alive.mu.Lock()
	configAt, urgentAt := alive.sites[string(acme)].configAt, alive.sites[string(acme)].urgentAt
	alive.mu.Unlock()

	stream := silent.connect(r)
	silent.until("welcome", func() bool { return silent.count["welcome"] == 1 })
	silent.mu.Lock()
	silent.mute = true
	silent.mu.Unlock()
	began := time.Now()
	<-stream.done
	if took := time.Since(began); took < 10*time.Second || took > 20*time.Second {
		t.Errorf("a silent stream ends after %s", took)
	}
	alive.until("signs of life", func() bool {
		s := alive.sites[string(acme)]
		return alive.count["heartbeat"] >= 2 && s.configAt.After(configAt) && s.urgentAt.After(urgentAt)
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.put(controlplane.PlatformUID, pool("dev", false))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	stream := e.connect(r)
	e.until("its pool", func() bool { return e.pool != "" })
	e.mu.Lock()
	e.mute = true
	e.mu.Unlock()
	at := w.put(controlplane.PlatformUID, pool("other", false))
	service := revision.New(revision.Config{DB: w.db, Now: time.Now})
	service.Drain()
	began := time.Now()
	if got, err := service.Wait(t.Context(), storetest.Caller(), revision.WaitRequest{Tenant: controlplane.PlatformUID, Revision: at, Timeout: patience}); err != nil || got.Result != revision.Pending {
		t.Errorf("a wait at a replica that is going: %s %v", text(got), err)
	} else if took := time.Since(began); took > patience/2 {
		t.Errorf("it held the caller for %s", took)
	}
	if err := r.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	<-stream.done
	if len(e.said) != 1 || e.said[0] != "drain" {
		t.Errorf("it was told %v", e.said)
	}
}
