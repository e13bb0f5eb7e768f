package edge

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport-iap/sallyport/edge/assertion"
	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	"github.com/sallyport-iap/sallyport/edge/stream"
	"github.com/sallyport-iap/sallyport/edge/upstream"
)

// introduce writes what only we may say about the request.
func (x *transaction) introduce() *exchange.Denial {
	told := header.Upstream{ClientIP: x.ClientIP, Host: x.publicHost(), Proto: "https"}
	if c := x.caller; c != nil {
		groups := assertion.Groups(x.Site, x.App, c)
		token, err := x.Minter.Assertion(x.Site, x.App, c, groups, x.Now)
		if err != nil {
			return exchange.Unavailable(policy.UnavailableKey, retryPolicy, err)
		}
		told.Assertion = token
		if slices.Contains(x.App.IdentityHeaders, "user") {
			told.User = c.Subject
		}
		// Upstreams take an address for an identity, so only one that the provider verified is told.
		if slices.Contains(x.App.IdentityHeaders, "email") && c.Identity.EmailVerified {
			told.Email = c.Email
		}
		if slices.Contains(x.App.IdentityHeaders, "groups") {
			told.Groups = groups
		}
	}
	header.Set(x.Header, told)
	x.Header["X-Request-Id"] = []string{x.event.Request.Id}
	return nil
}

// publicHost is the host as clients write it.
func (x *transaction) publicHost() string {
	if x.PublicPort == 443 {
		return x.Host
	}
	return x.Host + ":" + strconv.Itoa(x.PublicPort)
}

func (x *transaction) forward() *exchange.Denial {
	ctx, cancel := context.WithCancelCause(x.r.Context())
	defer cancel(context.Canceled)
	x.judged(exchange.Allowed, x.decision.Reason)
	x.event.Response.By = "upstream"
	x.open(cancel)
	if reason := x.overtaken(); reason != "" {
		return exchange.Deny(reason)
	}
	x.forwarded = x.Handler.Now()
	x.Forward.Forward(x.w, x.r.WithContext(ctx), upstream.Call{
		TenantUID: x.Site.TenantUID, Pool: x.Site.Pool, Route: x.route, Path: x.Path, Host: x.publicHost(), Header: x.Header,
		Body: x.body, GRPC: x.Client == exchange.GRPC, WebSocket: x.WebSocket,
		Private:   x.caller != nil || x.decision.Reason != policy.AllowPublic,
		SetCookie: x.setCookie, Upgraded: x.entry.Upgraded,
	}, &x.forwarding)
	// From here on nobody else looks at the record.
	x.Streams.Close(x.entry)
	x.entry = nil
	if d := x.forwarding.Denial; d != nil {
		return d
	}
	x.answered = true
	return nil
}

// overtaken judges again what changed after the decision and before the request could be found by whoever made the change.
func (x *transaction) overtaken() policy.Reason {
	if x.Table() != x.table {
		reason, _ := x.judge(x.Now)
		return reason
	}
	if alive, _ := x.Identity.Alive(x.Site, x.App, x.caller, x.Now); !alive {
		return policy.CutRevoked
	}
	return ""
}

// open registers the request with those that are judged again while they last.
func (x *transaction) open(cancel context.CancelCauseFunc) {
	e := &stream.Entry{
		TenantUID: x.Site.TenantUID,
		Judge:     x.judge,
		Lasting:   x.record,
		Cut: func(reason policy.Reason) {
			x.cut = reason
			cancel(&upstream.Cut{Reason: reason})
			if !x.WebSocket {
				x.w.Abandon()
			}
		},
	}
	if x.caller != nil {
		e.SessionID = x.caller.SessionID
	}
	x.entry = e
	x.Streams.Open(e, x.until(x.decision, x.Now))
}

// reviewEvery is how often an open request is judged although nothing is known to have changed: what is idle, or stale,
// becomes so by itself.
const reviewEvery = 10 * time.Second

func (x *transaction) until(d policy.Decision, now time.Time) time.Time {
	until := now.Add(reviewEvery)
	if !d.ValidUntil.IsZero() && d.ValidUntil.Before(until) {
		until = d.ValidUntil
	}
	if c := x.caller; c != nil && c.ExpireTime.After(now) && c.ExpireTime.Before(until) {
		until = c.ExpireTime
	}
	return until
}

// judge decides an open request again, on what the edge knows now.
func (x *transaction) judge(now time.Time) (policy.Reason, time.Time) {
	site, app, ok := x.Table().Host(x.Host)
	if !ok || app == nil || site.TenantUID != x.Site.TenantUID || app.UID != x.App.UID || site.Disabled || site.Age(now) > app.MaxStaleness {
		return policy.CutPolicy, time.Time{}
	}
	if alive, reason := x.Identity.Alive(site, app, x.caller, now); !alive {
		if reason == policy.IdentityExpired {
			return policy.CutExpired, time.Time{}
		}
		return policy.CutRevoked, time.Time{}
	}
	operation := ""
	if app.Table != nil {
		operation, _ = app.Table.Operation(x.Host, x.Verb(), x.Path)
	}
	d := decision(site, app, x.Question(operation, x.caller.Principal(site), now))
	if d.Outcome != policy.Allow && !(x.preflight && d.Outcome == policy.Authenticate) {
		return policy.CutPolicy, time.Time{}
	}
	return "", x.until(d, now)
}

// decision asks the one evaluator. What closes a whole site closes its apps.
func decision(site *snapshot.Site, app *snapshot.App, r *policy.Request) policy.Decision {
	if site.Closed || app.Closed {
		return policy.Decision{Outcome: policy.Deny, Reason: policy.DenyAppClosed}
	}
	return site.Program.Decide(app.ID, r)
}
