package login

import (
	"context"
	"net/http"
	"slices"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/page"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Begin sends a person to sign in, and remembers in their browser where they wanted to go. reason is why they are nobody.
func (l *Login) Begin(ctx context.Context, req *exchange.Request, reason policy.Reason) (*exchange.Reply, *exchange.Denial) {
	return l.begin(req, reason, returnPath(req.Path.Target(), pathOptions(req)), nil)
}

// signInHere is the link "sign in" on an app's host. One parameter is a path of this host; the other is for somebody who is
// signed in, and has to do it again in another way.
func (l *Login) signInHere(ctx context.Context, req *exchange.Request) (*exchange.Reply, *exchange.Denial) {
	query, ok := parameters(req)
	target, once := one(query, "return")
	if !ok || !once {
		target = "/"
	}
	back := returnPath(target, pathOptions(req))
	now, denial := l.peek(ctx, req)
	if denial != nil {
		return nil, denial
	}
	sealed, once := one(query, "need")
	if now.Caller == nil {
		return l.begin(req, policy.IdentityNone, back, nil)
	}
	if need := l.linked(req, sealed, now); ok && once && need != nil {
		reply, denial := l.begin(req, reasonOf(need), back, need)
		if reply != nil {
			reply.Caller = now.Caller
		}
		return reply, denial
	}
	return redirect(req.Origin() + back), nil
}

func (l *Login) begin(req *exchange.Request, reason policy.Reason, back string, need *edgev1.SignInNeed) (*exchange.Reply, *exchange.Denial) {
	if denial := l.canSignIn(req.Site, reason); denial != nil {
		if need != nil && denial.Outcome == exchange.Authenticates {
			denial.Outcome = exchange.StepsUp
		}
		return nil, denial
	}
	if round(req) > maxRounds {
		d := page.Denied{
			Title:       "Signing in does not help",
			Detail:      "You were signed in several times in a row, and each time the session was over at once.",
			Remediation: "Wait a minute and try again. If it happens again, tell an administrator the decision id.",
		}
		if need != nil {
			d.Detail = "You signed in again several times in a row, and each time it was not what this needs."
		}
		return l.problem(req, http.StatusForbidden, reason, d), nil
	}
	link, cookies, err := l.attempt(req, back, false, need)
	if err != nil {
		return nil, exchange.Unavailable(policy.UnavailableKey, 0, err)
	}
	reply := redirect(link)
	reply.Cookies, reply.Reason = cookies, reason
	return reply, nil
}

// attempt makes the link to the auth host, and the cookies that only this browser has. Nothing is stored: a stranger
// cannot fill anything.
func (l *Login) attempt(req *exchange.Request, back string, otherAccount bool, need *edgev1.SignInNeed) (link string, cookies []*http.Cookie, err error) {
	start := &edgev1.SignInStart{
		Host: req.Host, ReturnPath: back, Round: int32(round(req)), OtherAccount: otherAccount, Need: need,
		ExpireMs: req.Now.Add(attemptLife).UnixMilli(),
	}
	if req.App != nil {
		browser := random()
		start.AppUid, start.Attempt, start.BrowserHash = req.App.UID, newAttempt(req.Now), hash(browser)
		cookies = append(tooManyAttempts(req), keep(header.StartPrefix+start.Attempt, browser, attemptLife))
	}
	sealed, err := seal(req.Site, forStart, start)
	if err != nil {
		return "", nil, err
	}
	return exchange.Origin(req.Site.AuthHost, req.PublicPort) + pathSignIn + "?start=" + sealed, cookies, nil
}

// canSignIn denies where nobody can: the pool has no login keys, or the tenant no provider.
func (l *Login) canSignIn(site *snapshot.Site, reason policy.Reason) *exchange.Denial {
	if site.AuthHost == "" || !site.Pool.Login || len(enabled(site)) == 0 {
		return exchange.Authenticate(reason)
	}
	if site.Keys.Login == nil || site.Keys.Ticket == nil {
		return exchange.Unavailable(policy.UnavailableKey, 0, nil)
	}
	return nil
}

func enabled(site *snapshot.Site) []*snapshot.IdentityProvider {
	return slices.DeleteFunc(slices.Clone(site.Providers), func(p *snapshot.IdentityProvider) bool { return p.Disabled })
}
