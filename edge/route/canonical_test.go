package route

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, l := range readLines(t, "testdata/paths.txt") {
		texts, options, refused := pathLine(t, l)
		got, err := Canonical(texts[0], options)
		if refused != "" {
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Reason != refused {
				t.Errorf("line %d (%s): got %+v, %v", l.number, l.sustain, got, err)
			}
			continue
		}
		_, query, hasQuery := strings.Cut(texts[0], "?")
		want := Path{Match: texts[1], Forward: texts[len(texts)-1], Query: query, HasQuery: hasQuery}
		if err != nil || got != want {
			t.Errorf("line %d (%s): got %+v, %v", l.number, l.sustain, got, err)
		}
	}
}

// pathLine reads: "target" options ("match" ["forward"] | ! reason).
func pathLine(t testing.TB, l line) (texts []string, o Options, refused string) {
	t.Helper()
	target, rest := cutQuoted(t, l, l.text)
	names, rest, _ := strings.Cut(rest, " ")
	for name := range strings.SplitSeq(names, "+") {
		switch name {
		case "slash":
			o.AllowEncodedSlash = true
		case "semicolon":
			o.AllowSemicolon = true
		case "merge":
			o.MergeSlashes = true
		case "-":
		default:
			t.Fatalf("line %d: option %q", l.number, name)
		}
	}
	rest = strings.TrimSpace(rest)
	if reason, ok := strings.CutPrefix(rest, "! "); ok {
		return []string{target}, o, reason
	}
	return append([]string{target}, quoted(t, l, rest)...), o, ""
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/a", "/a?", "/a?b=%zz&c", "/a??"} {
		p, err := Canonical(target, Options{})
		if err != nil || p.Target() != target {
			t.Errorf("%q: got %q, %v", target, p.Target(), err)
		}
	}
}

func TestReserved(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]bool{
		"/.sallyport": true, "/.sallyport/": true, "/.sallyport/me": true, "/%2Esally%70ort/me": true, "/.sallyport;x/me": true,
		"/.sallyportx": false, "/a/.sallyport/me": false, "/.Sallyport/me": false,
	} {
		p, err := Canonical(target, Options{AllowSemicolon: true})
		if err != nil || Reserved(p) != want {
			t.Errorf("%q: got %v, %v", target, Reserved(p), err)
		}
	}
}

func TestCanonicalLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target string
		ok     bool
	}{
		"longest":           {"/" + strings.Repeat("a", MaxTarget-1), true},
		"too long":          {"/" + strings.Repeat("a", MaxTarget), false},
		"query counts":      {"/?" + strings.Repeat("a", MaxTarget-1), false},
		"most segments":     {strings.Repeat("/a", MaxSegments), true},
		"too many segments": {strings.Repeat("/a", MaxSegments+1), false},
		"dots":              {strings.Repeat("/..", 2000), false},
		"merged first":      {strings.Repeat("/", 8000) + "a", false},
	} {
		_, err := Canonical(c.target, Options{})
		var refusal *Refusal
		if (err == nil) != c.ok || !c.ok && (!errors.As(err, &refusal) || refusal.Reason != ReasonAmbiguousPath) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestCanonicalAllocatesNothingForCanonicalPaths(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Canonical("/v1/users/%C3%A9?x=1", Options{}); err != nil {
			t.Fatal(err)
		}
	}); n > 1 { // one to look behind the escapes
		t.Errorf("got %v allocations", n)
	}
}

// FuzzCanonical holds what the rest of the edge and every upstream rely on.
func FuzzCanonical(f *testing.F) {
	for _, l := range readLines(f, "testdata/paths.txt") {
		texts, _, _ := pathLine(f, l)
		f.Add(texts[0], byte(0))
		f.Add(texts[0], byte(7))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{rest...}", func(http.ResponseWriter, *http.Request) {})
	f.Fuzz(func(t *testing.T, target string, bits byte) {
		o := Options{AllowEncodedSlash: bits&1 != 0, AllowSemicolon: bits&2 != 0, MergeSlashes: bits&4 != 0}
		p, err := Canonical(target, o)
		if err != nil {
			if p != (Path{}) {
				t.Fatalf("%q: refused, and yet %+v", target, p)
			}
			return
		}
		if again, err := Canonical(p.Target(), o); err != nil || again != p {
			t.Fatalf("%q: not idempotent: %+v, then %+v, %v", target, p, again, err)
		}
		if again, err := Canonical(p.Match, o); err != nil || again.Match != p.Match || again.Forward != p.Match {
			t.Fatalf("%q: what is matched is not canonical: %+v, then %+v, %v", target, p, again, err)
		}
		for segment := range strings.SplitSeq(decode(p.Forward), "/") {
			if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
				t.Fatalf("%q: a dot segment for whoever decodes first", target)
			}
		}
		if !strings.Contains(p.Match, ";") && o == (Options{}) {
			checkSecondParsers(t, mux, p)
		}
	})
}

// checkSecondParsers wants net/url, http.ServeMux and nginx to read the path
// that was decided on.
func checkSecondParsers(t *testing.T, mux *http.ServeMux, p Path) {
	t.Helper()
	want := decode(p.Match)
	u, err := url.ParseRequestURI(p.Target())
	if err != nil || u.Path != want || u.RawQuery != p.Query || u.Host != "" || u.Scheme != "" {
		t.Fatalf("%q: net/url reads %+v, %v", p.Target(), u, err)
	}
	r := &http.Request{Method: "GET", URL: u, Host: "a.test", RequestURI: p.Target()}
	mux.ServeHTTP(httptest.NewRecorder(), r)
	if got := "/" + r.PathValue("rest"); r.Pattern != "/{rest...}" || got != want {
		t.Fatalf("%q: ServeMux reads %q (%q)", p.Target(), got, r.Pattern)
	}
	if got, ok := nginxPath(p.Target()); !ok || got != want {
		t.Fatalf("%q: nginx reads %q, %v", p.Target(), got, ok)
	}
}

// nginxPath is what nginx 1.22 makes of a request target in ngx_http_parse_uri
// and ngx_http_parse_complex_uri, with merge_slashes on (its default).
func nginxPath(target string) (string, bool) {
	raw, _, _ := strings.Cut(target, "?")
	raw, _, _ = strings.Cut(raw, "#")
	var decoded []byte
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			v, ok := unhex(raw, i)
			if !ok || v == 0 {
				return "", false
			}
			c, i = v, i+2
		}
		decoded = append(decoded, c)
	}
	var segments []string
	parts := strings.Split(string(decoded), "/")[1:]
	for i, part := range parts {
		last := i == len(parts)-1
		switch {
		case part == "" && !last, part == "." && !last:
		case part == "." && last:
			segments = append(segments, "")
		case part == "..":
			if len(segments) == 0 {
				return "", false
			}
			segments = segments[:len(segments)-1]
			if last {
				segments = append(segments, "")
			}
		default:
			segments = append(segments, part)
		}
	}
	return "/" + strings.Join(segments, "/"), true
}
