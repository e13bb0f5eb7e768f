package session

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Raise takes over what a provider said in a step-up of the person of a live Session. The Session goes on: its limits and
// what revokes it are what they were, so that signing in again stretches neither.
//
// The host session is a new one, and no other cookie of the Session is raised with it: only a hand-off does that, to the
// browser that stepped up. Whoever stole a cookie before gains nothing.
func (s *Sessions) Raise(ctx context.Context, site *snapshot.Site, host string, r Result, who Person, ip netip.Addr, now time.Time) (*Begun, error) {
	if r.State != Live {
		return nil, ErrEnded
	}
	before := r.opened.live.person.Load()
	if !who.Is(site.TenantUID, before) {
		return nil, ErrEnded
	}
	p := claimed(site, who, now)
	p.Sid, p.BeganMs, p.IdleMs, p.ExpireMs = before.Sid, before.BeganMs, before.IdleMs, before.ExpireMs
	p.UrgentAtMint, p.LineageAtMint, p.HomeRegion = before.UrgentAtMint, before.LineageAtMint, before.HomeRegion
	p.RaisedMs = max(now.UnixMilli(), before.RaisedMs+1)
	b, o, err := s.put(site, nil, host, Known{p, r.opened.aliveAt()}, now)
	if err != nil {
		return nil, err
	}
	s.end(ctx, site, r.opened, OfThisHost, ReasonReplaced, ip, now)
	// The record has the newest claims before the browser goes on, as in Begin.
	_ = s.store.putSession(ctx, site.Keys.Redis, o.tenant, &edgev1.SessionRecord{Session: p, SeenAtMs: now.UnixMilli()}, instant(p.ExpireMs).Sub(now), false)
	return b, nil
}

// AskedFor is what a Session's provider was asked for by step-ups, as rules know it. A list that no rule has any more is
// forgotten.
func AskedFor(site *snapshot.Site, asked *edgev1.SignInAsked) policy.Asked {
	if asked == nil {
		return policy.Asked{}
	}
	a := policy.Asked{At: instant(asked.AtMs), MaxAge: time.Duration(asked.MaxAgeMs) * time.Millisecond}
	lists := site.SignInLists()
	add := func(l snapshot.SignInList) {
		a.ACR, a.AMR = append(a.ACR, l.ACR...), append(a.AMR, l.AMR...)
	}
	if asked.AllLists {
		for _, l := range lists {
			add(l)
		}
	}
	for _, key := range asked.Lists {
		add(lists[string(key)])
	}
	slices.Sort(a.ACR)
	slices.Sort(a.AMR)
	a.ACR, a.AMR = slices.Compact(a.ACR), slices.Compact(a.AMR)
	return a
}
