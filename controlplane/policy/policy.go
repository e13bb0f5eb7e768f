// Package policy holds what is stored against what edges can enforce: it turns a tenant's resources into the source of
// edge/policy and of edge/route and compiles them with the very code that edges run, so that nothing is accepted here
// that an edge would refuse, or read differently. It is pure, and the only package of the control plane that imports
// one of the edge's; it must never decide anything by rules of its own.
package policy

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/policy/expression"
	"github.com/sallyport-iap/sallyport/edge/route"
)

// Kinds are the kinds that a [Site] is made of. A change of another kind cannot change what is decided in it.
var Kinds = []controlplane.Kind{
	controlplane.KindApp, controlplane.KindRole, controlplane.KindGroup, controlplane.KindPolicy, controlplane.KindGrant,
	controlplane.KindIdentityProvider, controlplane.KindServiceAccount, controlplane.KindPolicyTest,
}

// Finding is something wrong with a tenant's policy, and the resource that it is in. Its field is a path in that resource.
type Finding struct {
	Kind controlplane.Kind
	ID   string
	controlplane.Violation
}

// finding reads the place of a problem, such as `policies[api].rules[2].principals[0]`.
func finding(p policy.Problem) Finding {
	f := Finding{Violation: controlplane.Violation{Field: p.Field, Description: p.Message, Reason: p.Reason, Suggestion: p.Suggestion}}
	collection, rest, ok := strings.Cut(p.Field, "[")
	if !ok {
		return f
	}
	id, path, ok := strings.Cut(rest, "]")
	if !ok {
		return f
	}
	for kind, traits := range controlplane.Kinds {
		if traits.Collection == collection {
			f.Kind, f.ID, f.Field = kind, id, strings.TrimPrefix(path, ".")
		}
	}
	return f
}

// CheckApp says what is wrong with an app's hosts, routes and operations.
func CheckApp(app *controlplane.App) []controlplane.Violation {
	_, problems := route.Compile(routes(app))
	var violations []controlplane.Violation
	for _, p := range problems {
		violations = append(violations, controlplane.Violation{Field: p.Field, Description: p.Message, Reason: p.Reason, Suggestion: p.Suggestion})
	}
	return violations
}

// Check says what is wrong with a policy by itself. What it means together with others, [Site.Findings] tells.
func Check(spec *controlplane.Policy) []controlplane.Violation {
	var violations []controlplane.Violation
	refuse := func(rule int, field, format string, args ...any) {
		violations = append(violations, controlplane.Violation{
			Field: fmt.Sprintf("rules[%d].%s", rule, field), Reason: controlplane.ReasonFieldInvalid, Description: fmt.Sprintf(format, args...),
		})
	}
	for i, r := range spec.Rules {
		if r.Conditions != nil && reflect.ValueOf(*r.Conditions).IsZero() {
			// What a client meant to say may have been lost on its way: an empty list is none in protobuf.
			refuse(i, "conditions", "there are none: leave the field out if the rule holds always")
		}
		if r.Conditions != nil && r.Conditions.Device != nil {
			refuse(i, "conditions.device", "nothing reports yet what a device is, so nobody could meet this: leave it out for now")
		}
		if fact, at, ok := readsDevice(r.Expression); ok {
			refuse(i, "expression", "line %d, column %d: nothing reports yet what a device is, so %s is always unknown: leave it out for now", at.Line, at.Column, fact)
		}
	}
	return violations
}

// readsDevice says which fact about devices an expression names first, and where. Of one that is faulty all is told later.
func readsDevice(source string) (fact string, at expression.Place, ok bool) {
	if !strings.Contains(source, "device") {
		return "", at, false
	}
	compiled, issues := expression.Compile(source)
	if len(issues) > 0 {
		return "", at, false
	}
	for _, f := range compiled.Reads() {
		place, named := compiled.Place(f)
		if !named || !strings.HasPrefix(f.String(), "device.") {
			continue
		}
		if !ok || place.Line < at.Line || place.Line == at.Line && place.Column < at.Column {
			fact, at, ok = f.String(), place, true
		}
	}
	return fact, at, ok
}

// CheckHost says what is wrong with a host name in the given field. What is stored is what is compared with requests, so
// only the canonical spelling is accepted.
func CheckHost(field, host string) []controlplane.Violation {
	canonical, err := route.Hostname(host)
	if err == nil && canonical == host {
		return nil
	}
	return []controlplane.Violation{{
		Field: field, Reason: controlplane.ReasonFieldInvalid, Suggestion: canonical,
		Description: fmt.Sprintf("%q is not a host name in lower case, without port", host),
	}}
}

// CanonicalEmail returns the one spelling under which edges compare an address; ok is false if it is none.
func CanonicalEmail(text string) (email string, ok bool) { return policy.CanonicalEmail(text) }
