package login

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/page"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// statePrefix is how much of the state names the cookie of a flow.
const statePrefix = 8

// signIn is the auth host's first page: straight on for who is signed in, else to the provider, or to choose one.
func (l *Login) signIn(ctx context.Context, req *exchange.Request) (*exchange.Reply, *exchange.Denial) {
	if denial := l.canSignIn(req.Site, policy.IdentityNone); denial != nil {
		return nil, denial
	}
	query, ok := parameters(req)
	sealed, once := one(query, "start")
	chosen, once2 := one(query, "idp")
	if !ok || !once || !once2 {
		return l.startAgain(req, "the parameters are malformed"), nil
	}
	start, app, why := l.started(req, sealed)
	if why != "" {
		return l.startAgain(req, why), nil
	}

	if _, _, known := lists(req.Site, start.Need); !known {
		return l.startAgain(req, "what a rule needed of the sign-in is not known here, or not any more"), nil
	}

	now, denial := l.peek(ctx, req)
	if denial != nil {
		return nil, denial
	}
	if now.State == session.Live && !start.OtherAccount && suffices(now.Times(req.Site, nil), req.Site, app, req.Now) &&
		answers(req.Site, start.Need, now.Known().Person, req.Now) {
		used, denial := l.session(ctx, req) // going on is a use, being asked to sign in is none
		if denial != nil {
			return nil, denial
		}
		if used.State == session.Live {
			reply, err := l.forward(req, app, start, used.Known())
			if err != nil {
				return nil, exchange.Unavailable(policy.UnavailableKey, 0, err)
			}
			if used.SetCookie != nil {
				reply.Cookies = append(reply.Cookies, used.SetCookie)
			}
			reply.Caller = used.Caller
			return reply, nil
		}
	}

	ways := enabled(req.Site)
	before := slices.IndexFunc(ways, func(p *snapshot.IdentityProvider) bool { return p.UID == start.GetNeed().GetIdpUid() })
	var idp *snapshot.IdentityProvider
	switch {
	case before >= 0 && !start.OtherAccount:
		idp = ways[before]
	case len(ways) == 1:
		idp = ways[0]
	case chosen != "":
		i := slices.IndexFunc(ways, func(p *snapshot.IdentityProvider) bool { return p.ID == chosen })
		if i < 0 {
			return l.startAgain(req, "the provider that was chosen is not there"), nil
		}
		idp = ways[i]
	default:
		return l.choose(req, app, sealed, ways), nil
	}
	return l.depart(ctx, req, idp, start)
}

// started opens what an app's host sealed; nothing sealed means the auth host itself.
func (l *Login) started(req *exchange.Request, sealed string) (start *edgev1.SignInStart, app *snapshot.App, why string) {
	start = &edgev1.SignInStart{Host: req.Host, ReturnPath: "/", ExpireMs: req.Now.Add(attemptLife).UnixMilli()}
	if sealed == "" {
		return start, nil, ""
	}
	start.Reset()
	if !open(req.Site, forStart, sealed, start) {
		return nil, nil, "its start does not open"
	}
	if expired(start.ExpireMs, req.Now) {
		return nil, nil, "its start is too old"
	}
	app, ok := destination(req.Site, start)
	if !ok {
		return nil, nil, "where it began is no host of the tenant any more"
	}
	return start, app, ""
}

// destination is the app that an attempt began at: still there, still at that host.
func destination(site *snapshot.Site, start *edgev1.SignInStart) (*snapshot.App, bool) {
	if start.AppUid == "" {
		return nil, start.Host == site.AuthHost
	}
	app := site.AppByUID(start.AppUid)
	return app, app != nil && slices.Contains(app.Hosts, start.Host)
}

// suffices says whether a session of the auth host may be carried to an app. Where the app is stricter than the tenant,
// being signed in elsewhere is not enough: the sign-in itself must be as recent as the app wants.
func suffices(t session.Times, site *snapshot.Site, app *snapshot.App, now time.Time) bool {
	if app == nil {
		return true
	}
	age, limits := now.Sub(t.Began), app.Limits(site)
	return (limits.Absolute >= site.Session.Absolute || age < limits.Absolute) && (limits.Idle >= site.Session.Idle || age < limits.Idle)
}

func (l *Login) choose(req *exchange.Request, app *snapshot.App, sealed string, ways []*snapshot.IdentityProvider) *exchange.Reply {
	c := page.Chooser{TenantName: req.Site.DisplayName}
	if app != nil {
		c.AppName = app.DisplayName
	}
	for _, p := range ways {
		name := p.DisplayName
		if name == "" {
			name = p.ID
		}
		query := url.Values{"idp": {p.ID}}
		if sealed != "" {
			query.Set("start", sealed)
		}
		c.Providers = append(c.Providers, page.Provider{Name: name, URL: pathSignIn + "?" + query.Encode()})
	}
	return html(http.StatusOK, c.HTML())
}

// depart sends the browser to the provider, and seals into a cookie of it what must come back.
func (l *Login) depart(ctx context.Context, req *exchange.Request, idp *snapshot.IdentityProvider, start *edgev1.SignInStart) (*exchange.Reply, *exchange.Denial) {
	p := l.providers.of(req.Site, idp)
	leave, err := p.enter(ctx)
	if err != nil {
		return l.providerDown(req, idp, start, err), nil
	}
	m, err := p.discovered(ctx)
	leave()
	if err != nil {
		return l.providerDown(req, idp, start, err), nil
	}
	state, nonce, verifier := random(), random(), random()
	flow := &edgev1.SignInFlow{
		IdpUid: idp.UID, Issuer: idp.Issuer, StateHash: hash(state), Nonce: nonce, Verifier: verifier, Start: start,
		MaxAgeS: maxAge(idp), ExpireMs: req.Now.Add(attemptLife).UnixMilli(),
	}
	value, err := seal(req.Site, forOIDC, flow)
	if err == nil && len(value) > maxFlowCookie {
		start.ReturnPath = "/" // better the front page than a cookie that no browser keeps
		value, err = seal(req.Site, forOIDC, flow)
	}
	if err != nil {
		return nil, exchange.Unavailable(policy.UnavailableKey, 0, err)
	}
	reply := redirect(m.authorize(idp, req, start, flow, state))
	reply.Cookies = append(tooManyFlows(req), keep(header.OIDCPrefix+state[:statePrefix], value, attemptLife))
	return reply, nil
}

// notTheirs are parameters that an admin's extra ones must not bring in: they would change what is asked, and by whom.
var notTheirs = []string{"response_mode", "request", "request_uri", "id_token_hint"}

// authorize is the address of the authorization endpoint. Ours win over the admin's.
func (m *metadata) authorize(idp *snapshot.IdentityProvider, req *exchange.Request, start *edgev1.SignInStart, flow *edgev1.SignInFlow, state string) string {
	u, err := url.Parse(m.endpoint.AuthURL) // checked when it was discovered
	if err != nil {
		return ""
	}
	q := u.Query()
	for _, name := range slices.Sorted(maps.Keys(idp.AuthorizeParameters)) {
		if !slices.Contains(notTheirs, name) {
			q.Set(name, idp.AuthorizeParameters[name])
		}
	}
	challenge := base64URL(hash(flow.Verifier))
	for name, value := range map[string]string{
		"response_type": "code", "client_id": idp.ClientID, "redirect_uri": redirectURI(req), "scope": scope(idp.Scopes),
		"state": state, "nonce": flow.Nonce, "code_challenge": challenge, "code_challenge_method": "S256",
	} {
		q.Set(name, value)
	}
	ask(q, req.Site, start.Need, maxAge(idp))
	if start.OtherAccount {
		q.Set("prompt", m.selectAccount)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// redirectURI is built from configuration: the request's own words say nothing.
func redirectURI(req *exchange.Request) string {
	return exchange.Origin(req.Site.AuthHost, req.PublicPort) + pathOIDCCallback
}

func maxAge(idp *snapshot.IdentityProvider) int64 {
	seconds, err := strconv.ParseInt(idp.AuthorizeParameters["max_age"], 10, 32)
	if err != nil || seconds <= 0 {
		return 0
	}
	return seconds
}

// whence is the page that an attempt began with, so that trying again leads to what was asked for.
func whence(req *exchange.Request, start *edgev1.SignInStart) string {
	app, there := destination(req.Site, start)
	if !there || app == nil {
		return "/"
	}
	return exchange.Origin(start.Host, req.PublicPort) + returnPath(start.ReturnPath, app.Paths)
}

// providerDown is a page that names who is down: it is not us, and signing in again at once does not help.
func (l *Login) providerDown(req *exchange.Request, idp *snapshot.IdentityProvider, start *edgev1.SignInStart, err error) *exchange.Reply {
	l.cfg.Log.Warn("an identity provider cannot be used", "tenant", req.Site.TenantUID, "idp", idp.ID, "decision_id", req.DecisionID(), "err", err)
	name := idp.DisplayName
	if name == "" {
		name = idp.ID
	}
	status, detail := http.StatusServiceUnavailable, name+" cannot be reached right now. Whoever is signed in already is not affected."
	if !errors.Is(err, errProvider) {
		status, detail = http.StatusBadGateway, name+" gave an answer that cannot be accepted."
	}
	reply := l.problem(req, status, policy.UnavailableIDP, page.Denied{
		Title: "Signing in is not possible right now", Detail: detail,
		Remediation: "Try again in a moment. If it lasts, tell an administrator the decision id.", StartAgain: whence(req, start), RetryAfter: failurePause,
	})
	reply.Header.Set("Retry-After", strconv.Itoa(int(failurePause/time.Second)))
	return reply
}
