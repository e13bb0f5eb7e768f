package member_test

import (
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/member"
)

func TestNobodyActsAboveThemselves(t *testing.T) {
	t.Parallel()
	roles := []controlplane.AdminRole{controlplane.Viewer, controlplane.Auditor, controlplane.AppManager, controlplane.Admin, controlplane.Owner}
	for i, own := range roles {
		caller := &controlplane.Caller{Role: own}
		for j, other := range roles {
			m := &controlplane.Member{Role: other}
			for name, err := range map[string]error{
				"create":         member.MayWrite(caller, nil, m),
				"delete":         member.MayWrite(caller, m, nil),
				"raise":          member.MayWrite(caller, &controlplane.Member{Role: controlplane.Viewer}, m),
				"demote":         member.MayWrite(caller, m, &controlplane.Member{Role: controlplane.Viewer}),
				"token for":      member.MayWriteToken(caller, &controlplane.APIToken{Role: controlplane.Viewer}, m),
				"token as":       member.MayWriteToken(caller, &controlplane.APIToken{Role: other}, nil),
				"token as owner": member.MayWriteToken(caller, &controlplane.APIToken{Role: other}, &controlplane.Member{Role: controlplane.Viewer}),
			} {
				if allowed := err == nil; allowed != (j <= i) {
					t.Errorf("%s may %s %s: %v", own, name, other, allowed)
				}
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for email, sound := range map[string]bool{"": true, "ann@acme.test": true, "ann": false, "Ann <ann@acme.test>": false, "ann@acme.test, b@c": false, "ann@acme.test\n": false} {
		if got := member.Check(&controlplane.Member{Email: email}); (len(got) == 0) != sound {
			t.Errorf("%q: %+v", email, got)
		}
	}
}
