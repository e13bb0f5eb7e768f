package hostile_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// observed is all that came of a row: what the client saw, what was recorded, and what upstreams received.
type observed struct {
	outcome
	records []*sallyportv1.AccessEvent
	arrived []*edgetest.Received
}

// judge compares what came of a row with what the row wants.
func (r *row) judge(t testing.TB, o observed, names map[string]string) {
	t.Helper()
	r.answered(t, o, names)
	r.recorded(t, o)
	r.forwarded(t, o, names)
}

// answered compares answers.
func (r *row) answered(t testing.TB, o observed, names map[string]string) {
	t.Helper()
	last := r.answers[len(r.answers)-1]
	if last.torn {
		if o.fate != fateOpen && o.fate != fateClosed && o.fate != fateReset || len(o.replies) > 1 || len(o.replies) == 1 && o.replies[0].status != last.status {
			t.Errorf("%s: the connection is %s, after %+v; want at most one answer, %d", r, o.fate, o.replies, last.status)
		}
		return
	}
	if o.fate != last.fate {
		t.Errorf("%s: the connection is %s, want %s (answers: %+v)", r, o.fate, last.fate, o.replies)
	}
	want := slices.DeleteFunc(slices.Clone(r.answers), func(a answer) bool { return a.status == 0 })
	if len(o.replies) != len(want) {
		t.Errorf("%s: %d answers, want %d: %+v", r, len(o.replies), len(want), o.replies)
		return
	}
	for i, a := range want {
		one := o.replies[i]
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
		if body, err := expand(a.body, names); err != nil || body != "" && body != one.body {
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
func (r *row) recorded(t testing.TB, o observed) {
	t.Helper()
	want := slices.DeleteFunc(slices.Clone(r.answers), func(a answer) bool { return !a.handled })
	n := len(want)
	if o.followed {
		n++
	}
	if len(o.records) != n {
		t.Errorf("%s: O4: %d records, want %d: %v", r, len(o.records), n, o.records)
		return
	}
	for i, a := range want {
		d, status := o.records[i].GetDecision(), int(o.records[i].GetResponse().GetStatus())
		// Of what was torn before there was an answer, the record has no status.
		if !slices.Contains(strings.Split(a.reason, "|"), d.GetReason()) || status != a.status && !(a.torn && status == 0) {
			t.Errorf("%s: O4: record %d says %d %s %s, want %d %s", r, i, status, d.GetOutcome(), d.GetReason(), a.status, a.reason)
		}
		if i < len(o.replies) && o.replies[i].body != "" && strings.Contains(o.replies[i].header.Get("Content-Type"), "problem+json") && !strings.Contains(o.replies[i].body, `"d_`+o.records[i].GetId()+`"`) {
			t.Errorf("%s: O4: the answer does not name record %s: %s", r, o.records[i].GetId(), o.replies[i].body)
		}
	}
}

// forwarded compares what upstreams received.
func (r *row) forwarded(t testing.TB, o observed, names map[string]string) {
	t.Helper()
	if len(r.upstream) == 1 && r.upstream[0].maybe && len(o.arrived) == 0 {
		return
	}
	if len(o.arrived) != len(r.upstream) {
		t.Errorf("%s: upstreams received %d requests, want %d: %+v", r, len(o.arrived), len(r.upstream), o.arrived)
		return
	}
	for i, want := range r.upstream {
		got := o.arrived[i]
		cut := errors.Is(got.Bad, io.EOF) || errors.Is(got.Bad, io.ErrUnexpectedEOF)
		if cut != want.cut || got.Bad != nil && !cut {
			t.Errorf("%s: the upstream received a request that is bad: %v", r, got.Bad)
		}
		if line, err := expand(want.line, names); err != nil || line != got.Method+" "+got.Target {
			t.Errorf("%s: the upstream received %q, want %q (%v)", r, got.Method+" "+got.Target, line, err)
		}
		if body, err := expand(want.body, names); err != nil || !want.cut && !bytes.Equal(got.Body, []byte(body)) {
			t.Errorf("%s: the upstream received the body %q, want %q (%v)", r, got.Body, body, err)
		}
		for _, line := range want.has {
			name, value, _ := strings.Cut(line, ": ")
			value, err := expand(value, names)
			if values := got.Values(name); err != nil || len(values) != 1 || values[0] != value {
				t.Errorf("%s: the upstream received %s: %q, want %q (%v)", r, name, values, value, err)
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
}

// complaints counts what a judge finds wrong, where it should find something.
type complaints struct {
	testing.TB
	n int
}

func (c *complaints) Helper()               {}
func (c *complaints) Errorf(string, ...any) { c.n++ }

// falsify shows that nothing a row says is idle: with each thing that it wants changed, what came of it must be wrong.
func (r *row) falsify(t testing.TB, o observed, names map[string]string) {
	t.Helper()
	try := func(what string, r *row, o observed) {
		t.Helper()
		c := &complaints{TB: t}
		if r.judge(c, o, names); c.n == 0 {
			t.Errorf("%s: %s would not be noticed", r, what)
		}
	}
	changed := func(what string, change func(*row)) {
		t.Helper()
		other := r.clone()
		change(other)
		try(what, other, o)
	}
	for i, a := range r.answers {
		if a.status != 0 && !(a.torn && len(o.replies) == 0) {
			changed("another status", func(r *row) { r.answers[i].status++ })
		}
		if i == len(r.answers)-1 && !a.torn {
			changed("another fate", func(r *row) { r.answers[i].fate = "another" })
		}
		if a.handled {
			changed("another reason", func(r *row) { r.answers[i].reason = "another" })
			changed("a record too many", func(r *row) { r.answers[i].handled = false })
		}
		for j, line := range a.has {
			changed("another "+line, func(r *row) { r.answers[i].has[j] += "x" })
		}
		for j, line := range a.like {
			changed("what is not like "+line, func(r *row) { r.answers[i].like[j] += "never" })
		}
		if a.body != "" {
			changed("another body", func(r *row) { r.answers[i].body += "x" })
		}
		for _, name := range a.lacks {
			o := o
			o.replies = slices.Clone(o.replies)
			o.replies[i].header = o.replies[i].header.Clone()
			o.replies[i].header[http.CanonicalHeaderKey(name)] = []string{"x"}
			try(name, r, o)
		}
	}
	if !r.answers[0].torn {
		changed("an answer too many", func(r *row) { r.answers = append([]answer{{status: 299}}, r.answers...) })
	}
	changed("a request too few", func(r *row) { r.upstream = append(r.upstream, forwarded{line: "GET /another"}) })
	for i, f := range r.upstream {
		if f.maybe && len(o.arrived) == 0 {
			continue
		}
		changed("a request too many", func(r *row) { r.upstream = slices.Delete(r.upstream, i, i+1) })
		changed("another request line", func(r *row) { r.upstream[i].line += "x" })
		changed("how it ends", func(r *row) { r.upstream[i].cut = !r.upstream[i].cut })
		if !f.cut {
			changed("another body", func(r *row) { r.upstream[i].body += "x" })
		}
		for j, line := range f.has {
			changed("another "+line, func(r *row) { r.upstream[i].has[j] += "x" })
		}
		for _, name := range f.lacks {
			o, received := o, *o.arrived[i]
			received.Header = append(slices.Clone(received.Header), [2]string{name, "x"})
			o.arrived = slices.Clone(o.arrived)
			o.arrived[i] = &received
			try(name, r, o)
		}
	}
}

func (r *row) clone() *row {
	other := *r
	other.answers, other.upstream = slices.Clone(r.answers), slices.Clone(r.upstream)
	for i, a := range r.answers {
		other.answers[i].has, other.answers[i].like = slices.Clone(a.has), slices.Clone(a.like)
	}
	for i, f := range r.upstream {
		other.upstream[i].has = slices.Clone(f.has)
	}
	return &other
}
