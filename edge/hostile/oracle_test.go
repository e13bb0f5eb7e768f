package hostile_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// The oracles hold after every row, whatever it was about:
//
//	O1  what an upstream received is what was decided on, byte for byte
//	O2  an upstream receives nothing of a request that was not allowed
//	O3  whatever an upstream could take for an identity was said by the edge
//	O4  one decision, one record, with the request's id
//	O5  nothing of tenant B is in what tenant A sees
//	O6  nothing panicked, and no goroutine stayed (looked at once all rows of a file are done)
//	O7  honest requests of somebody else get their own answers: 5 after each row, 100 after each file

// decided are the records of a tenant that were not looked at yet, in the order of their requests. It waits for n. Of a
// request that leaves two, at its start and its end, the second is what counts.
func (w *world) decided(t testing.TB, after fmt.Stringer, tenant string, n int) []*sallyportv1.AccessEvent {
	t.Helper()
	deadline := time.After(patience)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		w.flush(t, tenant)
		var finished []*sallyportv1.AccessEvent
		records := w.edge.ControlPlane.Records(tenant)
		for _, r := range records[w.seen[tenant]:] {
			if a := r.GetAccess(); a != nil && a.GetStream().GetPhase() != "start" {
				finished = append(finished, a)
			}
		}
		if len(finished) >= n {
			w.seen[tenant] = len(records)
			slices.SortStableFunc(finished, func(a, b *sallyportv1.AccessEvent) int { return a.GetTime().AsTime().Compare(b.GetTime().AsTime()) })
			return finished
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s: O4: there are %d records, and there should be %d: %v", after, len(finished), n, finished)
		}
	}
}

func (w *world) flush(t testing.TB, tenant string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, _, err := w.edge.Node.Audit.ReportNow(ctx, tenant); err != nil {
		t.Fatal(err)
	}
}

// arrived are the requests that upstreams received and that were not looked at yet. It waits for n: one that is cut off is
// received only when the edge has closed its connection.
func (w *world) arrived(t testing.TB, after fmt.Stringer, n int) []*edgetest.Received {
	t.Helper()
	deadline := time.After(patience)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	var fresh []*edgetest.Received
	for {
		for i, u := range w.upstreams {
			all := u.Received()
			fresh = append(fresh, all[w.received[i]:]...)
			w.received[i] = len(all)
		}
		if len(fresh) >= n {
			return fresh
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s: upstreams received %d requests, want %d: %+v", after, len(fresh), n, fresh)
		}
	}
}

// bytes is how much all upstreams have received.
func (w *world) bytes() int {
	n := 0
	for _, u := range w.upstreams {
		n += u.Len()
	}
	return n
}

// recorded is how an event has a path: of one of more than 512 bytes, the beginning and a hash of all of it.
func recorded(path string) string {
	if len(path) <= 512 {
		return path
	}
	b := sha256.Sum256([]byte(path))
	return path[:472] + "…sha256:" + hex.EncodeToString(b[:12])
}

// same is O1, and the part of O2 and O4 that is about one request.
func same(t testing.TB, who fmt.Stringer, a *sallyportv1.AccessEvent, got *edgetest.Received) {
	t.Helper()
	q, d := a.GetRequest(), a.GetDecision()
	if d.GetOutcome() != "ALLOW" {
		t.Errorf("%s: O2: the upstream received %s %s, which was decided %s %s", who, got.Method, got.Target, d.GetOutcome(), d.GetReason())
	}
	path, query, hasQuery := strings.Cut(got.Target, "?")
	sum := ""
	if hasQuery {
		b := sha256.Sum256([]byte(query))
		sum = hex.EncodeToString(b[:])
	}
	received := [...]string{strings.Join(got.Values("X-Request-Id"), ","), strings.Join(got.Values("Host"), ","), got.Method, recorded(path), sum}
	decided := [...]string{q.GetId(), q.GetHost(), q.GetMethod(), q.GetPath(), q.GetQuerySha256()}
	if received != decided {
		t.Errorf("%s: O1: decided on %q, the upstream received %q", who, decided, received)
	}
}

// spoken are words by which an upstream learns who or where a client is, or what it asked for. It is not the edge's list,
// or a name forgotten there would be forgotten here.
var spoken = []string{
	"xsallyport", "xiap", "xforwarded", "forwarded", "xrealip", "xclientip", "clientip", "xclusterclientip", "trueclientip", "xoriginal", "xrewrite",
	"xhost", "xhttpmethod", "xmethodoverride", "xenvoy", "cf", "xgoog", "xamzn", "xms", "xappengine", "xazure", "remoteuser", "remoteaddr", "xremote", "xauthrequest",
	"xauthuser", "xuser", "xwebauth", "xpomerium", "xvouch", "xauthentik", "xconsumer", "xcredential", "proxy", "sslclient", "xsslclient", "clientcert",
}

// letters takes out of a name what upstreams fold.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		default:
			return -1
		}
	}, name)
}

// identity is O3.
func (w *world) identity(t testing.TB, who fmt.Stringer, a *sallyportv1.AccessEvent, got *edgetest.Received) {
	t.Helper()
	told := map[string]string{}
	for _, h := range slices.Concat(got.Header, got.Trailer) {
		name := letters(h[0])
		if slices.ContainsFunc(spoken, func(word string) bool { return strings.HasPrefix(name, word) }) {
			if _, twice := told[h[0]]; twice {
				t.Errorf("%s: O3: the upstream received %s twice", who, h[0])
			}
			told[h[0]] = h[1]
		}
		for person, secret := range w.names {
			if strings.Contains(h[1], secret) {
				t.Errorf("%s: O3: the upstream received the credential of %s in %s", who, person, h[0])
			}
		}
	}
	want := map[string]string{"X-Forwarded-For": a.GetSourceIp(), "X-Forwarded-Host": a.GetRequest().GetHost(), "X-Forwarded-Proto": "https"}
	if subject := a.GetPrincipal().GetSubject(); subject != "" {
		token := told["X-Sallyport-Assertion"]
		want["X-Sallyport-Assertion"] = token
		if got := w.subject(t, a.GetRequest().GetHost(), token); got != subject {
			t.Errorf("%s: O3: the assertion is of %q, the record of %q", who, got, subject)
		}
		if a.GetApp() == "app1" {
			want["X-Sallyport-User"] = subject
			want["X-Sallyport-Email"] = a.GetPrincipal().GetEmail()
			want["X-Sallyport-Groups"] = strings.Join(a.GetDecision().GetGroups(), ",")
		}
	}
	for name, value := range want {
		if told[name] != value {
			t.Errorf("%s: O3: the upstream was told %s: %q, not %q", who, name, told[name], value)
		}
		delete(told, name)
	}
	for name, value := range told {
		t.Errorf("%s: O3: the upstream received %s: %s", who, name, value)
	}
}

// subject verifies an assertion, once.
func (w *world) subject(t testing.TB, host, token string) string {
	t.Helper()
	subject, ok := w.verified[token]
	if !ok {
		subject, _ = w.edge.Verify(t, host, token).Subject()
		w.verified[token] = subject
		w.decided(t, name("fetching keys"), tenantOf(host), 1)
	}
	return subject
}

// wall is O5: nothing of B is in what A saw, unless the row said it first.
func wall(t testing.TB, r *row, sent string, o observed) {
	t.Helper()
	if tenantOf(r.sni) != tenantA {
		return
	}
	var seen strings.Builder
	for _, one := range o.replies {
		fmt.Fprintf(&seen, "%d %v\n%s\n", one.status, one.header, one.body)
	}
	for _, a := range o.records {
		text, err := protojson.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(text)
	}
	for _, canary := range canaries {
		if strings.Contains(strings.ToLower(seen.String()), canary) && !strings.Contains(strings.ToLower(sent), canary) {
			t.Errorf("%s: O5: %q is in what tenant A sees:\n%s", r, canary, seen.String())
		}
	}
}

// honest is O7: bob asks n times, and gets his own answers.
func (w *world) honest(t testing.TB, after fmt.Stringer, n int) {
	t.Helper()
	for i := range n {
		w.asked++
		target := fmt.Sprintf("/honest/%d", w.asked)
		res := edgetest.Send(t, w.clients[i%len(w.clients)], http.MethodGet, "https://"+hostApp1+target, http.Header{"Cookie": {"__Host-sp=" + w.names["bob"]}}, "")
		line, rest, _ := strings.Cut(res.Text, "\n")
		if res.StatusCode != http.StatusOK || line != "GET "+target+" HTTP/1.1" || !strings.Contains(rest, "X-Sallyport-User: "+w.bob+"\n") {
			t.Fatalf("%s: O7: afterwards bob asked for %s and got %d:\n%s", after, target, res.StatusCode, res.Text)
		}
	}
	for _, a := range w.decided(t, after, tenantA, n) {
		if a.GetPrincipal().GetSubject() != w.bob || a.GetDecision().GetReason() != "allow.rule" {
			t.Errorf("%s: O4: a record that belongs to no request: %v", after, a)
		}
		n--
	}
	if n != 0 {
		t.Errorf("%s: O4: %d records too few", after, n)
	}
	for _, got := range w.arrived(t, after, 0) {
		if got.Bad != nil || !strings.HasPrefix(got.Target, "/honest/") || strings.Join(got.Values("X-Sallyport-User"), "") != w.bob {
			t.Errorf("%s: O7: the upstream received %s %s after the row was over (%v)", after, got.Method, got.Target, got.Bad)
		}
	}
}

// quiet is O6, once everything that was begun is over.
func (w *world) quiet(t testing.TB, baseline int) {
	t.Helper()
	if text := w.edge.Log.String(); strings.Contains(text, "panic") {
		t.Errorf("O6: something panicked:\n%s", text)
	}
	deadline := time.After(30 * time.Second)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		n, stacks := busy(t)
		if n <= baseline {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("O6: %d goroutines, and %d before:\n%s", n, baseline, stacks)
		}
	}
}

// busy counts goroutines, but not those of idle connections to upstreams: there may be any number of them, within the
// pool's limits.
func busy(t testing.TB) (int, string) {
	t.Helper()
	var profile strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	n := 0
	var stacks []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.HasPrefix(stack, "goroutine profile:") {
			_, stack, _ = strings.Cut(stack, "\n")
		}
		if strings.Contains(stack, "net/http.(*persistConn)") || strings.Contains(stack, "edgetest.(*Upstream).serve") {
			continue
		}
		many := 0
		if _, err := fmt.Sscanf(stack, "%d @", &many); err == nil {
			n += many
			stacks = append(stacks, stack)
		}
	}
	return n, strings.Join(stacks, "\n\n")
}

func tenantOf(host string) string {
	if strings.HasSuffix(host, ".b.test") {
		return tenantB
	}
	return tenantA
}
