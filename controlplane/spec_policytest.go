package controlplane

import "time"

// PolicyTest is a request and what must be decided on it. Field meanings: sallyport.v1.PolicyTest.
type PolicyTest struct {
	Principal *TestPrincipal   `json:"principal,omitempty"`
	Request   *TestRequest     `json:"request,omitempty"`
	Expect    *TestExpectation `json:"expect,omitempty"`
}

// TestPrincipal has exactly one field set.
type TestPrincipal struct {
	User           *TestUser `json:"user,omitempty"`
	ServiceAccount string    `json:"service_account,omitempty"`
	Anonymous      bool      `json:"anonymous,omitempty"`
}

// TestUser is a person who is signed in.
type TestUser struct {
	Email       string    `json:"email,omitempty"`
	IDP         string    `json:"idp,omitempty"`
	ClaimGroups []string  `json:"claim_groups,omitempty"`
	AuthAge     *Duration `json:"auth_age,omitempty"`
	ACR         string    `json:"acr,omitempty"`
	AMR         []string  `json:"amr,omitempty"`
}

// TestRequest is what is asked for.
type TestRequest struct {
	App      string     `json:"app,omitempty"`
	Host     string     `json:"host,omitempty"`
	Method   string     `json:"method,omitempty"`
	Path     string     `json:"path,omitempty"`
	SourceIP string     `json:"source_ip,omitempty"`
	Country  string     `json:"country,omitempty"`
	Time     *time.Time `json:"time,omitempty"`
}

// TestExpectation is what must be decided.
type TestExpectation struct {
	Outcome string `json:"outcome,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Policy  string `json:"policy,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Grant   string `json:"grant,omitempty"`
}

// References names who asks and for what: a test does not outlive what it is about. What it expects to decide may go, and
// the test then says so.
func (t *PolicyTest) References() []Reference {
	var refs []Reference
	if p := t.Principal; p != nil {
		if p.User != nil {
			refs = append(refs, Reference{"principal.user.idp", KindIdentityProvider, p.User.IDP})
		}
		if p.ServiceAccount != "" {
			refs = append(refs, Reference{"principal.service_account", KindServiceAccount, p.ServiceAccount})
		}
	}
	if t.Request != nil && t.Request.App != "" {
		refs = append(refs, Reference{"request.app", KindApp, t.Request.App})
	}
	return refs
}
