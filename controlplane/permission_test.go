package controlplane_test

import (
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
)

func TestNobodyGrantsMoreThanTheirOwn(t *testing.T) {
	t.Parallel()
	roles := []controlplane.AdminRole{controlplane.Viewer, controlplane.Auditor, controlplane.AppManager, controlplane.Admin, controlplane.Owner}
	for i, a := range roles {
		for j, b := range roles {
			if got := a.Exceeds(b); got != (i > j) {
				t.Errorf("%s exceeds %s: %v", a, b, got)
			}
			if got, want := controlplane.Lesser(a, b), roles[min(i, j)]; got != want {
				t.Errorf("Lesser(%s, %s) = %s", a, b, got)
			}
		}
		if !controlplane.AdminRole("made up").Exceeds(a) {
			t.Errorf("a role nobody knows may be granted by %s", a)
		}
	}
	for _, p := range []controlplane.Permission{controlplane.ReadConfiguration, controlplane.WriteApps, controlplane.Revoke} {
		if controlplane.AdminRole("made up").Can(p) {
			t.Errorf("a role nobody knows can %s", p)
		}
	}
}

func TestTheWall(t *testing.T) {
	t.Parallel()
	acme := &controlplane.Caller{TenantUID: "a"}
	if err := acme.Enter("a"); err != nil {
		t.Errorf("own tenant: %v", err)
	}
	for _, tenant := range []controlplane.UID{"b", "", controlplane.PlatformUID} {
		if err := acme.Enter(tenant); controlplane.KindOf(err) != controlplane.NotFound {
			t.Errorf("tenant %q: %v", tenant, err)
		}
	}
	if err := (&controlplane.Caller{}).Enter(""); err == nil {
		t.Error("a caller of no tenant enters no tenant")
	}
	bootstrap := &controlplane.Caller{ActorKind: controlplane.BootstrapActor, TenantUID: controlplane.PlatformUID}
	if err := bootstrap.Enter(controlplane.PlatformUID); err != nil {
		t.Errorf("the bootstrap token on the platform: %v", err)
	}
	if err := bootstrap.Enter("a"); controlplane.KindOf(err) != controlplane.NotFound {
		t.Errorf("the bootstrap token in a tenant: %v", err)
	}
	if err := (&controlplane.Caller{TenantUID: controlplane.PlatformUID}).Enter("b"); err != nil {
		t.Errorf("operator: %v", err)
	}
}
