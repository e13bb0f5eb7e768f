// Package idp holds what an identity provider must be beyond the shape that its proto declares, as far as the provider
// alone can tell. It is pure: it never talks to the provider, which may be down while it is configured.
package idp

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/address"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// Check says what is wrong with an identity provider; fields are paths in it.
func Check(p *controlplane.IdentityProvider) []controlplane.Violation {
	violations := checkIssuer(p)
	if len(p.Scopes) > 0 && !slices.Contains(p.Scopes, "openid") {
		violations = append(violations, invalid("scopes", `must contain "openid": without it the provider signs nobody in (OpenID Connect Core 3.1.2.1)`))
	}
	for i, domain := range p.EmailDomains {
		violations = append(violations, policy.CheckHost(fmt.Sprintf("email_domains[%d]", i), domain)...)
	}
	for name := range p.AuthorizeParameters {
		if slices.Contains(ours, name) {
			violations = append(violations, invalid(fmt.Sprintf("authorize_parameters[%q]", name), "is set by Sallyport"))
		}
	}
	return violations
}

// ours are the parameters of an authorization request that carry its security (RFC 6749, RFC 7636, OpenID Connect Core).
var ours = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge",
	"code_challenge_method", "request", "request_uri",
}

func invalid(field, description string) controlplane.Violation {
	return controlplane.Violation{Field: field, Description: description, Reason: controlplane.ReasonFieldInvalid}
}

// checkIssuer wants what OpenID Connect Discovery 2 wants of an issuer: https, no query, no fragment.
func checkIssuer(p *controlplane.IdentityProvider) []controlplane.Violation {
	u, err := url.Parse(p.Issuer)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return []controlplane.Violation{invalid("issuer", "must be an https URL without query and fragment")}
	}
	switch {
	case address.Ambiguous(u.Hostname()):
		return []controlplane.Violation{invalid("issuer", "the host looks like an address; write it in its usual form")}
	case u.Scheme == "http" && !p.AllowHTTPLoopback:
		return []controlplane.Violation{invalid("issuer", "must be https; http is for development, with allow_http_loopback")}
	case u.Scheme != "https" && u.Scheme != "http":
		return []controlplane.Violation{invalid("issuer", "the scheme must be https")}
	case p.AllowHTTPLoopback && !loopback(u.Hostname()):
		// Also with https: it would let what the provider's metadata names be http on the edge's own machine.
		return []controlplane.Violation{invalid("allow_http_loopback", "is for issuers at loopback addresses only")}
	}
	return nil
}

// loopback reports whether a host names loopback addresses and nothing else.
func loopback(host string) bool {
	literal := address.Literal(host)
	for _, a := range literal {
		if !a.Unmap().IsLoopback() {
			return false
		}
	}
	return len(literal) > 0
}
