package edge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
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
	if d.Outcome == exchange.Authenticates && x.Client == exchange.Navigation && x.App != nil && x.Path.Match != "" {
		reply, other := x.Login.Begin(x.r.Context(), &x.Request, d.Reason)
		if other == nil {
			x.write(reply)
			return
		}
		d = other
		x.judged(d.Outcome, d.Reason)
	}
	x.write(x.refusal(d))
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
	}
	return p
}

func title(d *exchange.Denial) string {
	if info, ok := d.Reason.Info(); ok {
		return info.Title
	}
	return http.StatusText(d.StatusCode())
}

// detail is a sentence for who is known: what they asked for, and that they may not.
func (x *transaction) detail(d *exchange.Denial) string {
	switch {
	case d.Detail != "":
		return d.Detail
	case d.Outcome != exchange.Denied || x.App == nil:
		return ""
	case x.operation == "":
		return fmt.Sprintf("%s asked for something that is no operation of the app %q.", x.who(), x.App.ID)
	default:
		return fmt.Sprintf("%s may not use the operation %q of the app %q.", x.who(), x.operation, x.App.ID)
	}
}

// lead is detail on a page, whose reader knows who they are, and whose title says the rest.
func (x *transaction) lead(d *exchange.Denial) string {
	switch {
	case d.Detail != "" || x.App == nil:
		return d.Detail
	case d.Reason == policy.DenyNoOperation:
		return name(x.App.DisplayName, x.App.ID) + " offers this to nobody, so it is not about your account."
	case d.Reason == policy.DenyNoRule || d.Reason == policy.DenyRule:
		return fmt.Sprintf("It needs the permission %q on %s, which your account does not have.", x.operation, name(x.App.DisplayName, x.App.ID))
	default:
		return ""
	}
}

func (x *transaction) who() string {
	c := x.caller
	switch {
	case c.Credential == exchange.CredentialServiceToken:
		return "The service account " + c.Identity.ServiceAccount
	case c.Email != "":
		return c.Email
	default:
		return name(c.Name, c.Subject)
	}
}

// remediation is what to do about it: what the rule's author wrote, else what follows from the reason.
func (x *transaction) remediation(d *exchange.Denial) string {
	if d.Remediation != "" {
		return d.Remediation
	}
	lacksPermission := d.Reason == policy.DenyNoRule || d.Reason == policy.DenyRule
	if lacksPermission && x.caller != nil && x.Site != nil && x.App != nil && x.operation != "" {
		return fmt.Sprintf("Ask an administrator of %s for the permission %q on the app %q.", x.Site.TenantID, x.operation, x.App.ID)
	}
	info, _ := d.Reason.Info()
	return info.Remediation
}

func name(display, id string) string {
	if display != "" {
		return display
	}
	return id
}

// challenge tells a program how to come back (RFC 6750 section 3, RFC 9728 section 5.1).
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
	if x.App != nil {
		text += `, resource_metadata="` + x.Origin() + metadataPath + `"`
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
