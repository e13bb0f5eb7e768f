package session

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// caller is who the session's requests come from. It is made again only when what it says changes, because its resolved
// principal and its assertions hang on it.
func (s *Sessions) caller(site *snapshot.Site, app *snapshot.App, o *opened) *exchange.Caller {
	person := o.live.person.Load()
	made := o.live.caller.Load()
	if made != nil && made.site == site && made.app == app && made.person == person {
		return made.caller
	}
	provider := site.Provider(person.IdpUid)
	mentioned := site.ClaimGroups(provider.ID)
	asked := AskedFor(site, person.Asked)
	next := &madeCaller{site: site, app: app, person: person, mentioned: mentioned}
	if made != nil && made.person == person && made.caller.Identity.IDP == provider.ID && slices.Equal(made.mentioned, mentioned) &&
		slices.Equal(made.caller.Identity.Asked.ACR, asked.ACR) && slices.Equal(made.caller.Identity.Asked.AMR, asked.AMR) &&
		made.caller.Revocable.App == o.subject(app).App && made.caller.ExpireTime.Equal(o.expires(site, app)) {
		next.caller = made.caller
	} else {
		next.caller = newCaller(site, app, o, person, provider, mentioned)
		next.caller.Identity.Asked = asked
	}
	o.live.caller.Store(next)
	return next.caller
}

func newCaller(site *snapshot.Site, app *snapshot.App, o *opened, p *edgev1.PersonSession, provider *snapshot.IdentityProvider, mentioned []string) *exchange.Caller {
	in, complete, absent := groupsOf(site.TenantUID, p, mentioned)
	c := &exchange.Caller{
		Identity: policy.Identity{
			Kind: policy.Person, Subject: subjectText(p.Principal), Email: p.Email, EmailVerified: p.EmailVerified, IDP: provider.ID,
			Groups: in, GroupsComplete: complete, GroupsAbsent: absent, ACR: p.Acr,
		},
		Subject: subjectText(p.Principal), Name: p.Name, Email: p.Email, Credential: "session",
		SessionID: sidText(p.Sid), HostSession: o.hash.name(), IDPUID: p.IdpUid,
		ExpireTime: o.expires(site, app), Revocable: o.subject(app),
	}
	if p.AuthTimeMs != 0 {
		c.Identity.AuthTime = instant(p.AuthTimeMs)
	}
	if p.AmrKnown {
		c.Identity.AMR = append([]string{}, p.Amr...) // nil would be unknown
	}
	verified := "unverified"
	if p.EmailVerified {
		verified = "verified"
	}
	known := "all"
	if !complete {
		known = "some"
	}
	sum := sha256.Sum256(AssociatedData(c.SessionID, c.Subject, c.Email, verified, c.Name, provider.ID, known,
		strings.Join(in, "\x00"), strings.Join(absent, "\x00")))
	c.Version = base64.RawURLEncoding.EncodeToString(sum[:12])
	return c
}
