package systemtest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/types/known/durationpb"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// leaves sends the form of the sign-out page, and returns the page that answers.
func (p *person) leaves(t *testing.T, doc *document, edge int, host, scope string) *answer {
	t.Helper()
	origin := strings.TrimSuffix(doc.at(edge, host, "/"), "/")
	a := send(t, p.client, request(t, "POST", origin+"/.sallyport/sign-out", url.Values{"scope": {scope}}.Encode(),
		"Content-Type", "application/x-www-form-urlencoded", "Origin", origin, "Sec-Fetch-Site", "same-origin", "Accept", "text/html"))
	if a.Status != http.StatusOK {
		t.Fatalf("%s signs out: %d %s", p.username, a.Status, a.Body)
	}
	return a
}

// signOutOfEverything is over at both edges, whatever they forget: caches, stores, themselves.
func signOutOfEverything(t *testing.T, d *demo, c *crowd) {
	alice, stolen := d.member(t, "alice", 0)
	_, elsewhere := d.member(t, "alice", 1) // another browser of hers
	for range 2 {
		stolen.alive(t, d, "warm")
	}
	began := time.Now()
	a := alice.leaves(t, d.document(t), 0, "wiki", "everything")
	if !strings.Contains(a.Body, "Signed out everywhere") {
		t.Errorf("the page does not say that it is everywhere: %s", a.Body)
	}
	t.Logf("signed out everywhere, and said so, after %s", time.Since(began).Round(time.Millisecond))
	stolen.dead(t, d, "warm caches")
	c.signedIn(t, d, "after somebody else's sign-out")

	for _, at := range d.document(t).Edges {
		flush(t, at.RedisAddr)
	}
	stolen.dead(t, d, "after FLUSHALL")
	c.signedIn(t, d, "after FLUSHALL")

	d.restartEdges(t)
	stolen.dead(t, d, "after both edges were killed")
	c.signedIn(t, d, "after both edges were killed")
	elsewhere.alive(t, d, "another browser of the same person")

	for _, at := range d.document(t).Edges {
		flush(t, at.RedisAddr)
	}
	d.restartEdges(t)
	stolen.dead(t, d, "after FLUSHALL and both edges killed")
	c.signedIn(t, d, "after FLUSHALL and both edges killed")
}

// restartEdges kills both edges, and returns when new ones answer.
func (d *demo) restartEdges(t *testing.T) {
	t.Helper()
	doc := d.document(t)
	for _, at := range doc.Edges {
		if err := syscall.Kill(at.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	d.eventually(t, "new edges", 20*time.Second, func() error {
		for edge, at := range d.document(t).Edges {
			if at.PID == doc.Edges[edge].PID {
				return errStill
			}
			a, err := try(d.browser(t), request(t, "GET", doc.at(edge, "api", "/v1/status"), ""))
			if err != nil {
				return err
			}
			if a.Status != http.StatusOK {
				return errors.New(a.Body) // it answers before it has rules
			}
		}
		return nil
	})
}

// flush makes a session store forget everything.
func flush(t *testing.T, redis string) {
	t.Helper()
	conn, err := net.Dial("tcp", redis)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("FLUSHALL\r\n")); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 16)
	if n, err := conn.Read(said); err != nil || string(said[:n]) != "+OK\r\n" {
		t.Fatalf("FLUSHALL: %q, %v", said[:n], err)
	}
}

// signOutOfOneApp ends one cookie, at both edges, and no other.
func signOutOfOneApp(t *testing.T, d *demo, _ *crowd) {
	alice, stolen := d.member(t, "alice", 1)
	stolen.alive(t, d, "before")
	alice.leaves(t, d.document(t), 1, "wiki", "app")
	cookies{"wiki": stolen["wiki"]}.dead(t, d, "signed out of the wiki")
	cookies{"api": stolen["api"], "auth": stolen["auth"]}.alive(t, d, "signed out of the wiki only")
	for _, at := range d.document(t).Edges {
		flush(t, at.RedisAddr)
	}
	d.restartEdges(t)
	cookies{"wiki": stolen["wiki"]}.dead(t, d, "signed out of the wiki, all forgotten")
	cookies{"api": stolen["api"], "auth": stolen["auth"]}.alive(t, d, "signed out of the wiki only, all forgotten")
}

// ends is what an admin has against sessions.
type ends struct {
	parent      string
	sessions    sallyportv1connect.SessionServiceClient
	revocations sallyportv1connect.RevocationServiceClient
	revisions   sallyportv1connect.RevisionServiceClient
}

func newEnds(t *testing.T, d *demo) *ends {
	t.Helper()
	client := d.admin(t)
	return &ends{
		parent:      "tenants/" + d.document(t).Tenant,
		sessions:    sallyportv1connect.NewSessionServiceClient(client.HTTP, client.URL),
		revocations: sallyportv1connect.NewRevocationServiceClient(client.HTTP, client.URL),
		revisions:   sallyportv1connect.NewRevisionServiceClient(client.HTTP, client.URL),
	}
}

func (e *ends) enforced(t *testing.T, revision string) {
	t.Helper()
	answer, err := e.revisions.Wait(t.Context(), &sallyportv1.WaitRequest{Parent: e.parent, Revision: revision, Timeout: durationpb.New(10 * time.Second)})
	if err != nil || answer.GetResult() != sallyportv1.WaitResult_WAIT_RESULT_ENFORCED {
		t.Fatalf("Wait for %s: %v, %v", revision, answer, err)
	}
}

// name returns the resource name of the session that a cookie belongs to, once the control plane has heard of it.
func (e *ends) name(t *testing.T, d *demo, c cookies) string {
	t.Helper()
	a, err := ask(t, d.browser(t), d.document(t), 0, "wiki", c["wiki"])
	if err != nil {
		t.Fatal(err)
	}
	var me struct{ Session string }
	a.json(t, &me)
	name := e.parent + "/sessions/" + me.Session
	d.eventually(t, "session "+name, 5*time.Second, func() error {
		_, err := e.sessions.GetSession(t.Context(), &sallyportv1.GetSessionRequest{Name: name})
		return err
	})
	return name
}

// revokedSessions are over with the first request after Wait returned, and each alone.
func revokedSessions(t *testing.T, d *demo, _ *crowd) {
	const people = 10
	e := newEnds(t, d)
	var all []cookies
	for i := range people {
		_, copied := d.member(t, "alice", i%2)
		all = append(all, copied)
	}
	var times []time.Duration
	for i, copied := range all {
		name := e.name(t, d, copied)
		copied.alive(t, d, "before it is revoked")
		began := time.Now()
		answer, err := e.sessions.RevokeSession(t.Context(), &sallyportv1.RevokeSessionRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		e.enforced(t, answer.GetRevision())
		times = append(times, time.Since(began))
		copied.dead(t, d, "after Wait")
		if i+1 < len(all) {
			all[i+1].alive(t, d, "a session that nobody revoked")
		}
	}
	slices.Sort(times)
	t.Logf("from the call of RevokeSession to enforced at both edges: n %d, p50 %s, max %s", len(times), times[len(times)/2].Round(100*time.Microsecond), times[len(times)-1].Round(100*time.Microsecond))
}

// revokedUsers lose all that they had, by address and by opaque id, and may sign in again.
func revokedUsers(t *testing.T, d *demo, c *crowd) {
	e := newEnds(t, d)
	for _, subject := range []func(*sallyportv1.Session) string{
		func(*sallyportv1.Session) string { return "user:alice@acme.test" },
		func(s *sallyportv1.Session) string { return s.GetPrincipal() },
	} {
		_, first := d.member(t, "alice", 0)
		_, second := d.member(t, "alice", 1)
		session, err := e.sessions.GetSession(t.Context(), &sallyportv1.GetSessionRequest{Name: e.name(t, d, first)})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		made, err := e.revocations.CreateRevocation(t.Context(), &sallyportv1.CreateRevocationRequest{
			Parent: e.parent, Revocation: &sallyportv1.Revocation{Subject: subject(session), Reason: "left the company"},
		})
		if err != nil {
			t.Fatal(err)
		}
		e.enforced(t, made.GetRevision())
		t.Logf("%s: enforced at both edges after %s", subject(session), time.Since(began).Round(100*time.Microsecond))
		first.dead(t, d, "revoked")
		second.dead(t, d, "revoked")
		c.signedIn(t, d, "after somebody else was revoked")
		_, again := d.member(t, "alice", 0)
		again.alive(t, d, "signed in after it")
	}
}

// sockets that are open are cut where a session ends, at both edges, and nobody else's.
func sockets(t *testing.T, d *demo, c *crowd) {
	e := newEnds(t, d)
	bystander := d.socket(t, 0, c.members[0]["wiki"])
	for _, end := range []struct {
		name string
		now  func(t *testing.T, who *person, copied cookies)
	}{
		{"revoked", func(t *testing.T, _ *person, copied cookies) {
			name := e.name(t, d, copied)
			if _, err := e.sessions.RevokeSession(t.Context(), &sallyportv1.RevokeSessionRequest{Name: name}); err != nil {
				t.Fatal(err)
			}
		}},
		{"signed out of everything", func(t *testing.T, who *person, _ cookies) { who.leaves(t, d.document(t), 0, "auth", "everything") }},
		{"signed out of the app", func(t *testing.T, who *person, _ cookies) { who.leaves(t, d.document(t), 0, "wiki", "app") }},
	} {
		t.Run(end.name, func(t *testing.T) {
			who, copied := d.member(t, "alice", 0)
			open := []*websocket.Conn{d.socket(t, 0, copied["wiki"]), d.socket(t, 1, copied["wiki"])}
			for _, conn := range open {
				echoes(t, conn)
			}
			began := time.Now()
			end.now(t, who, copied)
			for edge, conn := range open {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				_, message, err := conn.Read(ctx)
				cancel()
				took := time.Since(began)
				if websocket.CloseStatus(err) != websocket.StatusPolicyViolation || took > time.Second {
					t.Errorf("edge %d: %q, %v after %s; want close 1008 within 1 s", edge, message, err, took)
				}
				t.Logf("edge %d: cut %s after the call began: %v", edge, took.Round(time.Millisecond), err)
			}
			echoes(t, bystander)
		})
	}
}

// socket opens the wiki's WebSocket as a page of the wiki does. More headers are pairs, sent as they are spelled.
func (d *demo) socket(t *testing.T, edge int, cookie string, headers ...string) *websocket.Conn {
	t.Helper()
	doc := d.document(t)
	header := http.Header{"Origin": {strings.TrimSuffix(doc.at(edge, "wiki", "/"), "/")}, "Cookie": {sessionCookie + "=" + cookie}}
	for i := 0; i < len(headers); i += 2 {
		header[headers[i]] = []string{headers[i+1]}
	}
	// A client with a time limit would end the connection at it.
	conn, response, err := websocket.Dial(t.Context(), "wss"+strings.TrimPrefix(doc.at(edge, "wiki", "/ws"), "https"), &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: http1(d.browser(t)).Transport}, HTTPHeader: header,
	})
	if err != nil {
		t.Fatalf("edge %d: %v (%v)", edge, err, response)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func echoes(t *testing.T, conn *websocket.Conn) {
	t.Helper()
	if got := says(t, conn, "hello"); got != "hello" {
		t.Errorf("the echo says %q", got)
	}
}

func says(t *testing.T, conn *websocket.Conn, message string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		t.Fatal(err)
	}
	_, got, err := conn.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}
