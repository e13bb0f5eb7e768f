package hostile_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// maxUntil is how many rows may assert what is so instead of what should be.
const maxUntil = 6

// TestRows sends every row to one edge, and looks at all oracles after each. It does not run beside other tests: it counts
// goroutines.
func TestRows(t *testing.T) {
	w := newWorld(t)
	w.honest(t, name("the start"), 10)
	baseline, _ := busy(t)
	until := 0
	rows := readRows(t)
	for len(rows) > 0 {
		file := rows[0].file
		n := slices.IndexFunc(rows, func(r *row) bool { return r.file != file })
		if n < 0 {
			n = len(rows)
		}
		t.Run(file, func(t *testing.T) {
			for _, r := range rows[:n] {
				t.Run(r.name(), func(t *testing.T) {
					defer w.resume(t)
					w.run(t, r)
				})
				if r.until != "" {
					until++
					t.Logf("until %s: %s", r.until, r)
				}
			}
			w.honest(t, name(file), 100)
		})
		w.quiet(t, baseline)
		rows = rows[n:]
	}
	t.Logf("%d rows wait for another engine", until)
	if until > maxUntil {
		t.Errorf("%d rows assert what is so instead of what should be, and %d may: fix the edge", until, maxUntil)
	}
}

// resume lets a row that failed leave nothing that the next would be blamed for.
func (w *world) resume(t testing.TB) {
	if !t.Failed() {
		return
	}
	w.arrived(t, name("what is left"), 0)
	for _, tenant := range []string{tenantA, tenantB} {
		w.decided(t, name("what is left"), tenant, 0)
	}
}

type name string

func (n name) String() string { return string(n) }

// run sends one row and looks at what came of it.
func (w *world) run(t testing.TB, r *row) {
	t.Helper()
	lines := make([]string, len(r.send))
	for i, line := range r.send {
		text, err := expand(line, w.names)
		if err != nil {
			t.Fatalf("%s: %q: %v", r, line, err)
		}
		lines[i] = text
	}
	before := w.bytes()
	var got outcome
	sent := strings.Join(lines, "")
	_, body, _ := strings.Cut(sent, "\r\n\r\n")
	sent = strings.ReplaceAll(sent, "{length}", strconv.Itoa(len(body)))
	switch r.protocol {
	case "h1":
		got = w.sendHTTP1(t, r, sent)
	case "h2":
		got = w.sendHTTP2(t, r, lines)
	default:
		got = w.sendTCP(t, sent)
	}
	o := w.observe(t, r, got, before)
	wall(t, r, sent, o)
	r.judge(t, o, w.names)
	if !t.Failed() {
		r.falsify(t, o, w.names)
	}
	w.honest(t, r, 5)
}

// observe waits for all that came of a row, and looks at what holds whatever the row is about: O1, O2, O3.
func (w *world) observe(t testing.TB, r *row, got outcome, before int) observed {
	t.Helper()
	n, forwards := 0, 0
	for _, a := range r.answers {
		if a.handled {
			n++
		}
	}
	for _, f := range r.upstream {
		if !f.maybe {
			forwards++
		}
	}
	if got.followed {
		n++
		forwards++
	}
	o := observed{outcome: got, records: w.decided(t, r, tenantOf(r.sni), n)}
	size := 0
	for _, f := range w.arrived(t, r, forwards) {
		size += f.Size
		i := slices.IndexFunc(o.records, func(a *sallyportv1.AccessEvent) bool {
			return a.GetRequest().GetId() == strings.Join(f.Values("X-Request-Id"), ",")
		})
		if i < 0 {
			t.Errorf("%s: O2: the upstream received %s %s, on which nothing was decided", r, f.Method, f.Target)
			continue
		}
		same(t, r, o.records[i], f)
		w.identity(t, r, o.records[i], f)
		if f.Target != follow {
			o.arrived = append(o.arrived, f)
		}
	}
	if extra := w.bytes() - before - size; extra != 0 {
		t.Errorf("%s: O2: upstreams received %d bytes that are no request", r, extra)
	}
	return o
}
