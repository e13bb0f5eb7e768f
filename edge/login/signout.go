package login

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/page"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/session"
)

const maxForm = 8 << 10

// signOut asks (GET), and does (POST). No GET changes anything: an image on somebody's page must not sign people out.
func (l *Login) signOut(ctx context.Context, req *exchange.Request) (*exchange.Reply, *exchange.Denial) {
	switch req.Method {
	case http.MethodGet:
		now, denial := l.peek(ctx, req)
		if denial != nil {
			return nil, denial
		}
		ask := page.SignOut{TenantName: req.Site.DisplayName, AppName: appName(req)}
		if now.Caller != nil {
			ask.Principal = displayName(now)
		}
		reply := html(http.StatusOK, ask.HTML())
		reply.Caller = now.Caller
		return reply, nil
	case http.MethodPost:
		return l.doSignOut(ctx, req)
	}
	return nil, exchange.Refuse(policy.RequestMethod, "")
}

func (l *Login) doSignOut(ctx context.Context, req *exchange.Request) (*exchange.Reply, *exchange.Denial) {
	if denial := sameOrigin(req); denial != nil {
		return nil, denial
	}
	form, ok := readForm(req)
	if !ok {
		return nil, exchange.Refuse(policy.RequestMalformedHeader, "The form is malformed.")
	}
	scope := session.OfEverything
	if form.Get("scope") == "app" && req.App != nil {
		scope = session.OfThisHost
	}
	now, denial := l.peek(ctx, req)
	if denial != nil {
		return nil, denial
	}
	said := page.SignedOut{TenantName: req.Site.DisplayName, AppName: appName(req), Everything: scope == session.OfEverything}
	switch {
	case now.Endable():
		// Also what this app does not accept any more: its idle limit may be the shorter one, and the Session lives on.
		said.Everywhere = l.sessions.End(ctx, req.Site, now, scope, req.ClientIP, req.Now)
	case now.State == session.Live || now.State == session.Unavailable:
		return nil, exchange.Unavailable(now.Reason, failurePause, now.Err)
	default:
		said.Nobody = true
	}
	cookies := []*http.Cookie{session.Forget(), drop(roundName)}
	if form.Get("then") == "sign-in" && l.canSignIn(req.Site, policy.IdentityNone) == nil {
		link, more, err := l.attempt(req, returnPath(form.Get("return"), pathOptions(req)), true, nil)
		if err != nil {
			return nil, exchange.Unavailable(policy.UnavailableKey, 0, err)
		}
		said.Continue, cookies = link, append(cookies, more...)
	}
	reply := html(http.StatusOK, said.HTML())
	if said.Continue != "" {
		// Not a redirect: a form may only lead to its own origin (form-action), and browsers hold redirects to that.
		reply.Header.Set("Refresh", "0; url="+said.Continue)
	}
	reply.Cookies, reply.Caller = cookies, now.Caller
	return reply, nil
}

// sameOrigin lets through what a page of this very origin sent. A host of the same site is not enough (SameSite does not
// tell them apart), and neither is a request that does not say where it comes from.
func sameOrigin(req *exchange.Request) *exchange.Denial {
	u, err := url.Parse(req.Origin())
	if err != nil {
		return exchange.Refuse(policy.RequestBadHost, "")
	}
	probe := &http.Request{Method: req.Method, Host: u.Host, Header: req.Header, URL: &url.URL{Path: req.Path.Match}}
	origin := req.Header["Origin"]
	if len(origin) == 1 && origin[0] == req.Origin() && http.NewCrossOriginProtection().Check(probe) == nil {
		return nil
	}
	denial := exchange.Refuse(policy.RequestMalformedHeader, "This form was not sent by a page of this site.")
	denial.Status = http.StatusForbidden
	return denial
}

// readForm wants each field at most once.
func readForm(req *exchange.Request) (url.Values, bool) {
	kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || req.Body == nil {
		return nil, false
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxForm+1))
	if err != nil || len(body) > maxForm {
		return nil, false
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, false
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, false
		}
	}
	return form, true
}

func displayName(r session.Result) string {
	for _, name := range []string{r.Caller.Email, r.Caller.Name} {
		if name != "" {
			return name
		}
	}
	return r.Caller.Subject
}
