package session_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// FuzzOneSessionOfOneHeader holds that a Cookie header is at most one session: where it is one, the session cookie is in
// it exactly once, also for a parser that is not ours, and nothing of it goes on to the upstream. G and H stand for the
// cookies of two people.
func FuzzOneSessionOfOneHeader(f *testing.F) {
	w := sessiontest.New(f)
	c := newClock()
	s := session.New(session.Config{Now: c.now, Log: discard(), Report: func(string, *edgev1.SessionEvent) {}})
	site := w.Site(acme)
	cookie := map[string]string{}
	for letter, who := range map[string]session.Person{"G": bob(), "H": alice()} {
		begun, err := s.Begin(context.Background(), site, wikiHost, who, client, c.now())
		if err != nil {
			f.Fatal(err)
		}
		cookie[letter] = begun.Cookie.Value
	}
	for _, line := range []string{
		"__Host-sp=G", "a=b; __Host-sp=G; c=d", "__Host-sp=G; __Host-sp=H", "__Host-sp=G; __Host-sp=G", "__Host-sp=G;__host-sp=H", "__Host-sp=\"G\"; __Host-sp=H",
		"__Host-sp =G; __Host-sp=H", "=__Host-sp=G; __Host-sp=H", "__Host_sp=G; __Host-sp=H", "__Host-sp=G\x00; __Host-sp=H", "__Host-sp=G, __Host-sp=H", "$Version=1; __Host-sp=G",
		"__Host-sp=G\n__Host-sp=H", ";;;__Host-sp=G;;;", "__Host-sp=;__Host-sp=G", "__Host-sp; __Host-sp=G", "__Host-sp=G.H", "__Host-spx=G; __Host-sp=H", "x=__Host-sp=G; __Host-sp=H",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		line = strings.NewReplacer("G", cookie["G"], "H", cookie["H"]).Replace(line)
		h := http.Header{"Cookie": strings.Split(line, "\n")}
		sent := (&http.Request{Header: h.Clone()}).CookiesNamed(header.Session)
		taken, err := header.Strip(h, header.Options{})
		if err != nil {
			return
		}
		for _, left := range (&http.Request{Header: h}).Cookies() {
			if name := strings.ToLower(left.Name); name == "__host-sp" || strings.HasPrefix(name, "__host-sp-") {
				t.Fatalf("%q leaves %q to the upstream", line, left.Name)
			}
		}
		value, err := taken.Session()
		if err != nil {
			return
		}
		r := s.Authenticate(context.Background(), site, nil, wikiHost, value, client, c.now())
		if r.State != session.Live {
			return
		}
		if len(sent) != 1 || sent[0].Value != value {
			t.Fatalf("%q is a session, and another parser finds %d of them: %v", line, len(sent), sent)
		}
	})
}
