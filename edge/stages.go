package edge

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/facts"
	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/identity"
	"github.com/sallyport-iap/sallyport/edge/listener"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
)

// retryPolicy is when to come back to an edge that waits for its first snapshot.
const retryPolicy = 2 * time.Second

// ownBody is how much of a body our own pages read.
const ownBody = 64 << 10

func (x *transaction) receive() *exchange.Denial {
	if d := listener.Check(listener.LineOf(x.r)); d != nil {
		return d
	}
	host, err := route.Host(x.r.Host, x.PublicPort)
	if err != nil {
		return malformed(err)
	}
	x.Host = host
	return nil
}

// locate finds the tenant. A host that is not of the connection's tenant gets one answer, whether somebody else has it or
// nobody: who has what is nobody's business.
func (x *transaction) locate() *exchange.Denial {
	if x.connected == nil && !x.table.Complete() {
		// Whose this is, nobody can tell yet.
		return exchange.Unavailable(policy.UnavailableNoPolicy, retryPolicy, nil)
	}
	site, app, ok := x.table.Host(x.Host)
	if !ok || site != x.connected || !x.SameCertificate(x.serverName, x.Host) {
		return exchange.Refuse(policy.RouteMisdirected, "")
	}
	x.Site, x.App = site, app
	if site.Disabled {
		return exchange.Deny(policy.DenyAppDisabled)
	}
	return nil
}

func (x *transaction) strip() *exchange.Denial {
	webSocket, err := header.Upgrade(x.Method, x.Header)
	if err != nil {
		return malformed(err)
	}
	o := header.Options{WebSocket: webSocket}
	if x.App != nil {
		o.AllowNames = x.App.AllowedHeaders
	}
	if x.Taken, err = header.Strip(x.Header, o); err != nil {
		return malformed(err)
	}
	x.Header.Del("Expect") // it is met here, before the upstream is asked
	x.WebSocket = webSocket
	x.ClientIP = facts.ClientIP(x.Peer, x.Taken.ForwardedFor, x.Site.Pool.TrustedProxies)
	x.Country = x.Countries.Of(x.ClientIP)
	return nil
}

func (x *transaction) canonicalise() *exchange.Denial {
	var o route.Options
	if x.App != nil {
		o = x.App.Paths
	}
	var err error
	if x.Path, err = route.Canonical(x.r.RequestURI, o); err != nil {
		return malformed(err)
	}
	if x.App == nil || x.App.Table == nil || route.Reserved(x.Path) {
		return nil
	}
	x.operation, _ = x.App.Table.Operation(x.Host, x.Verb(), x.Path)
	if i, ok := x.App.Table.Route(x.Path); ok {
		x.route = &x.App.Routes[i]
	}
	return nil
}

// malformed is what a leaf said of a request that can be read two ways.
func malformed(err error) *exchange.Denial {
	var path *route.Refusal
	var head *header.Refusal
	d := exchange.Refuse(policy.RequestMalformedTarget, "")
	switch {
	case errors.As(err, &path):
		d = exchange.Refuse(policy.Reason(path.Reason), path.Detail)
	case errors.As(err, &head):
		d = exchange.Refuse(policy.Reason(head.Reason), head.Detail)
		if head.Reason == header.ReasonTooLarge {
			d.Status = http.StatusRequestHeaderFieldsTooLarge
		}
	}
	d.Close = true
	return d
}

// ours answers what is for us: the auth host, and the reserved paths of every app's. No policy of the app's bears on them.
func (x *transaction) ours() *exchange.Denial {
	if x.App != nil && !route.Reserved(x.Path) {
		return nil
	}
	x.Body = http.NoBody
	if x.body != nil {
		x.Body = io.LimitReader(x.body, ownBody)
	}
	reply, denial := x.ownAnswer()
	if denial != nil {
		return denial
	}
	x.say(reply)
	return nil
}

func (x *transaction) ownAnswer() (*exchange.Reply, *exchange.Denial) {
	switch {
	case x.App == nil:
		return x.Login.Auth(x.r.Context(), &x.Request)
	case x.Path.Match == keySetPath || x.Path.Match == metadataPath:
		return x.document()
	default:
		return x.Login.App(x.r.Context(), &x.Request)
	}
}

// fresh closes an app whose policy or revocations are older than it accepts. How old is too old is the app's to say.
func (x *transaction) fresh() *exchange.Denial {
	age := x.Site.Age(x.Now)
	x.event.Decision.PolicyAgeMs = age.Milliseconds()
	if age > x.App.MaxStaleness {
		return exchange.Unavailable(policy.UnavailablePolicyTooOld, retryPolicy, nil)
	}
	return nil
}

func (x *transaction) identify() *exchange.Denial {
	x.preflight = x.isPreflight()
	answer, denial := x.Identity.Identify(x.r.Context(), identity.Asked{
		Site: x.Site, App: x.App, Host: x.Host, Taken: x.Taken, ClientIP: x.ClientIP, Now: x.Now,
	})
	if denial != nil {
		return denial
	}
	x.caller, x.stranger, x.unknown, x.setCookie = answer.Caller, answer.Reason, answer.Unknown, answer.SetCookie
	if answer.OwnAuthorization || x.App.StripAuthorization {
		x.Header.Del("Authorization")
	}
	return nil
}

// isPreflight recognises a CORS preflight as browsers send it: it has nothing that identifies anybody, so it is forwarded
// without identity where the app wants that. Anything else that calls itself OPTIONS is decided like every request.
func (x *transaction) isPreflight() bool {
	t := x.Taken
	return x.App.CORSPreflight && x.Method == http.MethodOptions && x.body == nil && len(x.Header["Cookie"]) == 0 &&
		len(x.Header["Origin"]) == 1 && x.Header.Get("Origin") != "" && x.Header.Get("Access-Control-Request-Method") != "" &&
		len(t.Cookies)+len(t.Authorization)+len(t.ProxyAuthorization)+len(t.Token) == 0
}

func (x *transaction) decide() *exchange.Denial {
	began := time.Now()
	question := x.Question(x.operation, x.caller.Principal(x.Site), x.Now)
	x.decision = decision(x.Site, x.App, question)
	x.event.Timing.Decision = micros(time.Since(began))
	x.decided(question)
	if x.preflight && x.decision.Outcome == policy.Authenticate {
		x.decision.Outcome, x.decision.Reason = policy.Allow, policy.AllowPublic
	}
	switch {
	case x.decision.Outcome == policy.Allow:
		return x.admissible()
	case x.unknown != nil:
		// A stranger may not, and whether this is one cannot be told.
		return x.unknown
	case x.decision.Outcome == policy.Authenticate:
		reason := x.decision.Reason
		if x.stranger != "" {
			reason = x.stranger
		}
		return exchange.Authenticate(reason)
	}
	d := exchange.Deny(x.decision.Reason)
	if x.decision.Outcome == policy.StepUp {
		d = exchange.StepUp(x.decision.Reason, x.decision.StepUp)
	}
	d.Remediation = x.decision.Remediation
	return d
}

// admissible refuses what an allowed request may not be: without a route, or a WebSocket from where none may come.
func (x *transaction) admissible() *exchange.Denial {
	switch {
	case x.route == nil:
		return exchange.Refuse(policy.RouteNone, "")
	case x.WebSocket && !x.route.WebSocket:
		return exchange.Refuse(policy.RequestUpgrade, "The app takes no WebSocket here.")
	case x.WebSocket && !x.ownOrigin():
		d := exchange.Refuse(policy.RequestUpgrade, "A WebSocket may not be opened from that origin.")
		d.Status = http.StatusForbidden
		return d
	default:
		return nil
	}
}

// ownOrigin keeps pages of other sites from opening a socket with the cookies of whoever looks at them. A program that
// carries a token of its own sends no Origin, and no browser was tricked into it.
func (x *transaction) ownOrigin() bool {
	origin := x.Header["Origin"]
	if len(origin) == 0 {
		return x.caller == nil || x.caller.Credential != exchange.CredentialSession
	}
	return len(origin) == 1 && (origin[0] == x.Origin() || slices.Contains(x.App.WebSocketOrigins, origin[0]))
}
