package identity

import (
	"context"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/session"
)

// session reads a session cookie. A session that is over makes a stranger, whatever ended it: a page that is for anyone
// stays for anyone, and everywhere else the answer is to sign in.
func (a *Authenticator) session(ctx context.Context, q Asked, cookie string) Answer {
	r := a.Sessions.Authenticate(ctx, q.Site, q.App, q.Host, cookie, q.ClientIP, q.Now)
	switch r.State {
	case session.Live:
		return Answer{Caller: r.Caller, SetCookie: r.SetCookie}
	case session.Unavailable:
		return Answer{Reason: r.Reason, Unknown: exchange.Unavailable(r.Reason, storeRetry, r.Err)}
	default:
		return Answer{Reason: r.Reason}
	}
}

// storeRetry is when to come back while the session store is down.
const storeRetry = 2 * time.Second
