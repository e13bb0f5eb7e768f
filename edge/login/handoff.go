package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"strconv"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// forward sends a signed-in browser to where it began. The Session travels sealed, because the app's host may be answered
// by an edge of another region.
func (l *Login) forward(req *exchange.Request, app *snapshot.App, start *edgev1.SignInStart, k session.Known) (*exchange.Reply, error) {
	origin := exchange.Origin(start.Host, req.PublicPort)
	if app == nil {
		return redirect(origin + returnPath(start.ReturnPath, pathOptions(req))), nil
	}
	start.Need = nil // it is answered; what it was for is decided again where it came from
	h := &edgev1.HandOff{
		Jti: make([]byte, 16), Start: start, Session: session.Portable(req.Site, k.Person), AliveAtMs: k.AliveAt.UnixMilli(),
		ExpireMs: req.Now.Add(handOffLife).UnixMilli(),
	}
	rand.Read(h.Jti)
	code, err := seal(req.Site, forHandOff, h)
	if err != nil {
		return nil, err
	}
	return redirect(origin + pathCallback + "?code=" + code), nil
}

// arrive makes the host session at the app's host, if this is the browser that began there.
func (l *Login) arrive(ctx context.Context, req *exchange.Request) (*exchange.Reply, *exchange.Denial) {
	if req.Site.Keys.Login == nil || req.Site.Keys.Ticket == nil {
		return nil, exchange.Unavailable(policy.UnavailableKey, 0, nil)
	}
	query, ok := parameters(req)
	code, once := one(query, "code")
	h := &edgev1.HandOff{}
	switch {
	case !ok || !once || !open(req.Site, forHandOff, code, h) || h.Start == nil || h.Session == nil:
		return l.startAgain(req, "the code does not open"), nil
	case h.Start.Host != req.Host || h.Start.AppUid != req.App.UID:
		return l.startAgain(req, "the code is for another host"), nil
	}
	name := header.StartPrefix + h.Start.Attempt
	back := redirect(req.Origin() + returnPath(h.Start.ReturnPath, req.App.Paths))
	now, denial := l.peek(ctx, req)
	if denial != nil {
		return nil, denial
	}
	browser, err := req.Taken.Cookie(name)
	mine := err == nil && browser != "" && subtle.ConstantTimeCompare(hash(browser), h.Start.BrowserHash) == 1
	if have := now.Known().Person; have != nil && string(have.Sid) == string(h.Session.Sid) && have.RaisedMs >= h.Session.RaisedMs {
		// Another tab was first. Nothing new is made, so nothing has to be proven.
		if mine {
			back.Cookies = append(back.Cookies, drop(name))
		}
		back.Caller = now.Caller
		return back, nil
	}
	switch {
	case !mine:
		return l.startAgain(req, "the browser has no cookie of this attempt"), nil
	case expired(h.ExpireMs, req.Now):
		return l.startAgain(req, "the code is too old"), nil
	}
	return l.settle(ctx, req, h, now, back)
}

func (l *Login) settle(ctx context.Context, req *exchange.Request, h *edgev1.HandOff, before session.Result, back *exchange.Reply) (*exchange.Reply, *exchange.Denial) {
	back.Cookies = append(back.Cookies, drop(header.StartPrefix+h.Start.Attempt), keep(roundName, strconv.Itoa(int(h.Start.Round)+1), roundLife))
	begun, err := l.sessions.Attach(ctx, req.Site, req.App, req.Host, session.Known{Person: h.Session, AliveAt: time.UnixMilli(h.AliveAtMs)}, req.Now)
	if errors.Is(err, session.ErrEnded) {
		// It ended on its way here, by another tab or an administrator. The way back begins anew; rounds bound it.
		return back, nil
	}
	if err != nil {
		return nil, cannotTell(err)
	}
	// Spent last, so that whoever could not be answered may ask again. What was made for a second use nobody ever gets.
	if !l.sessions.FirstUse(ctx, req.Site.TenantUID, base64URL(h.Jti), handOffOnce) {
		return l.startAgain(req, "the code was used before"), nil
	}
	if before.State == session.Live {
		l.sessions.Replace(ctx, req.Site, before, session.OfThisHost, req.ClientIP, req.Now)
	}
	back.Cookies = append(back.Cookies, begun.Cookie)
	back.Caller = begun.Caller
	return back, nil
}

// cannotTell is for a session that could not be made, though nothing speaks against it.
func cannotTell(err error) *exchange.Denial {
	if unknown, ok := errors.AsType[*session.UnavailableError](err); ok {
		return exchange.Unavailable(unknown.Reason, failurePause, err)
	}
	return exchange.Unavailable(policy.UnavailableKey, 0, err)
}
