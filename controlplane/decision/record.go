package decision

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// record is what decisions read of a recorded access event. Field meanings: sallyport.v1.AccessEvent, whose JSON it is.
type record struct {
	Time      time.Time `json:"time"`
	App       string    `json:"app"`
	Operation string    `json:"operation"`
	Principal struct {
		Kind     string `json:"kind"`
		Subject  string `json:"subject"`
		Email    string `json:"email"`
		Provider string `json:"identity_provider"`
	} `json:"principal"`
	SourceIP string `json:"source_ip"`
	Request  struct {
		Method string `json:"method"`
		Host   string `json:"host"`
		Path   string `json:"path"`
	} `json:"request"`
	Decision struct {
		Outcome  string    `json:"outcome"`
		Reason   string    `json:"reason"`
		Config   int64     `json:"config,string"`
		Lineage  string    `json:"lineage"`
		Groups   []string  `json:"groups"`
		AuthTime time.Time `json:"auth_time"`
		Facts    *facts    `json:"facts"`
	} `json:"decision"`
}

// facts are what an edge recorded for this: sallyport.v1.EventFacts.
type facts struct {
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

func readRecord(event json.RawMessage) (*record, error) {
	r := &record{}
	if err := json.Unmarshal(event, r); err != nil {
		return nil, fmt.Errorf("read a recorded decision: %w", err)
	}
	return r, nil
}

// ruled reports whether rules were asked: what is malformed, or met an edge that could not tell, came as far as none.
func (r *record) ruled() bool {
	return r.App != "" && r.Decision.Outcome != "REFUSED" && r.Decision.Outcome != "UNAVAILABLE" && r.Decision.Outcome != ""
}

// identity is who it was; then is the policy of that time, which says what values of claims were looked for.
func (r *record) identity(then *policy.Site) engine.Identity {
	switch r.Principal.Kind {
	case "serviceAccount":
		id := r.Principal.Subject
		if len(id) > len(accountPrefix) {
			id = id[len(accountPrefix):]
		}
		return engine.Identity{Kind: engine.Machine, Subject: r.Principal.Subject, ServiceAccount: id}
	case "user":
	default:
		return engine.Identity{}
	}
	who := engine.Identity{
		Kind: engine.Person, Subject: r.Principal.Subject, IDP: r.Principal.Provider, Email: r.Principal.Email, AuthTime: r.Decision.AuthTime,
	}
	f := r.Decision.Facts
	if f == nil {
		return who
	}
	who.EmailVerified, who.EmailDomainOwned = f.EmailVerified, f.EmailDomainOwned
	who.Groups, who.ACR, who.AMR = f.ClaimGroups, f.ACR, f.AMR
	if f.AMRKnown && who.AMR == nil {
		who.AMR = []string{}
	}
	for _, name := range then.Claims(who.IDP) {
		if !slices.Contains(f.ClaimGroups, name) && !slices.Contains(f.ClaimGroupsUnknown, name) {
			who.GroupsAbsent = append(who.GroupsAbsent, name)
		}
	}
	if a := f.Asked; a != nil {
		who.Asked = engine.Asked{At: a.Time, MaxAge: time.Duration(a.MaxAge), ACR: a.ACR, AMR: a.AMR}
	}
	return who
}

const accountPrefix = "serviceAccount:"

// request is what was asked.
func (r *record) request() engine.Request {
	q := engine.Request{Operation: r.Operation, Method: r.Request.Method, Host: r.Request.Host, Path: r.Request.Path, Now: r.Time}
	if ip, err := netip.ParseAddr(r.SourceIP); err == nil {
		q.SourceIP = ip.Unmap()
	}
	if f := r.Decision.Facts; f != nil {
		q.Method, q.Path, q.Country = f.Method, f.Path, f.Country
	}
	return q
}
