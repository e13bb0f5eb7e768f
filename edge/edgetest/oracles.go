package edgetest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// Oracles checks what holds after every case, hostile or not:
//
//	O1  what an upstream received is what was decided on: host, method, path, query
//	O2  an upstream receives nothing of a request that was not allowed
//	O3  who an upstream is told it is, was said by the edge
//	O4  one decision, one record (two if it lasted: its start and its end)
//	O6  nothing panicked (also checked at the end of the test)
//
// O5 (no byte of another tenant) needs the case's own canaries: see [Edge.NoCanary]; O7 is [Edge.Honest].
func (e *Edge) Oracles(t testing.TB, upstreams ...*Upstream) {
	t.Helper()
	records := e.decisions(t, upstreams)
	for _, u := range upstreams {
		for _, r := range u.Received() {
			if r.Bad != nil {
				t.Errorf("O1: the upstream got what is no request: %v\n%q", r.Bad, u.Bytes())
				continue
			}
			e.received(t, r, records)
		}
	}
	if strings.Contains(e.Log.String(), "panic") {
		t.Errorf("O6: something panicked:\n%s", e.Log)
	}
}

// decisions are all records by request id. It waits for those of requests that reached an upstream.
func (e *Edge) decisions(t testing.TB, upstreams []*Upstream) map[string]*sallyportv1.AccessEvent {
	t.Helper()
	byID := map[string]*sallyportv1.AccessEvent{}
	load := func() {
		clear(byID)
		for _, n := range e.config.Tenants {
			phases := map[string][]string{}
			for _, r := range e.ControlPlane.Records(n.UID) {
				if a := r.GetAccess(); a != nil && a.GetGap() == nil {
					byID[a.GetRequest().GetId()] = a
					phases[a.GetId()] = append(phases[a.GetId()], a.GetStream().GetPhase())
				}
			}
			for id, p := range phases {
				if len(p) > 2 || len(p) == 2 && (p[0] != "start" || p[1] != "end") {
					t.Errorf("O4: decision %s has the records %q", id, p)
				}
			}
		}
	}
	e.ControlPlane.wait(t, "record of every request that reached an upstream", func() bool {
		load()
		for _, u := range upstreams {
			for _, r := range u.Received() {
				if id := r.Get("X-Request-Id"); id != "" && byID[id] == nil {
					return false
				}
			}
		}
		return true
	})
	return byID
}

func (e *Edge) received(t testing.TB, r *Received, records map[string]*sallyportv1.AccessEvent) {
	t.Helper()
	ids := r.Values("X-Request-Id")
	if len(ids) != 1 || records[ids[0]] == nil {
		t.Errorf("O2: the upstream got %s %s without a decision (%q)", r.Method, r.Target, ids)
		return
	}
	a := records[ids[0]]
	if a.GetDecision().GetOutcome() != "ALLOW" {
		t.Errorf("O2: the upstream got %s %s, which was decided %s %s", r.Method, r.Target, a.GetDecision().GetOutcome(), a.GetDecision().GetReason())
	}
	path, query, hasQuery := strings.Cut(r.Target, "?")
	sum := ""
	if hasQuery {
		b := sha256.Sum256([]byte(query))
		sum = hex.EncodeToString(b[:])
	}
	host := a.GetRequest().GetHost()
	if e.config.PublicPort != 443 {
		host = fmt.Sprintf("%s:%d", host, e.config.PublicPort)
	}
	got := [...]string{strings.Join(r.Values("Host"), ","), r.Method, path, sum}
	want := [...]string{host, a.GetRequest().GetMethod(), a.GetRequest().GetPath(), a.GetRequest().GetQuerySha256()}
	if got != want {
		t.Errorf("O1: decided on %q, the upstream got %q", want, got)
	}
	e.identity(t, r, a)
}

// saidByUs are the names that only the edge may say, folded as upstreams fold them.
var saidByUs = map[string]bool{
	"x_sallyport_assertion": true, "x_sallyport_user": true, "x_sallyport_email": true, "x_sallyport_groups": true,
	"x_forwarded_for": true, "x_forwarded_host": true, "x_forwarded_proto": true,
}

// Fold is how CGI and its descendants read a header's name.
func Fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		default:
			return '_'
		}
	}, name)
}

func (e *Edge) identity(t testing.TB, r *Received, a *sallyportv1.AccessEvent) {
	t.Helper()
	told := map[string]string{}
	for _, h := range append(append([][2]string(nil), r.Header...), r.Trailer...) {
		folded := Fold(h[0])
		ours := saidByUs[folded] || strings.HasPrefix(folded, "x_sallyport_")
		if !ours {
			continue
		}
		if _, twice := told[folded]; twice || !saidByUs[folded] || strings.ContainsAny(h[0], "_.") {
			t.Errorf("O3: the upstream got %s: %s", h[0], h[1])
		}
		told[folded] = h[1]
	}
	if len(r.Trailer) > 0 {
		t.Errorf("O3: the upstream got trailers: %q", r.Trailer)
	}
	if got, want := told["x_forwarded_proto"], "https"; got != want {
		t.Errorf("O3: X-Forwarded-Proto is %q", got)
	}
	if got := told["x_forwarded_for"]; got != a.GetSourceIp() {
		t.Errorf("O3: X-Forwarded-For is %q, the record says %q", got, a.GetSourceIp())
	}
	stranger := a.GetPrincipal().GetKind() == "anonymous"
	token := told["x_sallyport_assertion"]
	if (token == "") != stranger {
		t.Errorf("O3: the caller is %s, the assertion %q", a.GetPrincipal().GetKind(), token)
	}
	if user := told["x_sallyport_user"]; user != "" && user != a.GetPrincipal().GetSubject() {
		t.Errorf("O3: X-Sallyport-User is %q, the record says %q", user, a.GetPrincipal().GetSubject())
	}
	if token != "" {
		if subject, _ := e.verify(t, a.GetRequest().GetHost(), token, a.GetTime().AsTime()).Subject(); subject != a.GetPrincipal().GetSubject() {
			t.Errorf("O3: the assertion is of %q, the record of %q", subject, a.GetPrincipal().GetSubject())
		}
	}
	for _, c := range r.Values("Cookie") {
		if strings.Contains(strings.ToLower(c), "__host-sp") {
			t.Errorf("O3: the upstream got our cookie: %s", c)
		}
	}
}

// Verify checks an assertion as an upstream would, with the keys that the host publishes and another library than the one
// that signs.
func (e *Edge) Verify(t testing.TB, host, token string) jwt.Token {
	t.Helper()
	return e.verify(t, host, token, e.config.Now())
}

func (e *Edge) verify(t testing.TB, host, token string, now time.Time) jwt.Token {
	t.Helper()
	keys := Send(t, e.Client(t, false), http.MethodGet, "https://"+host+"/.sallyport/jwks.json", nil, "")
	set, err := jwk.Parse([]byte(keys.Text))
	must(t, err)
	message, err := jws.Parse([]byte(token))
	must(t, err)
	if typ, _ := message.Signatures()[0].ProtectedHeaders().Type(); typ != "sallyport-assertion+jwt" {
		t.Errorf("the assertion's typ is %q", typ)
	}
	if alg, _ := message.Signatures()[0].ProtectedHeaders().Algorithm(); alg != jwa.ES256() {
		t.Errorf("the assertion's alg is %v", alg)
	}
	parsed, err := jwt.Parse([]byte(token), jwt.WithKeySet(set), jwt.WithClock(jwt.ClockFunc(func() time.Time { return now })))
	if err != nil {
		t.Fatalf("the assertion does not verify: %v", err)
	}
	return parsed
}

// Honest sends requests of an honest caller and wants each to get its own answer (O7): a connection to the upstream that a
// hostile request left in disorder would answer one with another's.
func (e *Edge) Honest(t testing.TB, url string, header http.Header, n int) {
	t.Helper()
	client := e.Client(t, false)
	for i := range n {
		mark := fmt.Sprintf("honest-%d", i)
		res := Send(t, client, http.MethodGet, url+"?"+mark, header, "")
		if res.StatusCode != http.StatusOK || !strings.Contains(strings.SplitN(res.Text, "\n", 2)[0], mark) {
			t.Fatalf("O7: honest request %d got %d %q", i, res.StatusCode, res.Text)
		}
	}
}

// NoCanary fails if any of a tenant's secrets or names is in what another one could see (O5).
func NoCanary(t testing.TB, seen string, canaries ...string) {
	t.Helper()
	for _, c := range canaries {
		if strings.Contains(strings.ToLower(seen), strings.ToLower(c)) {
			t.Errorf("O5: %q is in what another tenant sees:\n%s", c, seen)
		}
	}
}
