package job

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
)

var (
	begin = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	day   = 24 * time.Hour
)

// history applies plans to keys as the store would.
type history struct {
	t    *testing.T
	keys []keyring.PoolKey
	rev  int64
}

func (h *history) step(pools []pool, now time.Time) *plan {
	h.t.Helper()
	p, err := planKeys(pools, h.keys, now)
	if err != nil {
		h.t.Fatal(err)
	}
	h.rev++
	for _, d := range p.drop {
		if !slices.ContainsFunc(h.keys, same(d)) {
			h.t.Fatalf("drops %v, which is not there", d)
		}
		h.keys = slices.DeleteFunc(h.keys, same(d))
		if d.Purpose == keyring.Assertion {
			h.keys = append(h.keys, keyring.PoolKey{Pool: d.Pool, Purpose: d.Purpose, ID: d.ID, State: keyring.Dropped, Revision: h.rev})
		}
	}
	for i := range p.put {
		p.put[i].Revision = h.rev
	}
	h.keys = merge(h.keys, p.put)
	return p
}

// shape is which states each purpose has: `ticket:active,next`.
func (h *history) shape(uid controlplane.UID) string {
	var parts []string
	for _, purpose := range keyring.Purposes {
		var states []string
		for _, k := range h.keys {
			if k.Pool == uid && k.Purpose == purpose && k.State != keyring.Dropped {
				states = append(states, string(k.State))
			}
		}
		slices.Sort(states)
		if len(states) > 0 {
			parts = append(parts, string(purpose)+":"+strings.Join(states, ","))
		}
	}
	return strings.Join(parts, " ")
}

func (h *history) ids(purpose keyring.Purpose, state keyring.State) string {
	var ids []string
	for _, k := range h.keys {
		if k.Purpose == purpose && k.State == state {
			ids = append(ids, k.ID)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, ",")
}

func TestPlanKeys(t *testing.T) {
	t.Parallel()
	dev := pool{uid: "0d000000-0000-7000-8000-000000000001", id: "dev", login: true}
	plain := pool{uid: dev.uid, id: dev.id}
	withDue := func(due string) pool { d := dev; d.due = due; return d }
	const whole = "ticket:active redis:active login:active data:active assertion:active"

	t.Run("a pool begins to serve", func(t *testing.T) {
		t.Parallel()
		h := &history{t: t}
		if p := h.step([]pool{dev}, begin); h.shape(dev.uid) != whole || !p.reseal {
			t.Errorf("keys %s, reseal %v", h.shape(dev.uid), p.reseal)
		}
		if p := h.step([]pool{dev}, begin.Add(time.Hour)); !p.empty() || p.reseal {
			t.Errorf("a second look: put %v, drop %v", p.put, p.drop)
		}
	})
	t.Run("a pool that signs nobody in has no login key", func(t *testing.T) {
		t.Parallel()
		h := &history{t: t}
		h.step([]pool{plain}, begin)
		if got := h.shape(dev.uid); got != "ticket:active redis:active data:active assertion:active" {
			t.Error(got)
		}
		if p := h.step([]pool{dev}, begin.Add(time.Hour)); h.shape(dev.uid) != whole || !p.reseal {
			t.Errorf("it begins to: keys %s, reseal %v", h.shape(dev.uid), p.reseal)
		}
		if p := h.step([]pool{plain}, begin.Add(2*time.Hour)); strings.Contains(h.shape(dev.uid), "login") || !p.reseal {
			t.Errorf("it ceases to: keys %s, reseal %v", h.shape(dev.uid), p.reseal)
		}
	})
	t.Run("a pool ceases to serve", func(t *testing.T) {
		t.Parallel()
		h := &history{t: t}
		h.step([]pool{dev}, begin)
		first := h.ids(keyring.Assertion, keyring.Active)
		h.step(nil, begin.Add(time.Hour))
		if got := h.shape(dev.uid); got != "" {
			t.Errorf("left: %s", got)
		}
		if p := h.step(nil, begin.Add(2*time.Hour)); !p.empty() {
			t.Errorf("again: %v %v", p.put, p.drop)
		}
		h.step([]pool{dev}, begin.Add(3*time.Hour))
		if again := h.ids(keyring.Assertion, keyring.Active); again == first {
			t.Errorf("the name %s names another key", again)
		}
	})
	t.Run("an edge was disabled", func(t *testing.T) {
		t.Parallel()
		h := &history{t: t}
		h.step([]pool{dev}, begin)
		before := fmt.Sprint(h.keys)
		if p := h.step([]pool{withDue(dueReplace)}, begin.Add(time.Hour)); h.shape(dev.uid) != whole || len(p.drop) != 5 || !p.reseal {
			t.Errorf("keys %s, dropped %d, reseal %v", h.shape(dev.uid), len(p.drop), p.reseal)
		}
		for _, k := range h.keys {
			if k.State != keyring.Dropped && strings.Contains(before, k.ID) {
				t.Errorf("%v is still there", k)
			}
		}
	})
	t.Run("an edge was deleted", func(t *testing.T) {
		t.Parallel()
		h := &history{t: t}
		h.step([]pool{dev}, begin)
		data, ticket := h.ids(keyring.Data, keyring.Active), h.ids(keyring.Ticket, keyring.Active)
		p := h.step([]pool{withDue(dueRotate)}, begin.Add(time.Hour))
		if got := h.shape(dev.uid); got != "ticket:active,next redis:active,next login:active,next data:active assertion:active,next" {
			t.Error(got)
		}
		if h.ids(keyring.Data, keyring.Active) == data || h.ids(keyring.Ticket, keyring.Active) != ticket || !p.reseal {
			t.Error("the data key is to be another one at once, the ticket key the same for now")
		}
		for _, k := range h.keys {
			if k.Revision != h.rev {
				t.Errorf("%v is sealed anew under another data key and keeps its revision", k)
			}
		}
		// Another one leaves before the successors are in use: it has seen them.
		next := h.ids(keyring.Ticket, keyring.Next)
		h.step([]pool{withDue(dueRotate)}, begin.Add(2*time.Hour))
		if again := h.ids(keyring.Ticket, keyring.Next); again == next || strings.Contains(again, ",") {
			t.Errorf("successor was %s, is %s", next, again)
		}
		h.step([]pool{dev}, begin.Add(2*day))
		if h.ids(keyring.Ticket, keyring.Active) == ticket || h.ids(keyring.Ticket, keyring.Old) != ticket {
			t.Error("the successor was announced a day ago and is not in use")
		}
	})
	t.Run("an edge was deleted just when a successor is due", func(t *testing.T) {
		t.Parallel()
		h := &history{t: t}
		h.step([]pool{dev}, begin)
		h.step([]pool{dev}, begin.Add(6*day))
		next := h.ids(keyring.Ticket, keyring.Next)
		h.step([]pool{withDue(dueRotate)}, begin.Add(7*day))
		if h.ids(keyring.Ticket, keyring.Active) != next || h.ids(keyring.Ticket, keyring.Next) == "" {
			t.Errorf("%s: what was announced comes into use, and has a successor of its own", h.shape(dev.uid))
		}
	})
	t.Run("years of schedule", func(t *testing.T) {
		t.Parallel()
		h := &history{t: t}
		for at := begin; at.Before(begin.Add(400 * day)); at = at.Add(6 * time.Hour) {
			h.step([]pool{dev}, at)
			for _, purpose := range []keyring.Purpose{keyring.Ticket, keyring.Redis, keyring.Login} {
				var own []keyring.PoolKey
				for _, k := range h.keys {
					if k.Purpose == purpose {
						own = append(own, k)
					}
				}
				if _, err := keyring.Keyset(own); err != nil {
					t.Fatalf("at %s: %v", at, err)
				}
				if len(own) > 8 {
					t.Fatalf("at %s: %d keys for %s", at, len(own), purpose)
				}
			}
		}
	})
}
