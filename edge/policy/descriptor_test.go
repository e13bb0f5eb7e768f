package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
	"github.com/sallyport-iap/sallyport/edge/policy/reference"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// conditionFields are the fields of conditions as the API has them. What a
// condition is made of is listed one by one, unless there can be several of it.
func conditionFields() []string {
	return append(fieldsOf((*sallyportv1.Conditions)(nil).ProtoReflect().Descriptor(), ""), "expression")
}

// effects are those that the API has.
var effects = valuesOf(sallyportv1.Effect(0), "EFFECT_")

// valuesOf are the values of an enum that can be written.
func valuesOf(enum protoreflect.Enum, prefix string) (names []string) {
	values := enum.Descriptor().Values()
	for i := range values.Len() {
		if v := values.Get(i); v.Number() != 0 {
			names = append(names, strings.TrimPrefix(string(v.Name()), prefix))
		}
	}
	return names
}

func fieldsOf(message protoreflect.MessageDescriptor, prefix string) (names []string) {
	for i := range message.Fields().Len() {
		f := message.Fields().Get(i)
		name := prefix + string(f.Name())
		if m := f.Message(); m != nil && !f.IsList() && m.ParentFile().Package() == message.ParentFile().Package() {
			names = append(names, fieldsOf(m, name+".")...)
		} else {
			names = append(names, name)
		}
	}
	return names
}

// Every condition is true, false and unknown in some row, for each effect. The
// walk is over the API's own fields, so that a new one fails until it has its
// rows.
func TestEveryConditionHasItsRows(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	referee := newReferee(t)
	referee.Bend = func(effect, field string, v reference.Verdict) reference.Verdict {
		seen[effect+" "+field+" "+verdictNames[v]] = true
		return v
	}
	for _, c := range tableCases(t) {
		referee.Decide(c.World, &c.Request)
	}
	for _, field := range conditionFields() {
		for _, effect := range effects {
			for _, v := range verdictNames {
				if !seen[effect+" "+field+" "+v] {
					t.Errorf("no row has %s %s: %s", effect, field, v)
				}
			}
		}
	}
}

var verdictNames = map[reference.Verdict]string{reference.No: "violated", reference.Unknown: "unknown", reference.Yes: "matching"}

// What can be written in a policy or a grant is what tables can say: whatever the
// API has, there are mutants of, because there are of all that tables can say.
func TestTablesHaveAllOfTheAPI(t *testing.T) {
	t.Parallel()
	// A resource's name is its id in tables. The rest decides nothing.
	resource := []string{
		"uid", "etag", "create_time", "update_time", "revision", "labels", "annotations", "managed_by", "display_name",
		"reason", // why a grant was asked for
	}
	same := func(api proto.Message, table any, but ...string) {
		var want, got []string
		for f := range reflect.TypeOf(table).Fields() {
			want = append(want, snake(f.Name))
		}
		for _, name := range fieldsOf(api.ProtoReflect().Descriptor(), "") {
			name, _, _ = strings.Cut(name, ".")
			if name == "name" {
				name = "id"
			}
			if !slices.Contains(but, name) {
				got = append(got, name)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("%T: -tables +API\n%s", table, diff)
		}
	}
	same(&sallyportv1.Policy{}, policytest.Policy{}, resource...)
	same(&sallyportv1.LabelRequirement{}, policytest.LabelRequirement{})
	same(&sallyportv1.Exemption{}, policytest.Exemption{}, "description")
	same(&sallyportv1.Rule{}, policytest.Rule{})
	same(&sallyportv1.Conditions{}, policytest.Conditions{})
	same(&sallyportv1.DeviceCondition{}, policytest.DeviceCondition{})
	same(&sallyportv1.TimeWindow{}, policytest.Window{})
	same(&sallyportv1.Grant{}, policytest.Grant{}, resource...)
}

// Each value of an enum that can be written, or come out, is in some row.
func TestTablesUseAllValuesOfTheAPI(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, c := range tableCases(t) {
		used["OUTCOME_"+c.Want.Outcome] = true
		for _, p := range c.World.Policies {
			used["POLICY_MODE_"+p.Mode] = true
			for _, l := range p.Selector {
				used["UNSET_LABEL_"+l.Unset] = true
			}
			for _, r := range p.Rules {
				used["EFFECT_"+r.Effect] = true
				for _, w := range r.Conditions.TimeWindows {
					for _, day := range w.Days {
						used["DAY_OF_WEEK_"+day] = true
					}
				}
			}
		}
	}
	for _, enum := range []protoreflect.Enum{
		sallyportv1.Effect(0), sallyportv1.PolicyMode(0), sallyportv1.UnsetLabel(0), sallyportv1.DayOfWeek(0), sallyportv1.Outcome(0),
	} {
		values := enum.Descriptor().Values()
		for i := range values.Len() {
			if v := values.Get(i); v.Number() != 0 && !used[string(v.Name())] {
				t.Errorf("no row has %s", v.Name())
			}
		}
	}
}

// snake turns SourceCIDRs into source_cidrs.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && 'A' <= r && r <= 'Z' && 'a' <= name[i-1] && name[i-1] <= 'z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
