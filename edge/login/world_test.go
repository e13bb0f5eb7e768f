package login_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-iap/sallyport/edge/egress"
	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/login"
	"github.com/sallyport-iap/sallyport/edge/route"
	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

const (
	acme, globex = sessiontest.Acme, sessiontest.Globex
	port         = 8443
	wikiURL      = "https://wiki.acme.localhost:8443"
	apiURL       = "https://api.acme.localhost:8443"
	authURL      = "https://auth.acme.localhost:8443"
	secret       = sessiontest.ClientSecret
)

// world is a tenant's hosts, a provider, and edges that answer for them.
type world struct {
	*sessiontest.World
	t     *testing.T
	idp   *idp
	at    atomic.Int64
	edges []*edge
	// answers picks the edge that answers for a host; the first, if nil.
	answers func(host string) *edge
	log     lockedBuffer
	ids     atomic.Int64
}

// edge is the people's part of one edge.
type edge struct {
	*login.Login
	sessions *session.Sessions
	mu       sync.Mutex
	events   []*edgev1.SessionEvent
	enforced atomic.Bool
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (w *world) now() time.Time      { return time.Unix(0, w.at.Load()).UTC() }
func (w *world) add(d time.Duration) { w.at.Add(int64(d)) }

// setup is one edge with a real Redis.
func setup(t *testing.T) *world {
	t.Helper()
	w := bare(t)
	w.addEdge(session.Dial(redisAddr(t), "", ""))
	return w
}

// bare has no edge yet.
func bare(t *testing.T) *world {
	t.Helper()
	w := &world{World: sessiontest.New(t), t: t}
	w.at.Store(start.UnixNano())
	w.idp = newIDP(t, w.now)
	for _, tenant := range []string{acme, globex} {
		w.provider(tenant, func(p *edgev1.IdentityProvider) { p.Issuer = w.idp.issuer })
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", w.log.String())
		}
	})
	// Whatever a test does, nothing secret is in the log afterwards.
	t.Cleanup(func() {
		text := w.log.String()
		for _, never := range []string{secret, "access-token-of", "code-", "eyJ", "code_verifier", "nonce="} {
			if strings.Contains(text, never) {
				t.Errorf("the log holds %q:\n%s", never, text)
			}
		}
	})
	return w
}

func (w *world) provider(tenant string, change func(*edgev1.IdentityProvider)) {
	w.t.Helper()
	sessiontest.Edit(w.World, tenant, "demo", change)
}

func (w *world) addEdge(client redis.UniversalClient) *edge {
	w.t.Helper()
	e := &edge{}
	logger := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	e.sessions = session.New(session.Config{
		Redis: client, Budget: 10 * time.Second, Now: w.now, Region: fmt.Sprint("region", len(w.edges)), Log: logger,
		Report: func(_ string, ev *edgev1.SessionEvent) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.events = append(e.events, ev)
		},
		ReportNow: func(context.Context, string) (int64, bool, error) { return 1, e.enforced.Load(), nil },
	})
	e.Login = login.New(login.Config{
		Sessions: e.sessions, Now: w.now, Log: logger,
		Client: func(allowed []netip.Prefix) *http.Client { return egress.Client(allowed, 5*time.Second) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	var loops sync.WaitGroup
	loops.Go(func() { e.sessions.Run(ctx) })
	loops.Go(func() { e.Login.Run(ctx) })
	w.t.Cleanup(func() {
		cancel()
		loops.Wait()
		if client != nil {
			client.Close()
		}
	})
	w.edges = append(w.edges, e)
	return e
}

func redisAddr(t *testing.T) string {
	t.Helper()
	addr := os.Getenv("SALLYPORT_TEST_REDIS_ADDR")
	if addr == "" {
		t.Fatal("SALLYPORT_TEST_REDIS_ADDR is not set: run `make test`, or `go run ./cmd/internal/testservices -- go test ./...`")
	}
	return addr
}

var styles = regexp.MustCompile(`(?s)<style>.*</style>\n`)

// answer is what a browser gets to see.
type answer struct {
	status  int
	header  http.Header
	body    string
	url     string // that answered in the end
	denial  *exchange.Denial
	cookies []*http.Cookie
}

func (a *answer) location() string { return a.header.Get("Location") }

// ask sends one request to the edge that answers for the host, and puts it through what the pipeline does before.
func (w *world) ask(method, target string, jar cookies, head http.Header, body string) *answer {
	w.t.Helper()
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "https" {
		w.t.Fatalf("cannot ask %q: %v", target, err)
	}
	if u.Port() != fmt.Sprint(port) {
		w.t.Fatalf("%q is not of our port", target)
	}
	e := w.edges[0]
	if w.answers != nil {
		e = w.answers(u.Hostname())
	}
	site, app, ok := w.Table().Host(u.Hostname())
	if !ok {
		w.t.Fatalf("the browser was sent to %q, which is nobody's host", target)
	}
	h := head.Clone()
	if h == nil {
		h = http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Accept": {"text/html"}}
	}
	if line := jar.line(u.Hostname(), w.now()); line != "" {
		h.Set("Cookie", line)
	}
	taken, err := header.Strip(h, header.Options{})
	if err != nil {
		return &answer{status: 400, header: http.Header{}, url: target, body: err.Error()}
	}
	raw := u.EscapedPath()
	if raw == "" {
		raw = "/"
	}
	if u.RawQuery != "" || u.ForceQuery {
		raw += "?" + u.RawQuery
	}
	var options route.Options
	if app != nil {
		options = app.Paths
	}
	path, err := route.Canonical(raw, options)
	if err != nil {
		return &answer{status: 400, header: http.Header{}, url: target, body: err.Error()}
	}
	req := &exchange.Request{
		ID: fmt.Sprintf("ID%08d", w.ids.Add(1)), Method: method, Protocol: "HTTP/2.0", Host: u.Hostname(), PublicPort: port, Path: path,
		Header: h, Taken: taken, Body: strings.NewReader(body), ClientIP: netip.MustParseAddr("192.0.2.7"), Now: w.now(),
		Site: site, App: app, Client: exchange.Classify(method, h, false),
	}
	reply, denial := w.pipeline(e, req)
	a := &answer{header: http.Header{}, url: target, denial: denial}
	if denial != nil {
		a.status = denial.StatusCode()
		return a
	}
	a.status, a.body, a.cookies = reply.Status, string(reply.Body), reply.Cookies
	if reply.Header != nil {
		a.header = reply.Header
	}
	w.holds(req, a)
	a.body = styles.ReplaceAllString(a.body, "") // the same on every page, and long in messages
	jar.take(u.Hostname(), reply.Cookies, w.now())
	return a
}

// pipeline is the little of package edge that matters here: ours, or the app's page if somebody is there.
func (w *world) pipeline(e *edge, req *exchange.Request) (*exchange.Reply, *exchange.Denial) {
	ctx := context.Background()
	switch {
	case req.App == nil:
		return e.Auth(ctx, req)
	case route.Reserved(req.Path):
		return e.App(ctx, req)
	}
	cookie, err := req.Taken.Session()
	if err != nil {
		return nil, exchange.Refuse("request.two_credentials", "")
	}
	r := e.sessions.Authenticate(ctx, req.Site, req.App, req.Host, cookie, req.ClientIP, req.Now)
	switch r.State {
	case session.Live:
		reply := &exchange.Reply{Status: 200, Body: []byte("app: " + req.Path.Target() + " as " + r.Caller.Email), Caller: r.Caller}
		if r.SetCookie != nil {
			reply.Cookies = []*http.Cookie{r.SetCookie}
		}
		return reply, nil
	case session.Unavailable:
		return nil, exchange.Unavailable(r.Reason, time.Second, r.Err)
	}
	if req.Client != exchange.Navigation {
		return nil, exchange.Authenticate(r.Reason)
	}
	return e.Begin(ctx, req, r.Reason)
}

// holds is what has to hold for every answer of ours, whatever was asked.
func (w *world) holds(req *exchange.Request, a *answer) {
	w.t.Helper()
	for _, c := range a.cookies {
		text := c.String()
		if !strings.HasPrefix(c.Name, "__Host-sp") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" ||
			len(c.Name)+len(c.Value) > 4096 || c.MaxAge > 600 || text == "" {
			w.t.Errorf("%s %s sets the cookie %s", req.Method, req.Path.Target(), text)
		}
		if strings.HasPrefix(c.Name, header.Session+"-") && c.MaxAge == 0 {
			w.t.Errorf("the cookie %s outlives its sign-in", c.Name)
		}
	}
	if l := a.location(); l != "" {
		w.sentTo(req.Site, l)
		if a.status != http.StatusSeeOther || a.header.Get("Referrer-Policy") != "no-referrer" {
			w.t.Errorf("a redirect with status %d and headers %v", a.status, a.header)
		}
	}
	if strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		for _, name := range []string{"Content-Security-Policy", "Cross-Origin-Opener-Policy", "X-Content-Type-Options", "Permissions-Policy", "Referrer-Policy"} {
			if a.header.Get(name) == "" {
				w.t.Errorf("%s has no %s", req.Path.Match, name)
			}
		}
		// A form on a page that sends no referrer says "Origin: null", and would be refused.
		if strings.Contains(a.body, "<form") == (a.header.Get("Referrer-Policy") == "no-referrer") && strings.Contains(a.body, "<form") {
			w.t.Errorf("%s has a form and no referrer", req.Path.Match)
		}
	}
}

// sentTo wants every address that a browser is sent to to be of the tenant's own hosts, or its provider's.
func (w *world) sentTo(site *snapshot.Site, location string) {
	w.t.Helper()
	u, err := url.Parse(location)
	if err != nil || strings.ContainsAny(location, "\r\n\t \\") {
		w.t.Fatalf("the location %q is malformed: %v", location, err)
	}
	if u.Scheme+"://"+u.Host == w.idp.issuer {
		return
	}
	hosts := []string{site.AuthHost}
	for _, app := range site.Apps {
		hosts = append(hosts, app.Hosts...)
	}
	if u.Scheme != "https" || u.User != nil || u.Port() != fmt.Sprint(port) || !slices.Contains(hosts, u.Hostname()) {
		w.t.Fatalf("a browser is sent to %q, which is no host of the tenant", location)
	}
}

// cookies are a browser's, by host.
type cookies map[string]map[string]kept

type kept struct {
	value string
	until time.Time // zero: until the browser is closed
}

func (j cookies) line(host string, now time.Time) string {
	var parts []string
	for name, c := range j[host] {
		if c.until.IsZero() || now.Before(c.until) {
			parts = append(parts, name+"="+c.value)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

func (j cookies) take(host string, list []*http.Cookie, now time.Time) {
	if j == nil {
		return
	}
	if j[host] == nil {
		j[host] = map[string]kept{}
	}
	for _, c := range list {
		switch {
		case c.MaxAge < 0:
			delete(j[host], c.Name)
		case c.MaxAge > 0:
			j[host][c.Name] = kept{c.Value, now.Add(time.Duration(c.MaxAge) * time.Second)}
		default:
			j[host][c.Name] = kept{value: c.Value}
		}
	}
}

func (j cookies) clone() cookies {
	out := cookies{}
	for host, list := range j {
		out[host] = maps.Clone(list)
	}
	return out
}

// browser follows redirects, the provider's among them.
type browser struct {
	w   *world
	jar cookies
	// stop, if set, says where not to go on: the address is kept in stopped.
	stop    func(location string) bool
	stopped string
	hops    int
}

func (w *world) browser() *browser { return &browser{w: w, jar: cookies{}} }

func (b *browser) open(target string) *answer {
	b.w.t.Helper()
	for range 30 {
		if strings.HasPrefix(target, b.w.idp.issuer+"/authorize") {
			u, err := url.Parse(target)
			if err != nil {
				b.w.t.Fatal(err)
			}
			target = b.w.idp.authorize(u.Query())
		}
		if b.stop != nil && b.stop(target) {
			b.stopped = target
			return nil
		}
		b.hops++
		a := b.w.ask(http.MethodGet, target, b.jar, nil, "")
		if a.location() == "" {
			return a
		}
		target = a.location()
	}
	b.w.t.Fatalf("a redirect loop, at %q", target)
	return nil
}

// until follows redirects up to an address that contains a text, and returns it unvisited.
func (b *browser) until(target, text string) string {
	b.w.t.Helper()
	b.stop = func(l string) bool { return strings.Contains(l, text) }
	defer func() { b.stop = nil }()
	if a := b.open(target); a != nil {
		b.w.t.Fatalf("ended at %s with %d before %q:\n%s", a.url, a.status, text, a.body)
	}
	return b.stopped
}

func (b *browser) post(target string, form url.Values, change func(http.Header)) *answer {
	b.w.t.Helper()
	u, _ := url.Parse(target)
	h := http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {u.Scheme + "://" + u.Host}, "Sec-Fetch-Site": {"same-origin"},
		"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"},
	}
	if change != nil {
		change(h)
	}
	return b.w.ask(http.MethodPost, target, b.jar, h, form.Encode())
}

// arrives wants the app's page, for somebody.
func (b *browser) arrives(target, path, email string) {
	b.w.t.Helper()
	a := b.open(target)
	if want := "app: " + path + " as " + email; a.status != 200 || a.body != want {
		b.w.t.Fatalf("%s ended at %s with %d:\n%s\nwant %q", target, a.url, a.status, a.body, want)
	}
}

// live says whether a cookie is somebody at an edge.
func (w *world) live(e *edge, host, cookie string) session.State {
	site, app, _ := w.Table().Host(host)
	return e.sessions.Authenticate(context.Background(), site, app, host, cookie, netip.Addr{}, w.now()).State
}

func (b *browser) session(host string) string { return b.jar[host][header.Session].value }
