package header

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSet(t *testing.T) {
	t.Parallel()
	h := http.Header{"Accept": {"x"}, "X-Forwarded-For": {"evil"}, "X-Sallyport-Groups": {"evil"}}
	Set(h, Upstream{
		Assertion: "a.b.c", User: "user:1", Email: "bob@acme.test", Groups: []string{"a", "b"},
		ClientIP: netip.MustParseAddr("192.0.2.1"), Host: "wiki.acme.test", Proto: "https",
	})
	want := http.Header{
		"Accept": {"x"}, "X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Host": {"wiki.acme.test"}, "X-Forwarded-Proto": {"https"},
		Assertion: {"a.b.c"}, User: {"user:1"}, Email: {"bob@acme.test"}, Groups: {"a,b"},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
	// HD-03: what is not known is absent, whatever was there.
	Set(h, Upstream{Email: "bøb@acme.test", User: "a\r\nX-Evil: 1"})
	if diff := cmp.Diff(http.Header{"Accept": {"x"}}, h); diff != "" {
		t.Error(diff)
	}
}

// The names that Set writes are canonical, or net/http would not find them.
func TestNamesAreCanonical(t *testing.T) {
	t.Parallel()
	for _, name := range []string{Assertion, User, Email, Groups, Token} {
		if canonical := http.CanonicalHeaderKey(name); canonical != name {
			t.Errorf("%s is not %s", name, canonical)
		}
	}
	for _, name := range sharedCacheControls {
		if canonical := http.CanonicalHeaderKey(name); canonical != name {
			t.Errorf("%s is not %s", name, canonical)
		}
	}
}

// MC-07.
func TestPrivate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cache, vary         []string
		wantCache, wantVary string
	}{
		"nothing said":          {nil, nil, "private", "Cookie, Authorization"},
		"public":                {[]string{"public, max-age=3600"}, nil, "private, max-age=3600", "Cookie, Authorization"},
		"shared age":            {[]string{"max-age=1, s-maxage=3600, must-revalidate"}, nil, "private, max-age=1, must-revalidate", "Cookie, Authorization"},
		"no store":              {[]string{"no-store"}, nil, "private, no-store", "Cookie, Authorization"},
		"private for one field": {[]string{`private="X-Field", max-age=1`}, nil, "private, max-age=1", "Cookie, Authorization"},
		"a comma in quotes":     {[]string{`no-cache="A, public", PUBLIC`}, nil, `private, no-cache="A, public"`, "Cookie, Authorization"},
		"an escaped quote":      {[]string{`x="\", public", public`}, nil, `private, x="\", public"`, "Cookie, Authorization"},
		"quotes never closed":   {[]string{`x="a`, `public`}, nil, "private, no-store", "Cookie, Authorization"},
		"two lines":             {[]string{"public", "Public , immutable"}, nil, "private, immutable", "Cookie, Authorization"},
		"vary":                  {nil, []string{"Accept, cookie", "Origin"}, "private", "Accept, cookie, Origin, Authorization"},
		"vary by everything":    {nil, []string{"*"}, "private", "*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{"Cdn-Cache-Control": {"max-age=600"}, "Surrogate-Control": {"max-age=600"}}
			if c.cache != nil {
				h["Cache-Control"] = c.cache
			}
			if c.vary != nil {
				h["Vary"] = c.vary
			}
			Private(h)
			if diff := cmp.Diff(http.Header{"Cache-Control": {c.wantCache}, "Vary": {c.wantVary}}, h); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// G14, H2-09, H2-11.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	good := func() http.Header {
		return http.Header{
			"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"WebSocket"},
			"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		}
	}
	if ok, err := Upgrade("GET", good()); !ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
	if ok, err := Upgrade("GET", http.Header{"Connection": {"close"}}); ok || err != nil {
		t.Errorf("no upgrade: got %v, %v", ok, err)
	}
	if _, err := Upgrade("POST", good()); err == nil {
		t.Error("POST is accepted")
	}
	for name, value := range map[string][]string{
		"Upgrade": {"h2c"}, "Connection": {"close"}, "Sec-Websocket-Version": {"777"}, "Sec-Websocket-Key": {"short"}, "Http2-Settings": {"AAMAAABk"},
	} {
		h := good()
		h[name] = value
		_, err := Upgrade("GET", h)
		refused(t, err, ReasonUpgrade)
	}
	for name := range good() {
		h := good()
		h[name] = append(h[name], h[name]...)
		if name != "Connection" {
			_, err := Upgrade("GET", h)
			refused(t, err, ReasonUpgrade)
		}
		delete(h, name)
		if name != "Upgrade" {
			_, err := Upgrade("GET", h)
			refused(t, err, ReasonUpgrade)
		}
	}
	_, err := Upgrade("GET", http.Header{"Http2-Settings": {"AAMAAABk"}})
	refused(t, err, ReasonUpgrade)
	h := good()
	h["Upgrade"] = []string{"websocket, h2c"}
	_, err = Upgrade("GET", h)
	refused(t, err, ReasonUpgrade)
}
