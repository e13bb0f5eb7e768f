package session

import (
	"net/netip"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// seenStep is how often use of a session on a host is reported.
const seenStep = 5 * time.Minute

// Why a session ended.
const (
	ReasonSignedOut = "signed_out"
	ReasonReplaced  = "replaced" // somebody signed in anew in that browser
)

func (s *Sessions) reportSeen(site *snapshot.Site, o *opened, ip netip.Addr, now time.Time) {
	last := o.live.reported.Load()
	if since := now.Sub(time.UnixMilli(last)); last != 0 && since < seenStep && since >= 0 {
		return
	}
	// Of requests that run at the same time, one reports.
	if o.live.reported.CompareAndSwap(last, now.UnixMilli()) {
		s.report(site, edgev1.SessionEventKind_SESSION_EVENT_KIND_SEEN, o.sid(), o.ticket.Session, o.host, ip, now, "")
	}
}

func (s *Sessions) report(site *snapshot.Site, kind edgev1.SessionEventKind, name string, p *edgev1.PersonSession, host string, ip netip.Addr, now time.Time, reason string) {
	e := &edgev1.SessionEvent{
		Kind: kind, Sid: name, Principal: subjectText(p.Principal), Email: p.Email, Time: timestamppb.New(now),
		ExpireTime: timestamppb.New(instant(p.ExpireMs)), Host: host, Reason: reason,
	}
	if provider := site.Provider(p.IdpUid); provider != nil {
		e.IdentityProvider = provider.ID
	}
	if ip.IsValid() {
		e.Ip = ip.String()
	}
	s.cfg.Report(site.TenantUID, e)
}
