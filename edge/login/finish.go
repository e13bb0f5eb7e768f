package login

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/page"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// finish is where the provider sends the browser back to. The order of the checks matters: nothing of the request is
// believed before the browser has shown that it began this, and nothing is spent before all else holds.
func (l *Login) finish(ctx context.Context, req *exchange.Request) (*exchange.Reply, *exchange.Denial) {
	query, ok := parameters(req)
	state, once := one(query, "state")
	if !ok || !once || len(state) != 43 || !plain(state) {
		return l.startAgain(req, "the state is malformed"), nil
	}
	cookie := header.OIDCPrefix + state[:statePrefix]
	reply, denial := l.finishFlow(ctx, req, query, state, cookie)
	if reply != nil {
		reply.Cookies = append(reply.Cookies, drop(cookie)) // whatever the answer
	}
	return reply, denial
}

func (l *Login) finishFlow(ctx context.Context, req *exchange.Request, query url.Values, state, cookie string) (*exchange.Reply, *exchange.Denial) {
	if req.Site.Keys.Login == nil || req.Site.Keys.Ticket == nil {
		return nil, exchange.Unavailable(policy.UnavailableKey, 0, nil)
	}
	sealed, err := req.Taken.Cookie(cookie)
	flow := &edgev1.SignInFlow{}
	switch {
	case err != nil || sealed == "":
		return l.startAgain(req, "the browser has no cookie of this sign-in"), nil
	case !open(req.Site, forOIDC, sealed, flow) || flow.Start == nil:
		return l.startAgain(req, "the cookie of this sign-in does not open"), nil
	case subtle.ConstantTimeCompare(hash(state), flow.StateHash) != 1:
		return l.startAgain(req, "the state is of another sign-in"), nil
	case expired(flow.ExpireMs, req.Now):
		return l.startAgain(req, "the sign-in took too long"), nil
	}

	idp := req.Site.Provider(flow.IdpUid)
	if idp == nil || idp.Disabled || idp.Issuer != flow.Issuer {
		return l.startAgain(req, "the provider was changed, disabled or deleted meanwhile"), nil
	}
	p := l.providers.of(req.Site, idp)
	leave, err := p.enter(ctx)
	if err != nil {
		return l.providerDown(req, idp, flow.Start, err), nil
	}
	defer leave()
	m, err := p.discovered(ctx)
	if err != nil {
		return l.providerDown(req, idp, flow.Start, err), nil
	}
	// RFC 9207: an answer that another provider gave must not be taken to this one.
	issuer, once := one(query, "iss")
	if !once || issuer == "" && (m.issParameter || query.Has("iss")) || issuer != "" && issuer != idp.Issuer {
		return l.startAgain(req, "the answer is of another issuer"), nil
	}
	code, once := one(query, "code")
	if query.Has("error") {
		failure, _ := one(query, "error")
		return l.refusedThere(req, idp, flow.Start, known(failure)), nil
	}
	if !once || code == "" {
		return l.startAgain(req, "there is no code"), nil
	}
	if !l.sessions.FirstUse(ctx, req.Site.TenantUID, base64URL(hash(state)), attemptLife) {
		return l.startAgain(req, "the state was used before"), nil
	}

	who, err := p.identify(ctx, m, idp, expected{
		code: code, redirectURI: redirectURI(req), verifier: flow.Verifier, nonce: flow.Nonce, maxAge: time.Duration(flow.MaxAgeS) * time.Second,
	}, req.Now)
	var bad *badAnswer
	switch {
	case errors.As(err, &bad):
		return l.notBelieved(req, idp, flow.Start, bad), nil
	case err != nil:
		return l.providerDown(req, idp, flow.Start, err), nil
	}
	if reason := allowed(idp, who); reason != "" {
		return l.notWelcome(req, flow.Start, reason), nil
	}
	return l.welcome(ctx, req, flow.Start, who)
}

// joinWithin is how recent a Session may be that another tab of the same browser joins instead of ending it.
const joinWithin = time.Minute

// welcome makes the Session, and ends what this browser had before, so that no id from before the sign-in is good after.
func (l *Login) welcome(ctx context.Context, req *exchange.Request, start *edgev1.SignInStart, who session.Person) (*exchange.Reply, *exchange.Denial) {
	before, denial := l.peek(ctx, req)
	if denial != nil {
		return nil, denial
	}
	app, there := destination(req.Site, start)
	var begun *session.Begun
	var err error
	same := before.State == session.Live && who.Is(req.Site.TenantUID, before.Known().Person)
	who.Asked = inAll(req, start.Need, who, before.Known().Person)
	switch times := before.Times(req.Site, nil); {
	case same && start.Need != nil && suffices(times, req.Site, app, req.Now):
		begun, err = l.sessions.Raise(ctx, req.Site, req.Host, before, who, req.ClientIP, req.Now)
	case same && req.Now.Sub(times.Began) < joinWithin && start.Need == nil:
		// Ten tabs that were opened at once are one sign-in of one person, not ten that end each other.
		known := before.Known()
		l.sessions.Replace(ctx, req.Site, before, session.OfThisHost, req.ClientIP, req.Now)
		begun, err = l.sessions.Attach(ctx, req.Site, nil, req.Host, known, req.Now)
	default:
		if before.State == session.Live {
			l.sessions.Replace(ctx, req.Site, before, session.OfEverything, req.ClientIP, req.Now)
		}
		begun, err = l.sessions.Begin(ctx, req.Site, req.Host, who, req.ClientIP, req.Now)
	}
	if err != nil {
		return nil, cannotTell(err)
	}

	var reply *exchange.Reply
	switch {
	case !there:
		// The app went away while its person was at the provider.
		reply = redirect(exchange.Origin(req.Site.AuthHost, req.PublicPort) + "/")
	case app != nil && expired(start.ExpireMs, req.Now):
		// The browser has dropped the attempt's cookie; starting anew at the app takes no password any more.
		reply = redirect(exchange.Origin(start.Host, req.PublicPort) + returnPath(start.ReturnPath, app.Paths))
	default:
		if reply, err = l.forward(req, app, start, begun.Known); err != nil {
			return nil, exchange.Unavailable(policy.UnavailableKey, 0, err)
		}
	}
	reply.Cookies = append(reply.Cookies, begun.Cookie)
	reply.Caller = begun.Caller
	return reply, nil
}

// refusedThere is for an error that the provider sent the browser back with. Its description is anybody's text.
func (l *Login) refusedThere(req *exchange.Request, idp *snapshot.IdentityProvider, start *edgev1.SignInStart, code string) *exchange.Reply {
	l.cfg.Log.Info("an identity provider refused a sign-in", "tenant", req.Site.TenantUID, "idp", idp.ID, "decision_id", req.DecisionID(), "error", code)
	if code == "server_error" || code == "temporarily_unavailable" {
		return l.providerDown(req, idp, start, errProvider)
	}
	detail := "The identity provider did not complete the sign-in."
	switch code {
	case "access_denied":
		detail = "The sign-in was cancelled, or the identity provider did not allow it."
	case "unmet_authentication_requirements": // OpenID Connect Core Unmet Authentication Requirements 1.0
		detail = "The identity provider cannot sign you in the way that this needs."
	case "":
	default:
		detail = "The identity provider did not complete the sign-in: it answered " + code + "."
	}
	reason, remediation := policy.IdentityNone, "Try again, or ask an administrator for access to the identity provider."
	if start.Need != nil {
		reason, remediation = reasonOf(start.Need), "Try again, and sign in the way you are asked to. If you cannot, tell an administrator the decision id."
	}
	return l.problem(req, http.StatusForbidden, reason, page.Denied{
		Title: notSignedIn(start), Detail: detail, Remediation: remediation, StartAgain: whence(req, start),
	})
}

// notSignedIn is the title of a sign-in that failed. Who wanted to step up still is who they were.
func notSignedIn(start *edgev1.SignInStart) string {
	if start.GetNeed() != nil {
		return "You have not signed in again"
	}
	return "You are not signed in"
}

// notBelieved is for an answer that proves nothing. The page says so much, the log says why.
func (l *Login) notBelieved(req *exchange.Request, idp *snapshot.IdentityProvider, start *edgev1.SignInStart, bad *badAnswer) *exchange.Reply {
	l.cfg.Log.Warn("an identity provider's answer is not accepted", "tenant", req.Site.TenantUID, "idp", idp.ID, "decision_id", req.DecisionID(), "err", bad)
	return l.problem(req, http.StatusForbidden, policy.IdentityBadToken, page.Denied{
		Title: notSignedIn(start), Detail: "The identity provider's answer could not be accepted: " + bad.public,
		Remediation: "Try again. If it happens again, tell an administrator the decision id.", StartAgain: whence(req, start),
	})
}

// notWelcome offers another account; signing in again with this one would only come back here.
func (l *Login) notWelcome(req *exchange.Request, start *edgev1.SignInStart, reason policy.Reason) *exchange.Reply {
	info, _ := reason.Info()
	d := page.Denied{Title: "You cannot sign in with this account", Detail: info.Title, Remediation: info.Remediation}
	start.OtherAccount = true
	if sealed, err := seal(req.Site, forStart, start); err == nil {
		d.OtherAccount = pathSignIn + "?start=" + sealed
	}
	return l.problem(req, http.StatusForbidden, reason, d)
}

// plain says whether a text has the form of what random makes.
func plain(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
