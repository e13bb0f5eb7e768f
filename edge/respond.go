package edge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/login"
	"github.com/sallyport-iap/sallyport/edge/page"
	"github.com/sallyport-iap/sallyport/edge/policy"
)

// refuse says a denial to the client, in the form that its kind of program understands.
func (x *transaction) refuse(d *exchange.Denial) {
	if d.Caller != nil {
		x.caller = d.Caller
	}
	x.judged(d.Outcome, d.Reason)
	if d.Err != nil {
		x.Log.Warn("a request was refused", "decision_id", x.DecisionID(), "reason", string(d.Reason), "error", d.Err.Error())
	}
	if x.w.Status != 0 {
		return
	}
	if reply, other := x.toSignIn(d); reply != nil {
		x.write(reply)
		return
	} else if other != nil {
		d = other
		x.judged(d.Outcome, d.Reason)
	}
	x.write(x.refusal(d))
}

// toSignIn sends a person's browser to sign in, if that helps and it is fetching a page. Both are nil if it is not for that.
func (x *transaction) toSignIn(d *exchange.Denial) (*exchange.Reply, *exchange.Denial) {
	if x.Client != exchange.Navigation || x.App == nil || x.Path.Match == "" {
		return nil, nil
	}
	switch d.Outcome {
	case exchange.Authenticates:
		return x.Login.Begin(x.r.Context(), &x.Request, d.Reason)
	case exchange.StepsUp:
		return x.Login.StepUp(x.r.Context(), &x.Request, d.Reason, d.StepUp)
	}
	return nil, nil
}

// say answers with a page or document of ours.
func (x *transaction) say(reply *exchange.Reply) {
	if reply.Caller != nil {
		x.caller = reply.Caller
	}
	reason := reply.Reason
	if reason == "" {
		reason = policy.AllowPublic
	}
	x.judged(exchange.Allowed, reason)
	x.write(reply)
	x.answered = true
}

// refusal puts a denial into words. To a stranger it says what happened and nothing about the app or its rules.
func (x *transaction) refusal(d *exchange.Denial) *exchange.Reply {
	status := d.StatusCode()
	reply := &exchange.Reply{Status: status, Header: http.Header{}}
	switch x.Client {
	case exchange.GRPC:
		reply = grpcRefusal(d, x.DecisionID())
	case exchange.Navigation, exchange.Browser:
		reply.Body = x.page(d).HTML()
		page.SetHeaders(reply.Header)
	default:
		reply.Body = x.problem(d)
		reply.Header.Set("Content-Type", "application/problem+json")
	}
	if status == http.StatusUnauthorized {
		reply.Header.Set("WWW-Authenticate", x.challenge(d))
	}
	if status == http.StatusMethodNotAllowed {
		reply.Header.Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	}
	if d.RetryAfter > 0 {
		reply.Header.Set("Retry-After", strconv.Itoa(int((d.RetryAfter+time.Second-1)/time.Second)))
	}
	// The rest of the request is unread. A little is read and thrown away, so that the answer is not lost in a reset;
	// more is not worth keeping the connection for.
	if d.Close || x.r.ProtoMajor == 1 && (x.r.ContentLength < 0 || x.r.ContentLength > ownBody) {
		reply.Header.Set("Connection", "close")
	}
	return reply
}

// problem is RFC 9457.
func (x *transaction) problem(d *exchange.Denial) []byte {
	p := problem{
		Type: "urn:sallyport:reason:" + string(d.Reason), Title: title(d), Status: d.StatusCode(),
		Reason: string(d.Reason), DecisionID: x.DecisionID(),
	}
	if x.known(d) {
		p.Detail, p.Principal, p.Operation, p.Remediation = x.detail(d), x.caller.Subject, x.operation, x.remediation(d)
		if x.App != nil {
			p.App = x.App.ID
		}
		if link := x.again(d); link != "" {
			p.SignIn = x.Origin() + link
		}
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic("edge: " + err.Error()) // strings and a number always encode
	}
	return append(body, '\n')
}

// known reports whether the answer goes to somebody, and not to a stranger: whoever holds a credential that is over is one,
// though the record says whose it was.
func (x *transaction) known(d *exchange.Denial) bool {
	return x.caller != nil && d.Outcome != exchange.Authenticates
}

type problem struct {
	Type        string `json:"type"`
	Title       string `json:"title"`
	Status      int    `json:"status"`
	Detail      string `json:"detail,omitempty"`
	Reason      string `json:"reason"`
	DecisionID  string `json:"decision_id"`
	App         string `json:"app,omitempty"`
	Operation   string `json:"operation,omitempty"`
	Principal   string `json:"principal,omitempty"`
	Remediation string `json:"remediation,omitempty"`
	SignIn      string `json:"sign_in,omitempty"` // where a browser signs in again; it may add "&return=/path"
}

func (x *transaction) page(d *exchange.Denial) page.Denied {
	p := page.Denied{
		Status: d.StatusCode(), Title: title(d), Reason: string(d.Reason), DecisionID: x.DecisionID(), Remediation: x.remediation(d), RetryAfter: d.RetryAfter,
	}
	if x.Site != nil {
		p.TenantName = x.Site.DisplayName
	}
	if d.Outcome == exchange.Authenticates && x.App != nil {
		p.SignIn = login.SignInPath(x.Path.Target())
		p.Detail, p.Remediation = d.Detail, "" // the button says it
		if x.Method != http.MethodGet && x.Method != http.MethodHead {
			p.Detail = "Nothing that you sent was kept. Sign in, and send it again."
		}
	}
	if c := x.caller; x.known(d) {
		p.Detail, p.Operation = x.lead(d), x.operation
		if p.Principal = c.Email; p.Principal == "" {
			p.Principal = c.Name
		}
		if x.App != nil {
			p.AppName = name(x.App.DisplayName, x.App.ID)
		}
		if c.Credential == exchange.CredentialSession {
			p.SwitchAccount, p.SignOut = d.Outcome == exchange.Denied, true
			p.ReturnPath = x.Path.Target()
		}
		p.SignInAgain = x.again(d)
		if d.Outcome == exchange.StepsUp && x.Method != http.MethodGet && x.Method != http.MethodHead {
			p.Detail = strings.TrimSpace(p.Detail + " Nothing that you sent was kept: sign in again, and send it again.")
		}
		if d.Reason == policy.StepUpAuthAge && d.Remediation == "" {
			p.Remediation = "" // the button says it
		}
	}
	return p
}

// again is a link on this host that signs a person in again as a rule needs it; "" if that is of no use.
func (x *transaction) again(d *exchange.Denial) string {
	switch {
	case x.App == nil || x.caller == nil || x.caller.Credential != exchange.CredentialSession:
	case d.Outcome == exchange.StepsUp:
		return x.Login.SignInAgain(x.r.Context(), &x.Request, d.StepUp, false)
	case d.Outcome == exchange.Denied && d.Reason == policy.StepUpUnsatisfied:
		// What was asked for in vain may be done at the second attempt, if the person wants to make one.
		if first := decision(x.Site, x.App, x.Question(x.operation, x.caller.Unasked(x.Site), x.Now)); first.Outcome == policy.StepUp {
			return x.Login.SignInAgain(x.r.Context(), &x.Request, first.StepUp, true)
		}
	}
	return ""
}

// challenge tells a program how to come back (RFC 6750 section 3, RFC 9470 section 3, RFC 9728 section 5.1).
func (x *transaction) challenge(d *exchange.Denial) string {
	text := "Bearer"
	if x.Site == nil {
		return text
	}
	text += ` realm="` + x.Site.TenantID + `"`
	switch d.Reason {
	case policy.IdentityBadToken, policy.IdentityExpired, policy.IdentityRevoked, policy.IdentityDisabled, policy.IdentityWrongAudience:
		text += `, error="invalid_token"`
	}
	if d.Outcome == exchange.StepsUp {
		text += insufficient(d.StepUp)
	}
	if x.App != nil {
		text += `, resource_metadata="` + x.Origin() + metadataPath + `"`
	}
	return text
}

// insufficient says what a sign-in has to be like (RFC 9470 section 3). For methods there is no parameter.
func insufficient(need policy.Need) string {
	text := `, error="insufficient_user_authentication"`
	if need.MaxAge > 0 {
		text += `, max_age="` + strconv.FormatInt(int64(need.MaxAge/time.Second), 10) + `"`
	}
	if values := login.ACRValues(need.ACR); values != "" {
		text += `, acr_values="` + values + `"`
	}
	return text
}

// grpcRefusal answers in the one way that every gRPC client reads: no body, and the status in the header.
func grpcRefusal(d *exchange.Denial, decisionID string) *exchange.Reply {
	message := fmt.Sprintf("%s (%s, %s)", title(d), d.Reason, decisionID)
	return &exchange.Reply{Status: http.StatusOK, Header: http.Header{
		"Content-Type": {"application/grpc"},
		"Grpc-Status":  {strconv.Itoa(grpcStatus(d.StatusCode()))},
		"Grpc-Message": {url.PathEscape(message)},
	}}
}

// grpcStatus is the code for an HTTP status of ours.
func grpcStatus(status int) int {
	switch status {
	case http.StatusBadRequest, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge, http.StatusRequestEntityTooLarge:
		return 3 // INVALID_ARGUMENT
	case http.StatusUnauthorized:
		return 16 // UNAUTHENTICATED
	case http.StatusForbidden:
		return 7 // PERMISSION_DENIED
	case http.StatusNotFound, http.StatusMisdirectedRequest:
		return 5 // NOT_FOUND
	case http.StatusMethodNotAllowed:
		return 12 // UNIMPLEMENTED
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return 4 // DEADLINE_EXCEEDED
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return 14 // UNAVAILABLE
	default:
		return 13 // INTERNAL
	}
}

// write sends an answer of ours, with what every one of them has.
func (x *transaction) write(reply *exchange.Reply) {
	h := x.w.Header()
	for key, value := range map[string]string{
		"Cache-Control":             "no-store",
		"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
		"Referrer-Policy":           "no-referrer",
		"Strict-Transport-Security": "max-age=31536000",
		"X-Content-Type-Options":    "nosniff",
		"X-Frame-Options":           "DENY",
	} {
		h.Set(key, value)
	}
	if reply.Header.Get("Content-Type") == "text/html; charset=utf-8" {
		page.SetHeaders(h)
	}
	for key, values := range reply.Header {
		h[http.CanonicalHeaderKey(key)] = values
	}
	for _, c := range reply.Cookies {
		h.Add("Set-Cookie", c.String())
	}
	if x.setCookie != nil && len(reply.Cookies) == 0 {
		h.Add("Set-Cookie", x.setCookie.String())
	}
	h.Set("Content-Length", strconv.Itoa(len(reply.Body)))
	x.event.Response.By = "edge"
	x.w.WriteHeader(reply.Status)
	if len(reply.Body) > 0 && x.Method != http.MethodHead {
		_, _ = x.w.Write(reply.Body) // a client that left is in the record by its bytes
	}
}
