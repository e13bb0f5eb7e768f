package header

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var ourHeaders = []string{Assertion, User, Email, Groups, Token, "X-Sallyport", "X-Sallyport-Anything"}

// spellings returns names that some upstream takes for the same.
func spellings(name string) []string {
	name = strings.ReplaceAll(name, "*", "Anything")
	out := []string{name, strings.ToUpper(name), strings.ToLower(name), name + "-", name + "_", "-" + name, name + ".", "_" + name}
	for _, separator := range []string{"_", ".", "--", "-_", "!", "~", "'"} {
		out = append(out, strings.ReplaceAll(name, "-", separator), strings.Replace(name, "-", separator, 1))
	}
	return out
}

func refused(t testing.TB, err error, reason string) {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) || r.Reason != reason {
		t.Errorf("got %v, want %s", err, reason)
	}
}

// HD-01, HD-08, G11, G12: every row of the data, in every spelling, and also if
// the app lists that spelling.
func TestStripRemovesEverySpelling(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Concat(ourHeaders, spoofable[:], hopByHop[:]) {
		for _, spelling := range spellings(name) {
			for _, o := range []Options{{}, {AllowNames: []string{spelling}}} {
				h := http.Header{spelling: {"close"}, "Accept": {"*/*"}}
				if _, err := Strip(h, o); err != nil {
					t.Errorf("%s: %v", spelling, err)
				}
				if want := (http.Header{"Accept": {"*/*"}}); !maps.EqualFunc(h, want, slices.Equal) {
					t.Errorf("%q survives as %v", spelling, h)
				}
			}
		}
	}
}

func TestEverydayNamesAreHarmless(t *testing.T) {
	t.Parallel()
	for name := range everyday {
		folded := fold(name)
		if !plain(name) || ourHeader(folded) || spoofableNames.has(folded) || hopByHopNames.has(folded) || http.CanonicalHeaderKey(name) != name {
			t.Errorf("%s needs a closer look", name)
		}
	}
}

func TestStripKeepsWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	for _, name := range []string{
		"Accept", "Authorization", "Content-Type", "Content-Length", "User-Agent", "X-Request-Id", "Traceparent", "Origin", "Referer",
		"Sec-Fetch-Mode", "If-None-Match", "X-User-Agent", "X-Sally", "Cfg-Version", "Remotely", "Xproxy", "Grpc-Timeout",
	} {
		h[name] = []string{"a", "b"}
	}
	want := h.Clone()
	if _, err := Strip(h, Options{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
}

func TestStripOddNames(t *testing.T) {
	t.Parallel()
	h := http.Header{"X_api_key": {"1"}, "Other.name": {"2"}, "Third_name": {"3"}, "": {"4"}, "X-Ünïcode": {"5"}}
	if _, err := Strip(h, Options{AllowNames: []string{"x_API_key", "other.name"}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(http.Header{"X_api_key": {"1"}, "Other.name": {"2"}}, h); diff != "" {
		t.Error(diff)
	}
}

// A front that does not canonicalise names must not open a gap.
func TestStripJoinsCase(t *testing.T) {
	t.Parallel()
	h := http.Header{"cookie": {"__Host-sp=a"}, "Cookie": {"b=1"}, "authorization": {"x"}, "AUTHORIZATION": {"y"}, "connection": {"close"}}
	taken, err := Strip(h, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(http.Header{"Cookie": {"b=1"}, "Authorization": {"y", "x"}}, h); diff != "" {
		t.Error(diff)
	}
	if s, err := taken.Session(); s != "a" || err != nil || len(taken.Authorization) != 2 {
		t.Errorf("got %+v", taken)
	}
}

func TestTaken(t *testing.T) {
	t.Parallel()
	h := http.Header{
		"Cookie":              {"a=1; __Host-sp=s; __Host-sp-start-01=b; __Host-sp-oidc-xy=c; __Host-sp-start-02=d"},
		"Authorization":       {"Bearer x"},
		"Proxy-Authorization": {"Bearer y"},
		"X-Sallyport-Token":   {"z"},
		"X-Forwarded-For":     {"192.0.2.1, 10.0.0.1"},
	}
	taken, err := Strip(h, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := Taken{
		Cookies:            []Cookie{{Session, "s"}, {StartPrefix + "01", "b"}, {OIDCPrefix + "xy", "c"}, {StartPrefix + "02", "d"}},
		Authorization:      []string{"Bearer x"},
		ProxyAuthorization: []string{"Bearer y"},
		Token:              []string{"z"},
		ForwardedFor:       []string{"192.0.2.1, 10.0.0.1"},
	}
	if diff := cmp.Diff(want, taken); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(http.Header{"Cookie": {"a=1"}, "Authorization": {"Bearer x"}}, h); diff != "" {
		t.Error(diff)
	}
	if got := taken.CookiesNamed(StartPrefix); len(got) != 2 || got[0].Value != "b" || got[1].Value != "d" {
		t.Errorf("got %v", got)
	}
	if got, err := taken.Cookie(StartPrefix + "02"); got != "d" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := taken.Cookie(StartPrefix + "03"); got != "" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// HD-05, G28.
func TestConnection(t *testing.T) {
	t.Parallel()
	for _, ok := range [][]string{nil, {"close"}, {"keep-alive"}, {"Keep-Alive, Upgrade"}, {"TE", "close"}, {""}, {", close ,"}, {"Upgrade, HTTP2-Settings"}} {
		h := http.Header{"Connection": ok}
		if _, err := Strip(h, Options{}); err != nil || len(h) > 0 {
			t.Errorf("%q: %v, left %v", ok, err, h)
		}
	}
	for _, bad := range [][]string{
		{"X-Sallyport-User"},
		{"close, X-Sallyport-User"},
		{"cookie"},
		{"authorization"},
		{"x-forwarded-for, host"},
		{"close", "Cookie"},
		{"content-length"},
		{"close;x"},
		{"x-anything"},
		{"\"close\""},
	} {
		_, err := Strip(http.Header{"Connection": bad}, Options{})
		refused(t, err, ReasonConnection)
	}
}

func TestOne(t *testing.T) {
	t.Parallel()
	if s, err := One(nil); s != "" || err != nil {
		t.Errorf("got %q, %v", s, err)
	}
	if s, err := One([]string{"a"}); s != "a" || err != nil {
		t.Errorf("got %q, %v", s, err)
	}
	_, err := One([]string{"a", "a"}) // HD-06
	refused(t, err, ReasonTwoCredentials)
}

func TestStripTrailer(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Concat(ourHeaders, spoofable[:], hopByHop[:], notInTrailers[:]) {
		for _, spelling := range spellings(name) {
			trailer := http.Header{spelling: {"evil"}, "Grpc-Status": {"0"}, "Checksum": {"1"}}
			StripTrailer(trailer)
			if len(trailer) != 2 {
				t.Errorf("%q survives as %v", spelling, trailer)
			}
		}
	}
}

func TestWebSocketStays(t *testing.T) {
	t.Parallel()
	h := http.Header{"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"WebSocket"}, "Sec-Websocket-Key": {"k"}}
	if _, err := Strip(h, Options{WebSocket: true}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Key": {"k"}}, h); diff != "" {
		t.Error(diff)
	}
}

// FuzzStrip: no folded name of ours survives, in headers and in cookies, and
// every other cookie does, byte for byte.
func FuzzStrip(f *testing.F) {
	for _, name := range slices.Concat(ourHeaders, spoofable[:3], hopByHop[:]) {
		f.Add(name, "v", "a=1; __Host-sp=x; b=2", "c=3", false)
	}
	for _, row := range cookieRows {
		f.Add("X_Sallyport.User", "v", strings.Join(row.lines, ";"), "", true)
	}
	f.Fuzz(func(t *testing.T, name, value, cookie1, cookie2 string, webSocket bool) {
		h := http.Header{"Cookie": {cookie1, cookie2}, "Accept": {"x"}}
		h[name] = append(h[name], value)
		lines := h.Clone()
		if _, err := Strip(h, Options{WebSocket: webSocket, AllowNames: []string{name}}); err != nil {
			return
		}
		for n := range h {
			folded := fold(n)
			if strings.HasPrefix(strings.ReplaceAll(folded, "-", ""), "xsallyport") || spoofableNames.has(folded) {
				t.Fatalf("%q survives", n)
			}
			if !webSocket && hopByHopNames.has(folded) {
				t.Fatalf("%q survives", n)
			}
		}
		var want []string
		canonicalise(lines)
		for _, line := range lines["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
				if p := strings.Trim(pair, " \t"); p != "" && !ourPair(p) {
					want = append(want, p)
				}
			}
		}
		var got []string
		for _, line := range h["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
				if ourPair(pair) {
					t.Fatalf("cookie %q survives", pair)
				}
				if p := strings.Trim(pair, " \t"); p != "" {
					got = append(got, p)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("cookies %q, want %q", got, want)
		}
	})
}
