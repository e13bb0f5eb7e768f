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
	AuthTime    time.Time // of people
	ExpireTime  time.Time // not alive from here on; zero is never
	Revocable   snapshot.Subject
	Version     string // of the claims: changes when Identity does

	resolved atomic.Pointer[resolved]
}

type resolved struct {
	program   *policy.Program
	principal *policy.Principal
}

// Principal is the caller as the site's policies see it: resolved once per caller and program.
func (c *Caller) Principal(s *snapshot.Site) *policy.Principal {
	if c == nil {
		return nil
	}
	if last := c.resolved.Load(); last != nil && last.program == s.Program {
		return last.principal
	}
	id := c.Identity
	id.EmailDomainOwned = false
	if p := s.Provider(c.IDPUID); p != nil {
		id.EmailDomainOwned = p.OwnsEmail(id.Email)
	}
	principal := s.Program.Resolve(id)
	c.resolved.Store(&resolved{s.Program, principal})
	return principal
}
