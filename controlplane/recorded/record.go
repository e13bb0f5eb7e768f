package recorded

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// Record is what decisions read of a recorded access event. Field meanings: sallyport.v1.AccessEvent, whose JSON it is.
type Record struct {
	Time      time.Time `json:"time"`
	App       string    `json:"app"`
	Operation string    `json:"operation"`
	Principal Principal `json:"principal"`
	SourceIP  string    `json:"source_ip"`
	Request   struct {
		Method string `json:"method"`
		Host   string `json:"host"`
		Path   string `json:"path"`
	} `json:"request"`
	Decision struct {
		Outcome  string    `json:"outcome"`
		Reason   string    `json:"reason"`
		Policy   string    `json:"policy"`
		Grant    string    `json:"grant"`
		Config   int64     `json:"config,string"`
		Lineage  string    `json:"lineage"`
		Groups   []string  `json:"groups"`
		AuthTime time.Time `json:"auth_time"`
		Facts    *Facts    `json:"facts"`
	} `json:"decision"`
}

// Principal is who asked: sallyport.v1.EventPrincipal.
type Principal struct {
	Kind     string `json:"kind"`
	Subject  string `json:"subject"`
	Email    string `json:"email"`
	Provider string `json:"identity_provider"`
}

// Facts are what an edge recorded for this: sallyport.v1.EventFacts.
type Facts struct {
	Method             string   `json:"method"`
	Path               string   `json:"path"`
	Country            string   `json:"country"`
	EmailVerified      bool     `json:"email_verified"`
	EmailDomainOwned   bool     `json:"email_domain_owned"`
	ClaimGroups        []string `json:"claim_groups"`
	ClaimGroupsUnknown []string `json:"claim_groups_unknown"`
	ACR                string   `json:"acr"`
	AMR                []string `json:"amr"`
	AMRKnown           bool     `json:"amr_known"`
	Asked              *struct {
		Time   time.Time             `json:"time"`
		MaxAge controlplane.Duration `json:"max_age"`
		ACR    []string              `json:"acr"`
		AMR    []string              `json:"amr"`
	} `json:"asked"`
	Incomplete bool `json:"incomplete"`
}

// Read reads an event.
func Read(event json.RawMessage) (*Record, error) {
	r := &Record{}
	if err := json.Unmarshal(event, r); err != nil {
		return nil, fmt.Errorf("read a recorded decision: %w", err)
	}
	return r, nil
}

// Ruled reports whether rules were asked: what is malformed, or met an edge that could not tell, came as far as none.
func (r *Record) Ruled() bool {
	return r.App != "" && r.Decision.Outcome != "REFUSED" && r.Decision.Outcome != "UNAVAILABLE" && r.Decision.Outcome != ""
}

// Unrouted reports whether rules allowed it, and then no route of the app led anywhere.
func (r *Record) Unrouted() bool {
	return r.App != "" && r.Decision.Facts != nil && r.Decision.Outcome == "REFUSED" && r.Decision.Reason == string(engine.RouteNone)
}

// Preflight reports whether a browser only asked if it may ask: an app can let that through without identity, which is no
// rule's doing.
func (r *Record) Preflight() bool {
	d := &r.Decision
	return r.Request.Method == "OPTIONS" && d.Outcome == "ALLOW" && d.Reason == string(engine.AllowPublic) && d.Policy == "" && d.Grant == ""
}

// Identity is who it was; sought are the values of the provider's claim that were looked for at the time.
func (r *Record) Identity(sought []string) engine.Identity {
	id := Identity(&r.Principal, r.Decision.AuthTime, r.Decision.Facts)
	if f := r.Decision.Facts; f != nil && !f.Incomplete && id.Kind == engine.Person {
		for _, name := range sought {
			if !slices.Contains(f.ClaimGroups, name) && !slices.Contains(f.ClaimGroupsUnknown, name) {
				id.GroupsAbsent = append(id.GroupsAbsent, name)
			}
		}
	}
	return id
}

// Identity is who it was, without the values of the provider's claim that they surely had not; f may be nil.
func Identity(p *Principal, authTime time.Time, f *Facts) engine.Identity {
	switch p.Kind {
	case "serviceAccount":
		return engine.Identity{Kind: engine.Machine, Subject: p.Subject, ServiceAccount: strings.TrimPrefix(p.Subject, "serviceAccount:")}
	case "user":
	default:
		return engine.Identity{}
	}
	id := engine.Identity{Kind: engine.Person, Subject: p.Subject, IDP: p.Provider, Email: p.Email, AuthTime: authTime}
	if f == nil {
		return id
	}
	id.EmailVerified, id.EmailDomainOwned = f.EmailVerified, f.EmailDomainOwned
	id.Groups, id.ACR, id.AMR = f.ClaimGroups, f.ACR, f.AMR
	switch {
	case f.Incomplete:
		id.AMR = nil // some may be missing: unknown
	case f.AMRKnown && id.AMR == nil:
		id.AMR = []string{}
	}
	if a := f.Asked; a != nil {
		id.Asked = engine.Asked{At: a.Time, MaxAge: time.Duration(a.MaxAge), ACR: a.ACR, AMR: a.AMR}
	}
	return id
}

// cut is how a text ends of which the edge kept the beginning.
var cut = regexp.MustCompile(`…sha256:[0-9a-f]{24}$`)

// Ask is what was asked, but for by whom. A path that was cut is unknown.
func (r *Record) Ask() engine.Request {
	q := engine.Request{
		Operation: r.Operation, Method: r.Request.Method, Host: r.Request.Host, Path: r.Request.Path, SourceIP: Address(r.SourceIP), Now: r.Time,
	}
	if f := r.Decision.Facts; f != nil {
		q.Method, q.Path, q.Country = cmp.Or(f.Method, q.Method), cmp.Or(f.Path, q.Path), f.Country
		if f.Incomplete && (cut.MatchString(q.Path) || cut.MatchString(r.Request.Path)) {
			q.Path = ""
		}
	}
	return q
}

// Address reads an address; the zero one is unknown.
func Address(text string) netip.Addr {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap()
}
