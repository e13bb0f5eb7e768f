package policytest

import (
	"net/netip"
	"strings"
	"time"
)

// Case is one row of a table.
type Case struct {
	File    string
	Line    int
	Section string
	Text    string // the row as it is written
	Pins    string // the sentence of the specification
	World   *World
	Request Request
	Want    Decision
	Shadow  []Shadowed
}

// Request is a request of somebody to an app. Zero facts are unknown.
type Request struct {
	App       string
	Operation string // "" is none of the app's
	Who       Identity
	Method    string
	Host      string
	Path      string
	SourceIP  netip.Addr
	Country   string
	Device    *Device
	Now       time.Time
}

// Kind tells strangers, people and machines apart.
type Kind string

// The kinds. The zero value is a stranger.
const (
	Anonymous Kind = ""
	Person    Kind = "person"
	Machine   Kind = "machine"
)

// Identity is what a credential says.
type Identity struct {
	Kind             Kind
	Subject          string
	IDP              string
	Email            string
	EmailVerified    bool
	EmailDomainOwned bool
	Domain           string // without an address
	Groups           []string
	GroupsComplete   bool
	GroupsAbsent     []string
	ServiceAccount   string

	AuthTime time.Time
	ACR      string
	AMR      []string
	Asked    Asked
}

// Asked is what a provider was asked for by a step-up that came back.
type Asked struct {
	At     time.Time
	MaxAge time.Duration
	ACR    []string
	AMR    []string
}

// Device is what was reported of a device.
type Device struct {
	Managed    *bool
	Compliant  *bool
	Posture    map[string]bool
	ReportedAt time.Time
}

// Decision is the answer to a request. Decisions can be compared by ==, but for
// the location of ValidUntil, which is always UTC.
type Decision struct {
	Outcome     string // ALLOW DENY AUTHENTICATE STEP_UP
	Reason      string
	Policy      string
	Rule        string
	Grant       string
	Remediation string
	Need        string // of STEP_UP, in the form of [Need]
	ValidUntil  time.Time
}

// Need says what a step-up must ask for, as rows write it.
func Need(maxAge time.Duration, acr, amr []string) string {
	var parts []string
	if maxAge > 0 {
		parts = append(parts, "age="+maxAge.String())
	}
	if len(acr) > 0 {
		parts = append(parts, "acr="+strings.Join(acr, ","))
	}
	if len(amr) > 0 {
		parts = append(parts, "amr="+strings.Join(amr, ","))
	}
	return strings.Join(parts, " ")
}

// Shadowed is what the answer would be if a shadow policy were enforced. Rule is
// the shadow policy's, if one of its rules decided.
type Shadowed struct {
	Policy  string
	Outcome string
	Reason  string
	Rule    string
}
