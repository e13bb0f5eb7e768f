package hostile_test

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
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
func (w *world) run(t *testing.T, r *row) {
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
	w.answered(t, r, got)
	records := w.recorded(t, r, got)
	wall(t, r, sent, got, records)
	w.upstreamGot(t, r, got.followed, records, before)
	w.honest(t, r, 5)
}

// answered compares answers.
func (w *world) answered(t testing.TB, r *row, got outcome) {
	t.Helper()
	var want []answer
	for _, a := range r.answers {
		if a.status != 0 {
			want = append(want, a)
		}
	}
	fate := r.answers[len(r.answers)-1].fate
	if fate == fateTorn {
		return
	}
	if got.fate != fate {
		t.Errorf("%s: the connection is %s, want %s (answers: %+v)", r, got.fate, fate, got.replies)
	}
	if len(got.replies) != len(want) {
		t.Errorf("%s: %d answers, want %d: %+v", r, len(got.replies), len(want), got.replies)
		return
	}
	for i, a := range want {
		one := got.replies[i]
		if one.status != a.status {
			t.Errorf("%s: answer %d is %d, want %d: %v %s", r, i, one.status, a.status, one.header, one.body)
		}
		for _, line := range a.has {
			name, value, _ := strings.Cut(line, ": ")
			if values := one.header.Values(name); len(values) != 1 || values[0] != value {
				t.Errorf("%s: answer %d has %s: %q, want %q", r, i, name, values, value)
			}
		}
		for _, line := range a.like {
			name, pattern, _ := strings.Cut(line, ": ")
			values := one.header.Values(name)
			if ok, err := regexp.MatchString("^(?:"+pattern+")$", strings.Join(values, "\n")); err != nil || !ok {
				t.Errorf("%s: answer %d has %s: %q, want %q (%v)", r, i, name, values, pattern, err)
			}
		}
		if body, err := expand(a.body, w.names); err != nil || body != "" && body != one.body {
			t.Errorf("%s: answer %d is %q, want %q (%v)", r, i, one.body, body, err)
		}
		for _, name := range a.lacks {
			if values := one.header.Values(name); len(values) != 0 {
				t.Errorf("%s: answer %d has %s: %q", r, i, name, values)
			}
		}
	}
}

// recorded is O4: a record for each answer of the pipeline, and no other.
func (w *world) recorded(t testing.TB, r *row, got outcome) []*sallyportv1.AccessEvent {
	t.Helper()
	var want []answer
	for _, a := range r.answers {
		if a.handled {
			want = append(want, a)
		}
	}
	n := len(want)
	if got.followed {
		n++
	}
	records := w.decided(t, r, tenantOf(r.sni), n)
	if len(records) != n {
		t.Fatalf("%s: O4: %d records, want %d: %v", r, len(records), n, records)
	}
	for i, a := range want {
		d := records[i].GetDecision()
		if a.fate == fateTorn {
			continue
		}
		if d.GetReason() != a.reason || int(records[i].GetResponse().GetStatus()) != a.status {
			t.Errorf("%s: O4: record %d says %d %s %s, want %d %s", r, i, records[i].GetResponse().GetStatus(), d.GetOutcome(), d.GetReason(), a.status, a.reason)
		}
		if i < len(got.replies) && got.replies[i].body != "" && strings.Contains(got.replies[i].header.Get("Content-Type"), "problem+json") && !strings.Contains(got.replies[i].body, `"d_`+records[i].GetId()+`"`) {
			t.Errorf("%s: O4: the answer does not name record %s: %s", r, records[i].GetId(), got.replies[i].body)
		}
	}
	return records
}

// upstreamGot is O1, O2 and O3, and what the row itself wants.
func (w *world) upstreamGot(t testing.TB, r *row, followed bool, records []*sallyportv1.AccessEvent, before int) {
	t.Helper()
	n := 0
	for _, f := range r.upstream {
		if !f.maybe {
			n++
		}
	}
	if followed {
		n++
	}
	arrived := w.arrived(t, r, n)
	size := 0
	for _, got := range arrived {
		size += got.Size
		i := slices.IndexFunc(records, func(a *sallyportv1.AccessEvent) bool {
			return a.GetRequest().GetId() == strings.Join(got.Values("X-Request-Id"), ",")
		})
		if i < 0 {
			t.Errorf("%s: O2: the upstream received %s %s, on which nothing was decided", r, got.Method, got.Target)
			continue
		}
		same(t, r, records[i], got)
		w.identity(t, r, records[i], got)
	}
	if extra := w.bytes() - before - size; extra != 0 {
		t.Errorf("%s: O2: upstreams received %d bytes that are no request", r, extra)
	}
	arrived = slices.DeleteFunc(arrived, func(got *edgetest.Received) bool { return got.Target == follow })
	if len(r.upstream) == 1 && r.upstream[0].maybe && len(arrived) == 0 {
		return
	}
	if len(arrived) != len(r.upstream) {
		t.Errorf("%s: upstreams received %d requests, want %d: %+v", r, len(arrived), len(r.upstream), arrived)
		return
	}
	for i, want := range r.upstream {
		w.forwarded(t, r, want, arrived[i])
	}
}

func (w *world) forwarded(t testing.TB, r *row, want forwarded, got *edgetest.Received) {
	t.Helper()
	body, err := expand(want.body, w.names)
	if err != nil {
		t.Fatal(err)
	}
	line, err := expand(want.line, w.names)
	if err != nil {
		t.Fatal(err)
	}
	if sent := got.Method + " " + got.Target; sent != line {
		t.Errorf("%s: the upstream received %q, want %q", r, sent, line)
	}
	if cut := errors.Is(got.Bad, io.EOF) || errors.Is(got.Bad, io.ErrUnexpectedEOF); cut != want.cut || got.Bad != nil && !cut {
		t.Errorf("%s: the upstream received a request that is bad: %v", r, got.Bad)
	}
	if !bytes.Equal(got.Body, []byte(body)) && !want.cut {
		t.Errorf("%s: the upstream received the body %q, want %q", r, got.Body, body)
	}
	for _, line := range want.has {
		name, value, _ := strings.Cut(line, ": ")
		value, err := expand(value, w.names)
		if err != nil {
			t.Fatal(err)
		}
		if values := got.Values(name); len(values) != 1 || values[0] != value {
			t.Errorf("%s: the upstream received %s: %q, want %q", r, name, values, value)
		}
	}
	for _, name := range want.lacks {
		for _, h := range slices.Concat(got.Header, got.Trailer) {
			if letters(h[0]) == letters(name) {
				t.Errorf("%s: the upstream received %s: %s", r, h[0], h[1])
			}
		}
	}
}
