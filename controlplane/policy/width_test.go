package policy

import (
	"reflect"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/policy/window"
)

// Of each condition, one that comes and one that goes is seen as what it is: wider is only what surely is.
func TestEveryConditionCounts(t *testing.T) {
	t.Parallel()
	site := NewSite(nil)
	one := policy.Conditions{
		SourceCIDRs: []string{"10.0.0.0/8"}, Countries: []string{"SE"}, TimeWindows: []window.Window{{Start: "08:00", End: "18:00", Zone: "UTC"}},
		NotBefore: time.Unix(1, 0), NotAfter: time.Unix(2, 0), Device: &policy.DeviceCondition{Managed: true}, MaxAuthAge: time.Hour,
		RequiredACR: []string{"a"}, RequiredAMR: []string{"otp"}, IDPs: []string{"demo"}, MembersOf: []string{"staff"},
	}
	rule := func(effect policy.Effect, c policy.Conditions) *policy.Rule {
		return &policy.Rule{Effect: effect, Principals: []string{"people"}, Operations: []string{"*"}, Conditions: c}
	}
	for i := range reflect.TypeFor[policy.Conditions]().NumField() {
		var some policy.Conditions
		reflect.ValueOf(&some).Elem().Field(i).Set(reflect.ValueOf(one).Field(i))
		field := reflect.TypeFor[policy.Conditions]().Field(i).Name
		if some.None() {
			t.Fatalf("%s is not set", field)
		}
		for _, c := range []struct {
			effect  policy.Effect
			was, is policy.Conditions
			want    bool
		}{
			{policy.DenyEffect, some, some, true},
			{policy.DenyEffect, some, policy.Conditions{}, true},
			{policy.DenyEffect, policy.Conditions{}, some, false},
			{policy.RequireEffect, some, some, true},
			{policy.RequireEffect, one, some, reflect.DeepEqual(one, some)},
			{policy.RequireEffect, some, policy.Conditions{}, false},
		} {
			if got := asWide(site, rule(c.effect, c.was), site, rule(c.effect, c.is)); got != c.want {
				t.Errorf("%s, %s: from %+v to %+v: as wide: %v", field, c.effect, c.was, c.is, got)
			}
		}
	}
	if asWide(site, rule(policy.DenyEffect, one), site, rule(policy.RequireEffect, one)) || !asWide(site, rule(policy.RequireEffect, one), site, rule(policy.DenyEffect, policy.Conditions{})) {
		t.Error("a DENY is as wide as a REQUIRE, and not the other way round")
	}
}
