package edge

import (
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/policy"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// decided records what the rules said, and all that they read: whoever has the record and the rules can decide again.
func (x *transaction) decided(q *policy.Request) {
	d := x.event.Decision
	d.Policy, d.Rule, d.Grant = x.decision.Policy, x.decision.Rule, x.decision.Grant
	d.Facts = x.facts(q)
	if x.Site.Closed || x.App.Closed {
		return
	}
	var room [4]policy.Shadowed
	for _, s := range x.Site.Program.Shadow(x.App.ID, q, room[:0]) {
		d.Shadow = append(d.Shadow, &sallyportv1.EventShadow{Policy: s.Policy, Outcome: s.Outcome.String(), Reason: string(s.Reason), Rule: s.Rule})
	}
}

func (x *transaction) facts(q *policy.Request) *sallyportv1.EventFacts {
	f := &sallyportv1.EventFacts{Country: q.Country}
	if q.Method != x.event.Request.Method {
		f.Method = cut(q.Method)
		f.Incomplete = f.Method != q.Method
	}
	if q.Path != x.Path.Forward {
		f.Path = cut(q.Path)
	}
	f.Incomplete = f.Incomplete || len(q.Path) > maxField || len(x.Path.Forward) > maxField
	if who := x.caller.Facts(x.Site); who != nil {
		f.EmailVerified, f.EmailDomainOwned = who.EmailVerified, who.EmailDomainOwned
		f.GroupsUnknown, f.ClaimGroups, f.ClaimGroupsUnknown = who.GroupsUnknown, who.Claims, who.ClaimsUnknown
		f.Acr, f.Amr, f.AmrKnown, f.Asked = who.ACR, who.AMR, who.AMR != nil, asked(who)
		f.Incomplete = f.Incomplete || who.Incomplete
	}
	return f
}

func asked(who *exchange.Facts) *sallyportv1.EventAsked {
	if who.Asked.At.IsZero() {
		return nil
	}
	a := &sallyportv1.EventAsked{Time: timestamppb.New(who.Asked.At), Acr: who.Asked.ACR, Amr: who.Asked.AMR}
	if who.Asked.MaxAge > 0 {
		a.MaxAge = durationpb.New(who.Asked.MaxAge)
	}
	return a
}
