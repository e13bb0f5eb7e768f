package route

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

func TestHost(t *testing.T) {
	t.Parallel()
	for _, l := range readLines(t, "testdata/hosts.txt") {
		raw, rest := cutQuoted(t, l, l.text)
		portText, want, _ := strings.Cut(rest, " ")
		port, err := strconv.Atoi(portText)
		if err != nil {
			t.Fatalf("line %d: %v", l.number, err)
		}
		want = strings.TrimSpace(want)
		got, err := Host(raw, port)
		if want == "!" {
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Reason != ReasonBadHost || got != "" {
				t.Errorf("line %d (%s): got %q, %v", l.number, l.sustain, got, err)
			}
			continue
		}
		if err != nil || strconv.Quote(got) != want {
			t.Errorf("line %d (%s): got %q, %v", l.number, l.sustain, got, err)
		}
	}
}

func TestHostLength(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a.", 126) + "a"
	if _, err := Hostname(long); err != nil {
		t.Errorf("253 bytes: %v", err)
	}
	if _, err := Hostname(long + "a.a"); err == nil {
		t.Error("more than 253 bytes are accepted")
	}
}

// FuzzHost: an accepted host is canonical, and names no other host than the one
// that a client would have dialled.
func FuzzHost(f *testing.F) {
	for _, l := range readLines(f, "testdata/hosts.txt") {
		raw, _ := cutQuoted(f, l, l.text)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := Host(raw, 443)
		if err != nil {
			return
		}
		if again, err := Host(got, 443); err != nil || again != got {
			t.Fatalf("%q: %q, then %q, %v", raw, got, again, err)
		}
		if plain := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(raw), ":443"), "."); plain != got {
			t.Fatalf("%q: got %q", raw, got)
		}
	})
}

func TestMethod(t *testing.T) {
	t.Parallel()
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH", "FOO", "X1"} {
		if err := Method(m); err != nil {
			t.Errorf("%s: %v", m, err)
		}
	}
	for _, m := range []string{"", "get", "GEt", "CONNECT", "TRACE", "PRI", "WEBSOCKET", "GET ", " GET", "G_T", "GÉT", "-GET", "1", strings.Repeat("X", 33)} {
		var refusal *Refusal
		if err := Method(m); !errors.As(err, &refusal) || refusal.Reason != ReasonMethod {
			t.Errorf("%q: got %v", m, err)
		}
	}
}
