package who

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// Kind tells strangers, people and machines apart.
type Kind int8

// The kinds. The zero value is a stranger.
const (
	Anonymous Kind = iota
	Person
	Machine
)

func (k Kind) String() string {
	switch k {
	case Person:
		return "person"
	case Machine:
		return "machine"
	default:
		return "anonymous"
	}
}

// Identity is what is known of who makes a request, as its credential says it.
type Identity struct {
	Kind    Kind
	Subject string // stable and opaque; "" for a stranger

	// Of a person.
	IDP              string
	Email            string
	EmailVerified    bool     // by the provider, as JSON true
	EmailDomainOwned bool     // the address's domain belongs to that provider
	Domain           string   // of an address that is not known and that nothing names; Email is "" then
	Groups           []string // values of the provider's groups claim
	GroupsComplete   bool     // Groups is all of them; if not, others are unknown…
	GroupsAbsent     []string // …but for these, which it surely has not

	// Of a person: how the sign-in was.
	AuthTime time.Time // zero is unknown
	ACR      string    // authentication context class; "" is unknown
	AMR      []string  // authentication methods; nil is unknown
	Asked    Asked

	// Of a machine.
	ServiceAccount string
}

// Asked is what the identity provider was asked for by step-ups of this session
// that came back. What was asked for and is still not so is not asked for again.
type Asked struct {
	At     time.Time     // when the last one came back; zero: none did
	MaxAge time.Duration // what the last one asked for; 0: nothing
	ACR    []string      // all that were asked for
	AMR    []string
}

// address is the e-mail address of a person, canonical, and its domain, which
// can be known without.
func (id *Identity) address() (email, domain string, ok bool) {
	if id.Kind == Person {
		if id.Email == "" && id.Domain != "" {
			return "", lower(id.Domain), false
		}
		email, ok = CanonicalEmail(id.Email)
		_, domain, _ = strings.Cut(email, "@")
	}
	return email, domain, ok
}

// vouched says whether the address is the person's: only the provider that owns
// its domain can tell.
func (id *Identity) vouched() truth.Value {
	if id.EmailVerified && id.EmailDomainOwned {
		return truth.True
	}
	return truth.Unknown
}

// CanonicalEmail returns the one form in which addresses are compared: ASCII
// letters in lower case, and an ASCII domain. It is false for what is not an
// address. Other letters stay as they are: Unicode's lower case of the Kelvin
// sign is k, and somebody else's address.
func CanonicalEmail(s string) (string, bool) {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > 254 || !utf8.ValidString(s) || strings.ContainsFunc(local, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", false
	}
	if _, ok := CanonicalDomain(domain); !ok {
		return "", false
	}
	return lower(s), true
}

// CanonicalDomain returns a domain in lower case. It is false for what is not one:
// a name of at least two labels: letters, digits, hyphens.
func CanonicalDomain(s string) (string, bool) {
	if len(s) > 253 || !strings.Contains(s, ".") {
		return "", false
	}
	for l := range strings.SplitSeq(s, ".") {
		if l == "" || l[0] == '-' || l[len(l)-1] == '-' || strings.ContainsFunc(l, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-')
		}) {
			return "", false
		}
	}
	return lower(s), true
}

// SameDomain says whether two domains are one. Only letters of ASCII have two
// cases, while strings.EqualFold takes the sign of Kelvin for a k.
func SameDomain(a, b string) bool { return a != "" && lower(a) == lower(b) }

func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
