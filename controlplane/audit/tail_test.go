package audit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

func nothing() error { return nil }

func always(context.Context) error { return nil }

func TestOneTenantDoesNotTakeAllTails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		ctx, cancel := context.WithCancel(t.Context())
		open := func(tenant controlplane.UID) chan error {
			done := make(chan error, 1)
			go func() {
				asker := Asker{Caller: &controlplane.Caller{TenantUID: tenant}, Again: always, Ready: nothing}
				done <- s.tail(ctx, asker, nothing)
			}()
			synctest.Wait()
			return done
		}
		for range maxTenantTails {
			open("acme")
		}
		if err := <-open("acme"); controlplane.KindOf(err) != controlplane.Exhausted {
			t.Errorf("one more of the tenant: %v", err)
		}
		others := []chan error{open("globex")}
		for range maxTails - maxTenantTails - 1 {
			others = append(others, open(controlplane.PlatformUID))
		}
		for _, done := range others {
			select {
			case err := <-done:
				t.Errorf("another's: %v", err)
			default:
			}
		}
		if err := <-open("initech"); controlplane.KindOf(err) != controlplane.Exhausted {
			t.Errorf("one more of all: %v", err)
		}
		cancel()
		synctest.Wait()
		if s.total != 0 || len(s.tails) != 0 {
			t.Errorf("places are left behind: %d, %v", s.total, s.tails)
		}
	})
}

// A stream writes two records with one id: at its start, and at its end.
func TestATailHasTheEndOfAStream(t *testing.T) {
	t.Parallel()
	tail := &eventTail{seen: map[store.EventPlace]time.Time{}, begun: true}
	start, end := Event{ID: "E1", Seq: 1, ReceiveTime: time.Unix(1, 0)}, Event{ID: "E1", Seq: 2, ReceiveTime: time.Unix(2, 0)}
	if first := tail.fresh([]Event{start}); len(first) != 1 {
		t.Errorf("the start: %v", first)
	}
	if second := tail.fresh([]Event{end, start}); len(second) != 1 || second[0].Seq != 2 {
		t.Errorf("the end: %v", second)
	}
}

func TestATailAsksAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer error
		want   controlplane.ErrorKind
		after  time.Duration
	}{
		"the token is gone":      {&controlplane.Error{Kind: controlplane.Unauthenticated}, controlplane.Unauthenticated, askAgain},
		"the role is gone":       {controlplane.RoleError(controlplane.ReadActivity), controlplane.Denied, askAgain},
		"the tenant is gone":     {controlplane.NotFoundError(), controlplane.NotFound, askAgain},
		"the database is away":   {&controlplane.Error{Kind: controlplane.Unavailable}, controlplane.Exhausted, longest},
		"something else is":      {errors.New("something else"), controlplane.Exhausted, longest},
		"nothing is the matter":  {nil, controlplane.Exhausted, longest},
		"it is asked about much": {&controlplane.Error{Kind: controlplane.Exhausted, Reason: controlplane.ReasonRate}, controlplane.Exhausted, longest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := New(Config{}).tail(t.Context(), Asker{
					Caller: &controlplane.Caller{TenantUID: "acme"}, Ready: nothing,
					Again: func(context.Context) error { return c.answer },
				}, nothing)
				if after := time.Since(began); controlplane.KindOf(err) != c.want || after != c.after {
					t.Errorf("after %s: %v", after, err)
				}
			})
		})
	}
}
