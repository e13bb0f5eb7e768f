package exchange

import (
	"sync/atomic"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// The kinds of credential that identify a caller, as the audit names them.
const (
	CredentialSession      = "session"
	CredentialServiceToken = "service_token"
)

// Caller is who asks. It is immutable, made once per session or token, and shared by all its requests.
type Caller struct {
	Identity   policy.Identity // what rules are matched on
	Subject    string          // stable and opaque: "user:…" or "serviceAccount:<id>"
	Name       string          // for people to read
	Email      string          // as the provider said at sign-in
	Credential string          // CredentialSession or CredentialServiceToken
	SessionID  string          // of people: the sign-in
	// HostSession names the one cookie, of people: signing out of one app ends it, and not the sign-in.
	HostSession string
	IDPUID      string    // of people
	ExpireTime  time.Time // not alive from here on; zero is never
	Revocable   snapshot.Subject
	Version     string // of the claims: changes when Identity does

	resolved atomic.Pointer[resolved]
}

type resolved struct {
	program   *policy.Program
	principal *policy.Principal
	facts     *Facts
}

// Principal is the caller as the site's policies see it; nil is a stranger.
func (c *Caller) Principal(s *snapshot.Site) *policy.Principal {
	if c == nil {
		return nil
	}
	return c.resolve(s).principal
}

// Groups are the ids of the groups that the caller is surely in. They must not be changed.
func (c *Caller) Groups(s *snapshot.Site) []string {
	if c == nil {
		return nil
	}
	return c.resolve(s).principal.Groups()
}

// Facts are those of the caller that the site's policies read; nil is a stranger.
func (c *Caller) Facts(s *snapshot.Site) *Facts {
	if c == nil {
		return nil
	}
	return c.resolve(s).facts
}

// Unasked is the caller as if no step-up had asked their provider for anything.
func (c *Caller) Unasked(s *snapshot.Site) *policy.Principal {
	id := c.resolve(s).facts.identity
	id.Asked = policy.Asked{}
	return s.Program.Resolve(id)
}

// resolve is done once per caller and program.
func (c *Caller) resolve(s *snapshot.Site) *resolved {
	if last := c.resolved.Load(); last != nil && last.program == s.Program {
		return last
	}
	id := c.Identity
	id.EmailDomainOwned = false
	if p := s.Provider(c.IDPUID); p != nil {
		id.EmailDomainOwned = p.OwnsEmail(id.Email)
	}
	principal := s.Program.Resolve(id)
	made := &resolved{s.Program, principal, factsOf(id, principal, s)}
	c.resolved.Store(made)
	return made
}
