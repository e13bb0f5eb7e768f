package snapshot_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// elaborate is a policy of the app api that says all that can be said: in it every field of every message is set
// somewhere, so that there is none that a control plane of later could change unseen.
func elaborate() []proto.Message {
	noon := timestamppb.New(time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC))
	hour := durationpb.New(time.Hour)
	api := edgetest.API("http://127.0.0.1:1")
	api.Labels, api.Disabled, api.IdentityGroups = map[string]string{"tier": "prod"}, true, []string{"staff"}
	api.AllowEncodedSlash, api.AllowSemicolon, api.MergeSlashes, api.CorsPreflight, api.StripAuthorization = true, true, true, true, true
	api.AllowedHeaders, api.WebsocketOrigins = []string{"X-Sent"}, []string{"https://api.acme.localhost"}
	api.Session, api.Routes[0].Timeout = edgetest.Limits(time.Hour, time.Minute), hour
	api.Operations[0].Hosts = []string{"api.acme.localhost"}
	conditions := &edgev1.Conditions{
		SourceCidrs: []string{"10.0.0.0/8"}, Idps: []string{"demo"}, MembersOf: []string{"staff"}, NotBefore: noon, NotAfter: timestamppb.New(noon.AsTime().Add(time.Hour)),
		Countries: []string{"DE"}, MaxAuthAge: hour, RequiredAcr: []string{"phr"}, RequiredAmr: []string{"hwk"},
		TimeWindows: []*edgev1.TimeWindow{{Days: []edgev1.DayOfWeek{edgev1.DayOfWeek_DAY_OF_WEEK_MONDAY}, Start: "08:00", End: "18:00", Zone: "UTC"}},
		Device:      &edgev1.DeviceCondition{Managed: true, Compliant: true, Posture: []string{"disk"}, MaxReportAge: hour},
	}
	return []proto.Message{
		api,
		&edgev1.Role{Id: "reader", Uid: "role-reader", Operations: []string{"status"}, Access: []edgev1.Access{edgev1.Access_ACCESS_READ}},
		&edgev1.Group{Id: "staff", Uid: "group-staff", Members: []*edgev1.GroupMember{
			{Member: &edgev1.GroupMember_IdpGroup{IdpGroup: &edgev1.IdpGroup{Idp: "demo", Name: "staff"}}},
			{Member: &edgev1.GroupMember_Group{Group: "admins"}},
			{Member: &edgev1.GroupMember_ServiceAccount{ServiceAccount: "ci"}},
			{Member: &edgev1.GroupMember_User{User: "ann@acme.test"}},
		}},
		&edgev1.Membership{User: "bob@acme.test", Groups: []string{"staff"}},
		&edgev1.Policy{Id: "named", Uid: "policy-named", Apps: []string{"api"}, Mode: edgev1.PolicyMode_POLICY_MODE_ENFORCED, Rules: []*edgev1.Rule{
			{Id: "roles", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"group:staff"}, Roles: []string{"reader"}},
			{
				Id: "all", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"people"}, Operations: []string{"*"},
				Conditions: conditions, Expression: `request.method == "GET"`, Remediation: "Ask.",
			},
		}},
		&edgev1.Policy{
			Id: "rail", Uid: "policy-rail", Mode: edgev1.PolicyMode_POLICY_MODE_SHADOW,
			Selector:   []*edgev1.LabelRequirement{{Key: "tier", Values: []string{"prod"}, Unset: edgev1.UnsetLabel_UNSET_LABEL_NO_MATCH}},
			Exemptions: []*edgev1.Exemption{{Id: "glass", Principals: []string{"people"}, Apps: []string{"api"}, NotAfter: noon}},
			Rules:      []*edgev1.Rule{{Id: "robots", Effect: edgev1.Effect_EFFECT_DENY, Principals: []string{"serviceAccounts"}, Operations: []string{"write"}}},
		},
		&edgev1.Grant{Id: "night", Uid: "grant-night", App: "api", Principals: []string{"people"}, Operations: []string{"read"}, NotBefore: noon, NotAfter: timestamppb.New(noon.AsTime().Add(time.Hour))},
		&edgev1.Grant{Id: "day", Uid: "grant-day", App: "api", Principals: []string{"people"}, Roles: []string{"reader"}, NotAfter: noon},
	}
}

// bearsOnAll are messages of which something unknown closes every app: it cannot be told which ones it is about.
var bearsOnAll = []protoreflect.Name{"Policy", "LabelRequirement", "Membership"}

// Whatever a later control plane adds to what policies are made of, in each message and each enum of them: an edge that
// does not know it closes the apps that it bears on, tells so when it acknowledges the update, and opens them once it is
// gone. The walk is over descriptors: a message or a field that is new fails until it is among what is tried.
func TestWhatALaterControlPlaneAddsCloses(t *testing.T) {
	t.Parallel()
	e := world(t)
	all := elaborate()
	if applied := e.Put(t, edgetest.Acme, all...); len(applied.GetClosedApps()) > 0 {
		t.Fatalf("closed: %v", applied.GetClosedApps())
	}
	tried := map[protoreflect.FullName]bool{}
	for _, m := range all {
		for i, part := range parts(m.ProtoReflect()) {
			name := part.Descriptor().Name()
			want := []string{"api"}
			if slices.Contains(bearsOnAll, name) {
				want = []string{"api", "wiki"}
			}
			tried[part.Descriptor().FullName()] = true
			for what, spoil := range foreign(part) {
				spoiled := proto.Clone(m)
				spoil(parts(spoiled.ProtoReflect())[i])
				if diff := cmp.Diff(wantClosed(what, want), e.Put(t, edgetest.Acme, spoiled).GetClosedApps()); diff != "" {
					t.Errorf("%s of a %s, in a %T: closed (-want +got):\n%s", what, name, m, diff)
				}
				if _, app, ok := e.Node.Store.Table().Host("api.acme.localhost"); !ok || !app.Closed {
					t.Errorf("%s of a %s, in a %T: the app is acknowledged as closed, and open", what, name, m)
				}
			}
			part.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
				tried[f.FullName()] = true
				return true
			})
		}
		if applied := e.Put(t, edgetest.Acme, m); len(applied.GetClosedApps()) > 0 {
			t.Fatalf("afterwards a %T leaves closed: %v", m, applied.GetClosedApps())
		}
	}
	for _, m := range all {
		everyField(m.ProtoReflect().Descriptor(), func(name protoreflect.FullName) {
			if !tried[name] {
				t.Errorf("nothing tried has %s", name)
			}
		})
	}
	applied := e.Apply(t, edgetest.Acme, edgev1.Lane_LANE_CONFIG, edgetest.Change{Raw: []*edgev1.Resource{{Kind: "Zebra", Id: "z", Uid: "z"}}})
	if diff := cmp.Diff([]string{"api", "wiki"}, applied.GetClosedApps()); diff != "" {
		t.Errorf("a kind: closed (-want +got):\n%s", diff)
	}
}

// wantClosed is what a value closes. Only the value that says what an unset label is makes it unknown which apps are
// selected; that of a policy's mode does not.
func wantClosed(what string, want []string) []string {
	if what == "an unknown mode" {
		return []string{"api"}
	}
	return want
}

// foreign are the ways to make a message one of later: a field, and a value of each of its enums.
func foreign(m protoreflect.Message) map[string]func(protoreflect.Message) {
	ways := map[string]func(protoreflect.Message){"a field": func(m protoreflect.Message) { m.SetUnknown([]byte{0xf8, 0x07, 0x01}) }}
	m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		switch value := protoreflect.ValueOfEnum(4711); {
		case f.Kind() != protoreflect.EnumKind:
		case f.IsList():
			ways[fmt.Sprintf("an unknown %s", f.Name())] = func(m protoreflect.Message) { m.Mutable(f).List().Append(value) }
		default:
			ways[fmt.Sprintf("an unknown %s", f.Name())] = func(m protoreflect.Message) { m.Set(f, value) }
		}
		return true
	})
	return ways
}

// parts are a message and all in it, in order of fields.
func parts(m protoreflect.Message) []protoreflect.Message {
	all := []protoreflect.Message{m}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsMap() || f.Message() == nil || !m.Has(f):
		case f.IsList():
			for n := range m.Get(f).List().Len() {
				all = append(all, parts(m.Get(f).List().Get(n).Message())...)
			}
		default:
			all = append(all, parts(m.Get(f).Message())...)
		}
	}
	return all
}

// everyField visits the fields of a message of ours and of all that it is made of, and each message.
func everyField(m protoreflect.MessageDescriptor, visit func(protoreflect.FullName)) {
	visit(m.FullName())
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		visit(f.FullName())
		if inner := f.Message(); inner != nil && !f.IsMap() && inner.ParentFile().Package() == m.ParentFile().Package() {
			everyField(inner, visit)
		}
	}
}
