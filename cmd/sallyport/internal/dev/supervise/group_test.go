package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// diary notes what happened, in order.
type diary struct {
	mu     sync.Mutex
	events []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, fmt.Sprintf(format, args...))
}

// part runs until it is stopped, and takes that long to stop.
func (d *diary) part(name string, stopping time.Duration) Part {
	return Part{name, func(ctx context.Context, ready func()) error {
		d.note("start %s", name)
		ready()
		<-ctx.Done()
		time.Sleep(stopping) // virtual time
		d.note("stop %s", name)
		return nil
	}}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		var out bytes.Buffer
		g := NewGroup(&out)
		ctx, cancel := context.WithCancel(t.Context())
		for _, stage := range [][]Part{{d.part("database", 0)}, {d.part("slow", time.Second), d.part("quick", 0)}, {d.part("edge", 0)}} {
			if err := g.Start(ctx, stage...); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		cancel() // the signal stops nothing by itself
		synctest.Wait()
		if err := g.Wait(ctx); err != nil {
			t.Errorf("Wait: %v", err)
		}
		if got := strings.Join(d.events, " "); strings.Contains(got, "stop") {
			t.Errorf("stopped out of order: %s", got)
		}
		g.Stop()
		want := []string{"stop edge", "stop quick", "stop slow", "stop database"}
		if diff := cmp.Diff(want, d.events[4:]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, name := range []string{"database", "slow", "quick", "edge"} {
			if !strings.Contains(out.String(), name) {
				t.Errorf("progress %q does not name %s", &out, name)
			}
		}
	})
}

func TestFailures(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	fails := Part{"broken", func(context.Context, func()) error { return boom }}
	never := Part{"silent", func(ctx context.Context, _ func()) error {
		<-ctx.Done()
		return nil
	}}
	t.Run("at the start", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			g := NewGroup(&bytes.Buffer{})
			defer g.Stop()
			if err := g.Start(t.Context(), never, fails); !errors.Is(err, boom) || !strings.Contains(err.Error(), "broken") {
				t.Errorf("error = %v", err)
			}
		})
	})
	t.Run("never ready", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			g := NewGroup(&out)
			defer g.Stop()
			if err := g.Start(t.Context(), never); err == nil || !strings.Contains(err.Error(), "silent: not ready after") {
				t.Errorf("error = %v", err)
			}
			if !strings.Contains(out.String(), "still waiting for: silent") {
				t.Errorf("progress: %s", &out)
			}
		})
	})
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			g := NewGroup(&bytes.Buffer{})
			defer g.Stop()
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(boom) })
			if err := g.Start(ctx, never); !errors.Is(err, boom) {
				t.Errorf("error = %v", err)
			}
		})
	})
	t.Run("later", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			g := NewGroup(&bytes.Buffer{})
			defer g.Stop()
			err := g.Start(t.Context(), Part{"brief", func(_ context.Context, ready func()) error {
				ready()
				time.Sleep(time.Minute)
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "brief: it ended by itself") {
				t.Errorf("error = %v", err)
			}
		})
	})
}

func TestKeep(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	log := slog.New(slog.DiscardHandler)
	t.Run("starts again after a second", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			starts := 0
			attempt := Keep("part", func(_ context.Context, ready func()) error {
				starts++
				if starts != 2 { // a second start that fails before it is ready is tried again too
					ready()
				}
				return boom
			}, true, log)
			ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
			defer cancel()
			if err := attempt(ctx, func() {}); err != nil || starts != 4 {
				t.Errorf("%d starts in 3.5 s, %v", starts, err)
			}
		})
	})
	t.Run("stays down", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			starts := 0
			attempt := Keep("part", func(_ context.Context, ready func()) error {
				starts++
				ready()
				return boom
			}, false, log)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if err := attempt(ctx, func() {}); err != nil || starts != 1 {
				t.Errorf("%d starts, %v", starts, err)
			}
		})
	})
	t.Run("never ready", func(t *testing.T) {
		t.Parallel()
		attempt := Keep("part", func(context.Context, func()) error { return boom }, true, log)
		if err := attempt(t.Context(), func() {}); !errors.Is(err, boom) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	lines := NewLines(&out)
	one, two := lines.Prefix("one"), lines.Prefix("two")
	for _, w := range []struct {
		to   int
		text string
	}{{1, "hel"}, {2, "x\ny"}, {1, "lo\n\nrest"}, {2, strings.Repeat("z", maxLine)}} {
		to := one
		if w.to == 2 {
			to = two
		}
		if n, err := to.Write([]byte(w.text)); err != nil || n != len(w.text) {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	want := "two | x\none | hello\none | \ntwo | y" + strings.Repeat("z", maxLine-1) + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
