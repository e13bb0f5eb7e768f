package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/policy"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// newEvent is the request's record, with what is known before any stage.
func (x *transaction) newEvent() *sallyportv1.AccessEvent {
	return &sallyportv1.AccessEvent{
		Id: x.ID, Boot: x.BootID, Time: timestamppb.New(x.Now),
		Principal: &sallyportv1.EventPrincipal{Kind: "anonymous"},
		Request: &sallyportv1.EventRequest{
			Id: "r_" + x.ID, Method: cut(x.Method), Protocol: x.Protocol, UserAgent: cut(x.UserAgent),
		},
		Decision: &sallyportv1.EventDecision{},
		Response: &sallyportv1.EventResponse{},
		Timing:   &sallyportv1.EventTiming{},
	}
}

// describe fills in what the stages learned of the request and its caller.
func (x *transaction) describe() {
	e := x.event
	e.SourceIp = addr(x)
	e.Operation = x.operation
	e.Request.Host = x.Host
	if e.Request.Host == "" {
		e.Request.Host = cut(x.r.Host)
	}
	if e.Request.Path = cut(x.Path.Forward); e.Request.Path == "" {
		e.Request.Path = cut(x.r.RequestURI)
	}
	if x.Path.HasQuery {
		sum := sha256.Sum256([]byte(x.Path.Query))
		e.Request.QuerySha256 = hex.EncodeToString(sum[:])
	}
	if x.App != nil {
		e.App = x.App.ID
	}
	if x.route != nil {
		e.Route = x.route.Path
	}
	if s := x.Site; s != nil {
		e.Decision.Config, e.Decision.Urgent, e.Decision.Lineage = s.Version.Config, s.Version.Urgent, s.Version.Lineage
	}
	x.identifyEvent(x.caller)
}

func (x *transaction) identifyEvent(c *exchange.Caller) {
	if c == nil {
		return
	}
	e := x.event
	e.Principal = &sallyportv1.EventPrincipal{Kind: "user", Subject: c.Subject, Email: c.Email}
	if c.Identity.Kind == policy.Machine {
		e.Principal.Kind = "serviceAccount"
	}
	e.Principal.IdentityProvider = c.Identity.IDP
	e.Session, e.Credential = c.SessionID, c.Credential
	if x.Site != nil {
		e.Decision.Groups = c.Facts(x.Site).Groups
	}
	if at := c.Identity.AuthTime; !at.IsZero() {
		e.Decision.AuthTime = timestamppb.New(at)
	}
}

func addr(x *transaction) string {
	if x.ClientIP.IsValid() {
		return x.ClientIP.String()
	}
	if x.Peer.IsValid() && x.Site == nil {
		return x.Peer.String()
	}
	return ""
}

// record writes what is known of a request that lasts, so that it is seen before it ends.
func (x *transaction) record() {
	e := proto.Clone(x.event).(*sallyportv1.AccessEvent)
	e.Stream = &sallyportv1.EventStream{Kind: x.streamKind(), Phase: "start"}
	x.Audit.Access(x.connected.TenantUID, e)
	x.lasted = true
}

func (x *transaction) streamKind() string {
	if x.WebSocket {
		return "websocket"
	}
	return "stream"
}

// complete writes the record.
func (x *transaction) complete() {
	e, now := x.event, x.Handler.Now()
	if e.Decision.Outcome == "" {
		// Nothing refused and nothing was decided: the client left, or we failed, before.
		x.judged(exchange.NotAvailable, policy.UnavailableInternal)
	}
	e.Response.Status, e.Response.Bytes = int32(x.w.Status), x.w.Bytes
	if x.body != nil {
		e.Request.Bytes = x.body.Bytes()
	}
	e.Timing.Total = micros(now.Sub(x.Now))
	if a := x.forwarding; a.Target != "" {
		e.Upstream = a.Target
		if !a.FirstByte.IsZero() {
			e.Timing.Upstream = micros(a.FirstByte.Sub(x.forwarded))
		}
	}
	if x.lasted || x.cut != "" {
		e.Stream = &sallyportv1.EventStream{Kind: x.streamKind(), Phase: "end", Cut: string(x.cut)}
	}
	x.Metrics.observe(e, time.Duration(e.Timing.Total)*time.Microsecond)
	if x.connected == nil {
		// Nobody's: no tenant can be told of it.
		x.Log.Debug("a request that is no tenant's", "decision_id", x.DecisionID(), "reason", e.Decision.Reason)
		return
	}
	x.Audit.Access(x.connected.TenantUID, e)
}

// judged notes the outcome, once everything that it rests on is known.
func (x *transaction) judged(outcome exchange.Outcome, reason policy.Reason) {
	x.describe()
	x.event.Decision.Outcome, x.event.Decision.Reason = string(outcome), string(reason)
}

// maxField is how much of what a client says is kept. The control plane stores 16 KiB of a record, and JSON needs two bytes
// for a quote: with a longer field of each kind, whoever asks would choose what of their request is in the audit.
const maxField = 512

// cut keeps the beginning of what is too long, and a hash of all of it.
func cut(s string) string {
	if len(s) <= maxField {
		return valid(s)
	}
	sum := sha256.Sum256([]byte(s))
	return valid(s[:maxField-40]) + "…sha256:" + hex.EncodeToString(sum[:12])
}

// valid makes what a client sent fit for a protocol buffer's string.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c >= 0x20 && c < 0x7f {
			b = append(b, c)
		} else {
			b = append(b, '?')
		}
	}
	return string(b)
}
