package snapshot

import (
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy"
)

// Subject is what a credential is, to those who revoke. Empty fields match nothing.
type Subject struct {
	Session        string // sid
	User           string // opaque, "user:…"
	Email          string // canonical
	IDP            string // uid
	App            string // uid
	ServiceAccount string // uid
	Token          string // id
	// Urgent and Lineage are the tenant's when the credential was made.
	Urgent  int64
	Lineage string
}

// Revocations are a tenant's marks "made under less than this: dead". No clocks are compared.
type Revocations struct {
	lineage string
	marks   map[string]int64 // by subject, as the resource writes it: made under less than this is dead
}

// subjects that this program can tell apart; any other may mean anything, and is read as the tenant's.
var subjects = []string{"session:", "user:", "idp:", "app:", "serviceAccount:", "token:"}

func readSubject(subject string) string {
	if address, ok := strings.CutPrefix(subject, "email:"); ok {
		canonical, _ := policy.CanonicalEmail(address)
		return "email:" + canonical
	}
	for _, s := range subjects {
		if strings.HasPrefix(subject, s) {
			return subject
		}
	}
	return "tenant"
}

func (r *Revocations) add(subject string, under int64) {
	subject = readSubject(subject)
	r.marks[subject] = max(r.marks[subject], under)
}

// Dead reports whether a credential was revoked. One of another history (a restore) cannot be ordered against the
// marks of this one, so every mark on it counts.
func (r *Revocations) Dead(s Subject) bool {
	if len(r.marks) == 0 {
		return false
	}
	if s.Token != "" || s.ServiceAccount != "" {
		// The marks "app" and "tenant" end sessions; a machine's access to an app ends by policy, and the control plane
		// marks each token that a revocation of the tenant ends.
		return r.killed(s, "token:", s.Token) || r.killed(s, "serviceAccount:", s.ServiceAccount)
	}
	return r.killed(s, "tenant", "") || r.killed(s, "session:", s.Session) || r.killed(s, "", s.User) ||
		r.killed(s, "email:", s.Email) || r.killed(s, "idp:", s.IDP) || r.killed(s, "app:", s.App)
}

func (r *Revocations) killed(s Subject, prefix, id string) bool {
	if id == "" && prefix != "tenant" {
		return false
	}
	under, ok := r.marks[prefix+id]
	return ok && (s.Lineage != r.lineage || s.Urgent < under)
}
