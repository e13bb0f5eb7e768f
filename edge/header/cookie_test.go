package header

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var cookieRows = []struct {
	name    string
	lines   []string
	kept    string
	session string
}{
	{"none", nil, "", ""},
	{"only others", []string{"a=1; b=2"}, "a=1; b=2", ""},
	{"only ours", []string{"__Host-sp=x.y"}, "", "x.y"},
	{"first", []string{"__Host-sp=x; a=1"}, "a=1", "x"},
	{"last", []string{"a=1; __Host-sp=x"}, "a=1", "x"},
	{"middle", []string{"a=1; __Host-sp=x; b=2"}, "a=1; b=2", "x"},
	{"others byte for byte", []string{`a="q;q";  b==;c ;;d=%20, e; __Host-sp=x;f=é`}, `a="q;q";  b==;c ;;d=%20, e;f=é`, "x"},
	{"others untouched without ours", []string{" a=1 ;; b "}, " a=1 ;; b ", ""},
	{"several lines become one", []string{"a=1", "__Host-sp=x", "b=2"}, "a=1; b=2", "x"},
	{"start and oidc", []string{"__Host-sp-start-1=a; __Host-sp-oidc-2=b; a=1"}, "a=1", ""},
	{"the reserved family", []string{"__Host-sp-later=1; a=1"}, "a=1", ""},
	{"a longer name is not ours", []string{"__Host-spam=1; __Host-sp2=2"}, "__Host-spam=1; __Host-sp2=2", ""},
	{"other spellings go, and are no session", []string{"__host-sp=x; __Host_sp=y; __HOST.SP=z; host-sp=w; a=1"}, "a=1", ""},
	{"blanks around the name", []string{"a=1; \t__Host-sp\t = x ;b=2"}, "a=1;b=2", "x"},
	{"without a name", []string{"=__Host-sp=evil; a=1"}, "a=1", ""},
	{"without a value", []string{"__Host-sp; a=1"}, "a=1", ""},
	{"a quoted name", []string{`"__Host-sp"=x; a=1`}, "a=1", ""},
	{"in a value it is a value", []string{"a=__Host-sp=x"}, "a=__Host-sp=x", ""},
	{"quotes do not protect", []string{`a="; __Host-sp=x; "`}, `a="; "`, "x"},
}

func TestCookies(t *testing.T) {
	t.Parallel()
	for _, row := range cookieRows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			if row.lines != nil {
				h["Cookie"] = row.lines
			}
			taken, err := Strip(h, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := h.Get("Cookie"); got != row.kept || len(h["Cookie"]) > 1 {
				t.Errorf("kept %q, want %q", h["Cookie"], row.kept)
			}
			if got, err := taken.Session(); got != row.session || err != nil {
				t.Errorf("session %q, %v, want %q", got, err, row.session)
			}
		})
	}
}

// HD-06, H2-04: never two sessions from one request, in one line or in two,
// equal or not.
func TestTwoSessions(t *testing.T) {
	t.Parallel()
	for _, lines := range [][]string{
		{"__Host-sp=a; __Host-sp=b"}, {"__Host-sp=a", "__Host-sp=b"}, {"__Host-sp=a; x=1; __Host-sp=a"}, {"__Host-sp=a; __Host-sp="}, {"__Host-sp=a; __Host-sp"},
	} {
		taken, err := Strip(http.Header{"Cookie": lines}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = taken.Session()
		refused(t, err, ReasonTwoCredentials)
	}
}

// CS-04.
func TestCookieLimits(t *testing.T) {
	t.Parallel()
	for _, lines := range [][]string{
		{strings.Repeat("a=1; ", MaxCookies) + "b=2"},
		{strings.Repeat("a", MaxCookieBytes+1)},
		{strings.Repeat("a", MaxCookieBytes/2), strings.Repeat("b", MaxCookieBytes/2+1)},
	} {
		_, err := Strip(http.Header{"Cookie": lines}, Options{})
		refused(t, err, ReasonTooLarge)
	}
	split := make([]string, 200)
	for i := range split {
		split[i] = "a=1"
	}
	h := http.Header{"Cookie": split}
	if _, err := Strip(h, Options{}); err != nil || h.Get("Cookie") != strings.TrimSuffix(strings.Repeat("a=1; ", 200), "; ") {
		t.Errorf("200 lines: %v", err)
	}
}

func TestStripResponse(t *testing.T) {
	t.Parallel()
	h := http.Header{
		"Set-Cookie": {
			"a=1; Path=/", "__Host-sp=evil; Path=/; Secure", "__host-SP=evil", "=__Host-sp=evil", "__Host-sp-start-1=evil", "__Host-sp",
			"b=__Host-sp=x; Secure",
		},
		"Alt-Svc": {`h3=":443"`}, "X-Sallyport-User": {"evil"}, "X_sallyport_decision": {"evil"}, "Content-Type": {"text/html"}, "X-Odd_name": {"kept"},
	}
	StripResponse(h)
	want := http.Header{"Set-Cookie": {"a=1; Path=/", "b=__Host-sp=x; Secure"}, "Content-Type": {"text/html"}, "X-Odd_name": {"kept"}}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
	h = http.Header{"Set-Cookie": {"__Host-sp=evil"}}
	StripResponse(h)
	if len(h) > 0 {
		t.Errorf("left %v", h)
	}
}
