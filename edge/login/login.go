package login

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/page"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/session"
)

// Config is what Login needs.
type Config struct {
	Sessions *session.Sessions
	// Client makes the client that talks to identity providers, given the private networks that the pool allows:
	// egress.Client with a time limit, except in tests.
	Client func(allowed []netip.Prefix) *http.Client
	// Now is the clock of what no request asks for; requests bring their own.
	Now func() time.Time
	Log *slog.Logger
}

// Login is the sign-in of all tenants at this edge.
type Login struct {
	cfg       Config
	sessions  *session.Sessions
	providers *providers
}

// New makes a Login. Run has to run for providers' metadata and keys to stay fresh.
func New(c Config) *Login {
	return &Login{cfg: c, sessions: c.Sessions, providers: newProviders(c)}
}

// Run refreshes what is known of the providers that are in use, until ctx ends.
func (l *Login) Run(ctx context.Context) error { return l.providers.run(ctx) }

// Paths of ours. The one prefix is reserved on every host.
const (
	pathSignIn       = "/.sallyport/sign-in"
	pathOIDCCallback = "/.sallyport/oidc/callback"
	pathCallback     = "/.sallyport/callback"
	pathSignOut      = "/.sallyport/sign-out"
	pathMe           = "/.sallyport/me"
	pathDenied       = "/.sallyport/denied"
)

// App answers /.sallyport/… on the host of an app.
func (l *Login) App(ctx context.Context, req *exchange.Request) (*exchange.Reply, *exchange.Denial) {
	switch req.Path.Match {
	case pathSignIn:
		return get(req, func() (*exchange.Reply, *exchange.Denial) { return l.signInHere(ctx, req) })
	case pathCallback:
		return get(req, func() (*exchange.Reply, *exchange.Denial) { return l.arrive(ctx, req) })
	case pathSignOut:
		return l.signOut(ctx, req)
	case pathMe:
		return get(req, func() (*exchange.Reply, *exchange.Denial) { return l.me(ctx, req) })
	case pathDenied:
		return get(req, func() (*exchange.Reply, *exchange.Denial) { return l.denied(ctx, req) })
	}
	return nil, exchange.Refuse(policy.RouteNone, "")
}

// Auth answers every path of the auth host.
func (l *Login) Auth(ctx context.Context, req *exchange.Request) (*exchange.Reply, *exchange.Denial) {
	switch req.Path.Match {
	case "/":
		return get(req, func() (*exchange.Reply, *exchange.Denial) { return l.home(ctx, req) })
	case pathSignIn:
		return get(req, func() (*exchange.Reply, *exchange.Denial) { return l.signIn(ctx, req) })
	case pathOIDCCallback:
		return get(req, func() (*exchange.Reply, *exchange.Denial) { return l.finish(ctx, req) })
	case pathSignOut:
		return l.signOut(ctx, req)
	case pathMe:
		return get(req, func() (*exchange.Reply, *exchange.Denial) { return l.me(ctx, req) })
	}
	return nil, exchange.Refuse(policy.RouteNone, "")
}

func get(req *exchange.Request, answer func() (*exchange.Reply, *exchange.Denial)) (*exchange.Reply, *exchange.Denial) {
	if req.Method != http.MethodGet {
		return nil, exchange.Refuse(policy.RequestMethod, "")
	}
	return answer()
}

// html is a page of ours with all its headers.
func html(status int, body []byte) *exchange.Reply {
	reply := exchange.HTML(status, body)
	page.SetHeaders(reply.Header)
	return reply
}

// redirect never tells the next server where the browser comes from: our links carry sealed codes.
func redirect(location string) *exchange.Reply {
	reply := exchange.Redirect(http.StatusSeeOther, location)
	reply.Header.Set("Referrer-Policy", "no-referrer")
	reply.Header.Set("Cache-Control", "no-store")
	return reply
}

// startAgain is the end of an attempt that cannot go on. why is for the log, and says nothing secret.
func (l *Login) startAgain(req *exchange.Request, why string) *exchange.Reply {
	l.cfg.Log.Info("a sign-in cannot go on", "tenant", req.Site.TenantUID, "host", req.Host, "decision_id", req.DecisionID(), "why", why)
	return l.problem(req, http.StatusBadRequest, policy.IdentityBadToken, page.Denied{
		Title:       "Please start again",
		Detail:      "This sign-in link is no longer good here: it is too old, was used before, or belongs to another browser.",
		Remediation: "Open the app again, and you will be asked to sign in if you need to.",
		StartAgain:  "/",
	})
}

// problem is a page on which a step of a sign-in stops. Its address may hold a code, so it sends no referrer.
func (l *Login) problem(req *exchange.Request, status int, reason policy.Reason, d page.Denied) *exchange.Reply {
	d.Status, d.Reason, d.DecisionID, d.TenantName = status, string(reason), req.DecisionID(), req.Site.DisplayName
	if req.App != nil {
		d.AppName = appName(req)
	}
	reply := html(status, d.HTML())
	reply.Header.Set("Referrer-Policy", "no-referrer")
	reply.Reason = reason
	return reply
}

func appName(req *exchange.Request) string {
	if req.App == nil {
		return ""
	}
	if req.App.DisplayName != "" {
		return req.App.DisplayName
	}
	return req.App.ID
}

// session reads the cookie of this host as a use of the session.
func (l *Login) session(ctx context.Context, req *exchange.Request) (session.Result, *exchange.Denial) {
	cookie, err := req.Taken.Session()
	if err != nil {
		return session.Result{}, twoCookies()
	}
	return l.sessions.Authenticate(ctx, req.Site, req.App, req.Host, cookie, req.ClientIP, req.Now), nil
}

// peek reads it without that.
func (l *Login) peek(ctx context.Context, req *exchange.Request) (session.Result, *exchange.Denial) {
	cookie, err := req.Taken.Session()
	if err != nil {
		return session.Result{}, twoCookies()
	}
	return l.sessions.Peek(ctx, req.Site, req.App, req.Host, cookie, req.Now), nil
}

func twoCookies() *exchange.Denial {
	return exchange.Refuse(policy.RequestTwoCredentials, "A cookie of ours is there twice.")
}
