package login

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// claims are what a provider says, by exact name. Numbers are json.Number.
type claims map[string]any

// rawJSON takes the bytes of a document that a library has.
type rawJSON []byte

func (r *rawJSON) UnmarshalJSON(b []byte) error {
	*r = bytes.Clone(b)
	return nil
}

// maxGroupName is longer than any group name or id that providers use.
const maxGroupName = 256

// parseClaims refuses what two readers could read differently: a name that is there twice.
func parseClaims(body []byte) (claims, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	open, err := d.Token()
	if err != nil || open != json.Delim('{') {
		return nil, errors.New("it is not a JSON object")
	}
	c := claims{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errors.New("it is not valid JSON")
		}
		if _, twice := c[name.(string)]; twice {
			return nil, errors.New("a claim is there twice")
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, errors.New("it is not valid JSON")
		}
		c[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("it is not valid JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	return c, nil
}

func (c claims) text(name string) (string, bool) {
	s, ok := c[name].(string)
	return s, ok
}

// instant reads seconds since 1970 (RFC 7519 §2), within what a calendar has.
func (c claims) instant(name string) (time.Time, bool) {
	n, ok := c[name].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := n.Float64()
	if err != nil || math.IsNaN(seconds) || seconds <= 0 || seconds > 253402300799 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// lacks says whether a claim that the tenant maps is missing.
func lacks(c claims, idp *snapshot.IdentityProvider) bool {
	for _, name := range []string{idp.EmailClaim, idp.NameClaim, idp.GroupsClaim} {
		if _, there := c[name]; name != "" && !there {
			return true
		}
	}
	return false
}

// person reads the mapped claims. A claim of the wrong type is an error that somebody sees, never an empty value: rules
// would be decided on something that nobody said.
func person(idp *snapshot.IdentityProvider, c claims) (session.Person, error) {
	sub, _ := c.text("sub")
	p := session.Person{Issuer: idp.Issuer, Subject: sub, IDPUID: idp.UID, GroupsComplete: true}
	var err error
	if p.Email, err = optional(c, idp.EmailClaim); err != nil {
		return session.Person{}, err
	}
	if p.Name, err = optional(c, idp.NameClaim); err != nil {
		return session.Person{}, err
	}
	if p.ACR, err = optional(c, "acr"); err != nil {
		return session.Person{}, err
	}
	// Only JSON's true is true. The claim is about the standard address; one from elsewhere is verified by nobody.
	verified, _ := c["email_verified"].(bool)
	p.EmailVerified = verified && p.Email != "" && idp.EmailClaim == "email"
	if p.Groups, p.GroupsComplete, err = groups(c, idp.GroupsClaim); err != nil {
		return session.Person{}, err
	}
	if p.AMR, err = methods(c); err != nil {
		return session.Person{}, err
	}
	p.AuthTime, _ = c.instant("auth_time")
	return p, nil
}

func optional(c claims, name string) (string, error) {
	value, there := c[name]
	if name == "" || !there || value == nil {
		return "", nil
	}
	s, ok := value.(string)
	if !ok {
		return "", notAcceptable("the claim %q is not a string", name)
	}
	return s, nil
}

// methods reads amr (Core §2): nil if the provider does not say. Some say the one method without a list.
func methods(c claims) ([]string, error) {
	switch v := c["amr"].(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []any:
		list := make([]string, 0, len(v))
		for i, m := range v {
			s, ok := m.(string)
			if !ok {
				return nil, notAcceptable("the claim %q has something at position %d that is not a string", "amr", i)
			}
			list = append(list, s)
		}
		return list, nil
	}
	return nil, notAcceptable("the claim %q is not a list of strings", "amr")
}

// groups reads a list of names, or one name. Too many, or too long ones, are kept as far as they go, and the rest is
// unknown; so it is where the provider only says where to ask (distributed claims, Core §5.6.2). A provider that is to say,
// and says nothing, does not say that there are none: an empty list does. Else whoever signs in without the scope that brings
// the claim would escape what is refused to a group.
func groups(c claims, name string) (list []string, complete bool, err error) {
	if name == "" {
		return nil, true, nil
	}
	if elsewhere, ok := c["_claim_names"].(map[string]any); ok {
		if _, there := elsewhere[name]; there {
			return nil, false, nil
		}
	}
	var values []any
	switch v := c[name].(type) {
	case nil:
		return nil, false, nil
	case string:
		values = []any{v}
	case []any:
		values = v
	default:
		return nil, false, notAcceptable("the claim %q is not a list of strings", name)
	}
	complete = true
	for i, v := range values {
		s, ok := v.(string)
		if !ok {
			return nil, false, notAcceptable("the claim %q has something at position %d that is not a string", name, i)
		}
		if len(list) == session.MaxGroups || len(s) > maxGroupName {
			complete = false
			continue
		}
		if s != "" {
			list = append(list, s)
		}
	}
	return list, complete, nil
}

// allowed says why whoever this is may not sign in with this provider at all; empty if they may.
func allowed(idp *snapshot.IdentityProvider, p session.Person) policy.Reason {
	if len(idp.EmailDomains) == 0 {
		return ""
	}
	if p.Email == "" || !p.EmailVerified {
		return policy.IdentityEmailUnverified
	}
	if !idp.OwnsEmail(p.Email) {
		return policy.IdentityDomainNotAllowed
	}
	return ""
}
