package controlplane_test

import (
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]controlplane.Name{
		"tenants/acme":                        {Tenant: "acme", Kind: controlplane.KindTenant, ID: "acme"},
		"tenants/acme/apps/wiki":              {Tenant: "acme", Kind: controlplane.KindApp, ID: "wiki"},
		"tenants/acme/identityProviders/demo": {Tenant: "acme", Kind: controlplane.KindIdentityProvider, ID: "demo"},
		"platform/members/ann":                {Kind: controlplane.KindMember, ID: "ann"},
		"edgePools/dev":                       {Kind: controlplane.KindEdgePool, ID: "dev"},
		"edgePools/dev/edges/eu-1":            {Kind: controlplane.KindEdge, ID: "dev/eu-1"},
	} {
		got, err := controlplane.ParseName(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "tenants", "tenants/", "/acme", "tenants/acme/", "tenants/acme/apps", "tenants/acme/apps/", "tenants//apps/x",
		"tenants/acme/apps/x/y", "tenants/acme/edges/x", "tenants/acme/edgePools/x", "tenants/acme/tenants/x", "platform", "platform/apps/x", "platform/edgePools/x",
		"edgePools", "edgePools/dev/edges", "edgePools/dev/apps/x", "tenants/acme/nothings/x",
	} {
		if got, err := controlplane.ParseName(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
	for id, valid := range map[string]bool{"a": true, "a-1": true, "eu-1": true, "": false, "-": false, "a-": false, "A": false, "1": false, "a/b": false, strings.Repeat("a", 64): false} {
		if controlplane.ValidID(controlplane.KindApp, id) != valid || controlplane.ValidID(controlplane.KindEdge, "dev/"+id) != valid {
			t.Errorf("id %q", id)
		}
	}
	if controlplane.ValidID(controlplane.KindEdge, "eu-1") || controlplane.ValidID(controlplane.KindEdge, "/eu-1") {
		t.Error("an edge outside of a pool")
	}
}

// A name has one spelling.
func FuzzParseName(f *testing.F) {
	f.Add("tenants/acme/apps/wiki")
	f.Add("edgePools/dev/edges/eu-1")
	f.Add("platform/members/ann")
	f.Fuzz(func(t *testing.T, text string) {
		if name, err := controlplane.ParseName(text); err == nil && name.String() != text {
			t.Errorf("%q is read as %+v, which is %q", text, name, name)
		}
	})
}
