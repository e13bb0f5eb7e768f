package idp_test

import (
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/idp"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		provider controlplane.IdentityProvider
		field    string // "" = sound
	}{
		"https":                         {controlplane.IdentityProvider{Issuer: "https://idp.example/realms/a"}, ""},
		"no scopes means ours":          {controlplane.IdentityProvider{Issuer: "https://idp.example"}, ""},
		"loopback, allowed":             {controlplane.IdentityProvider{Issuer: "http://localhost:5556", AllowHTTPLoopback: true}, ""},
		"loopback address, allowed":     {controlplane.IdentityProvider{Issuer: "http://[::1]:5556", AllowHTTPLoopback: true}, ""},
		"http":                          {controlplane.IdentityProvider{Issuer: "http://localhost:5556"}, "issuer"},
		"http elsewhere":                {controlplane.IdentityProvider{Issuer: "http://idp.example", AllowHTTPLoopback: true}, "allow_http_loopback"},
		"https elsewhere, http allowed": {controlplane.IdentityProvider{Issuer: "https://idp.example", AllowHTTPLoopback: true}, "allow_http_loopback"},
		"https here, http allowed":      {controlplane.IdentityProvider{Issuer: "https://localhost:5556", AllowHTTPLoopback: true}, ""},
		"http at a private address":     {controlplane.IdentityProvider{Issuer: "http://10.0.0.1", AllowHTTPLoopback: true}, "allow_http_loopback"},
		"http at a lookalike":           {controlplane.IdentityProvider{Issuer: "http://localhost.example", AllowHTTPLoopback: true}, "allow_http_loopback"},
		"loopback spelled otherwise":    {controlplane.IdentityProvider{Issuer: "http://127.1:5556", AllowHTTPLoopback: true}, "issuer"},
		"query":                         {controlplane.IdentityProvider{Issuer: "https://idp.example?a=b"}, "issuer"},
		"user":                          {controlplane.IdentityProvider{Issuer: "https://u@idp.example"}, "issuer"},
		"another scheme":                {controlplane.IdentityProvider{Issuer: "ldap://idp.example"}, "issuer"},
		"empty":                         {controlplane.IdentityProvider{}, "issuer"},
		"scopes without openid":         {controlplane.IdentityProvider{Issuer: "https://idp.example", Scopes: []string{"email"}}, "scopes"},
		"domain in upper case":          {controlplane.IdentityProvider{Issuer: "https://idp.example", EmailDomains: []string{"acme.test", "ACME.example"}}, "email_domains[1]"},
		"our parameter":                 {controlplane.IdentityProvider{Issuer: "https://idp.example", AuthorizeParameters: map[string]string{"state": "x"}}, `authorize_parameters["state"]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := idp.Check(&c.provider)
			if (len(got) == 0) != (c.field == "") || len(got) > 1 || len(got) == 1 && got[0].Field != c.field {
				t.Errorf("got %+v, want field %q", got, c.field)
			}
		})
	}
}
