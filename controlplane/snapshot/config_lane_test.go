package snapshot

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

func TestConfigEntry(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	labelsOf := map[string]map[string]string{"app, nothing by default": {"tier": "prod"}}
	for name, tc := range map[string]struct {
		spec   controlplane.Spec
		tokens []*edgev1.ServiceToken
		want   string // JSON of the message, without id and uid
		into   proto.Message
	}{
		"tenant, all by default": {&controlplane.Tenant{}, nil, `{"session": {"absoluteLifetime": "43200s", "idleTimeout": "3600s"}}`, &edgev1.Tenant{}},
		"tenant": {
			&controlplane.Tenant{AuthHost: "auth.acme.test", Disabled: true, Session: &controlplane.SessionLimits{IdleTimeout: new(controlplane.Duration(time.Minute))}}, nil,
			`{"authHost": "auth.acme.test", "disabled": true, "session": {"absoluteLifetime": "43200s", "idleTimeout": "60s"}}`, &edgev1.Tenant{},
		},
		"app, all by default": {
			&controlplane.App{Hosts: []string{"wiki.acme.test"}, Routes: []controlplane.Route{{Path: "/**", Upstreams: []controlplane.Upstream{{URL: "http://u"}}}}}, nil,
			`{"hosts": ["wiki.acme.test"], "routes": [{"path": "/**", "upstreamUrls": ["http://u"], "timeout": "60s"}],
			  "operations": [{"id": "read", "methods": ["GET"], "paths": ["/**"], "access": "ACCESS_READ"},
			                 {"id": "write", "methods": ["*", "WEBSOCKET"], "paths": ["/**"], "access": "ACCESS_WRITE"}],
			  "maxStaleness": "86400s", "sessionStoreGrace": "3600s"}`, &edgev1.App{},
		},
		"app, nothing by default": {
			&controlplane.App{
				Hosts:             []string{"a", "b"},
				Routes:            []controlplane.Route{{Path: "/v1/**", Upstreams: []controlplane.Upstream{{URL: "http://u"}, {URL: "http://v"}}, Websocket: true, Timeout: new(controlplane.Duration(time.Second))}},
				Operations:        []controlplane.Operation{{ID: "r", Methods: []string{"GET"}, Paths: []string{"/v1"}, Hosts: []string{"a"}}, {ID: "w", Methods: []string{"GET", "POST"}}, {ID: "x", Methods: []string{"GET"}, Access: "ACCESS_CLASS_ADMIN"}},
				UpstreamIdentity:  &controlplane.UpstreamIdentity{Headers: []string{"user"}, Groups: []string{"g"}},
				Disabled:          true,
				AllowEncodedSlash: true, AllowSemicolon: true, MergeSlashes: true, CORSPreflight: true,
				UpstreamAuthorization: "UPSTREAM_AUTHORIZATION_STRIP", AllowedHeaders: []string{"x_y"}, WebsocketOrigins: []string{"https://o"},
				Session: &controlplane.SessionLimits{AbsoluteLifetime: new(controlplane.Duration(time.Hour))}, MaxStaleness: new(controlplane.Duration(time.Minute)), SessionStoreGrace: new(controlplane.Duration(0)),
			}, nil,
			`{"hosts": ["a", "b"], "routes": [{"path": "/v1/**", "upstreamUrls": ["http://u", "http://v"], "websocket": true, "timeout": "1s"}],
			  "operations": [{"id": "r", "methods": ["GET"], "paths": ["/v1"], "hosts": ["a"], "access": "ACCESS_READ"},
			                 {"id": "w", "methods": ["GET", "POST"], "access": "ACCESS_WRITE"}, {"id": "x", "methods": ["GET"], "access": "ACCESS_ADMIN"}],
			  "identityHeaders": ["user"], "identityGroups": ["g"], "disabled": true, "allowEncodedSlash": true, "allowSemicolon": true, "mergeSlashes": true,
			  "corsPreflight": true, "stripAuthorization": true, "allowedHeaders": ["x_y"], "websocketOrigins": ["https://o"],
			  "session": {"absoluteLifetime": "3600s"}, "maxStaleness": "60s", "sessionStoreGrace": "0s", "labels": {"tier": "prod"}}`, &edgev1.App{},
		},
		"an access that we do not know closes the app at the edge": {
			&controlplane.App{Operations: []controlplane.Operation{{ID: "x", Access: "ACCESS_CLASS_LATER"}}, MaxStaleness: new(controlplane.Duration(time.Minute)), SessionStoreGrace: new(controlplane.Duration(0))}, nil,
			`{"operations": [{"id": "x"}], "maxStaleness": "60s", "sessionStoreGrace": "0s"}`, &edgev1.App{},
		},
		"role": {&controlplane.Role{Operations: []string{"invoices.*"}, Access: []string{"ACCESS_CLASS_READ"}}, nil, `{"operations": ["invoices.*"], "access": ["ACCESS_READ"]}`, &edgev1.Role{}},
		"group": {
			&controlplane.Group{Members: []controlplane.GroupMember{{IDPGroup: &controlplane.IDPGroup{IDP: "demo", Name: "eng"}}, {Group: "g"}, {ServiceAccount: "ci"}, {User: "a@b.test"}}}, nil,
			`{"members": [{"idpGroup": {"idp": "demo", "name": "eng"}}, {"group": "g"}, {"serviceAccount": "ci"}]}`, &edgev1.Group{},
		},
		"policy": {
			&controlplane.Policy{Apps: []string{"wiki"}, Rules: []controlplane.Rule{{
				ID: "r", Effect: "EFFECT_REQUIRE", Principals: []string{"anyone"}, Roles: []string{"viewer"}, Operations: []string{"use"}, Description: "for admins", Remediation: "ask",
				Expression: "true",
				Conditions: &controlplane.Conditions{
					SourceCIDRs: []string{"10.0.0.0/8"}, Countries: []string{"DE", "unknown"}, IDPs: []string{"demo"}, MembersOf: []string{"g"}, NotBefore: &noon, NotAfter: &noon,
					TimeWindows: []controlplane.TimeWindow{{Days: []string{"DAY_OF_WEEK_MONDAY"}, Start: "22:00", End: "06:00", Zone: "Europe/Berlin"}},
					Device:      &controlplane.DeviceCondition{Managed: true, Compliant: true, Posture: []string{"disk"}, MaxReportAge: new(controlplane.Duration(time.Hour))},
					MaxAuthAge:  new(controlplane.Duration(time.Minute)), RequiredACR: []string{"high"}, RequiredAMR: []string{"hwk"},
				},
			}}}, nil,
			`{"apps": ["wiki"], "rules": [{"id": "r", "effect": "EFFECT_REQUIRE", "principals": ["anyone"], "roles": ["viewer"], "operations": ["use"], "remediation": "ask",
			  "expression": "true",
			  "conditions": {"sourceCidrs": ["10.0.0.0/8"], "countries": ["DE", "unknown"], "idps": ["demo"], "membersOf": ["g"], "notBefore": "2026-11-23T12:00:00Z", "notAfter": "2026-11-23T12:00:00Z",
			    "timeWindows": [{"days": ["DAY_OF_WEEK_MONDAY"], "start": "22:00", "end": "06:00", "zone": "Europe/Berlin"}],
			    "device": {"managed": true, "compliant": true, "posture": ["disk"], "maxReportAge": "3600s"}, "maxAuthAge": "60s", "requiredAcr": ["high"], "requiredAmr": ["hwk"]}}]}`, &edgev1.Policy{},
		},
		"guard-rail": {
			&controlplane.Policy{
				Mode:       "POLICY_MODE_SHADOW",
				Selector:   []controlplane.LabelRequirement{{Key: "tier", Values: []string{"prod"}}, {Key: "team", Values: []string{"a", "b"}, Unset: "UNSET_LABEL_NO_MATCH"}},
				Exemptions: []controlplane.Exemption{{ID: "e", Principals: []string{"group:g"}, Apps: []string{"wiki"}, NotAfter: &noon, Description: "for admins"}},
			}, nil,
			`{"mode": "POLICY_MODE_SHADOW", "selector": [{"key": "tier", "values": ["prod"], "unset": "UNSET_LABEL_MATCH"}, {"key": "team", "values": ["a", "b"], "unset": "UNSET_LABEL_NO_MATCH"}],
			  "exemptions": [{"id": "e", "principals": ["group:g"], "apps": ["wiki"], "notAfter": "2026-11-23T12:00:00Z"}]}`, &edgev1.Policy{},
		},
		"enum values that we do not know close the apps at the edge": {
			&controlplane.Policy{Mode: "POLICY_MODE_LATER", Selector: []controlplane.LabelRequirement{{Key: "k", Unset: "UNSET_LABEL_LATER"}}, Rules: []controlplane.Rule{{ID: "r", Effect: "EFFECT_LATER"}}}, nil,
			`{"mode": -1, "selector": [{"key": "k"}], "rules": [{"id": "r"}]}`, &edgev1.Policy{},
		},
		"grant": {
			&controlplane.Grant{App: "wiki", Principals: []string{"user:a@b.test"}, Roles: []string{"viewer"}, Operations: []string{"use"}, NotBefore: &noon, NotAfter: &noon, Reason: "for admins"}, nil,
			`{"app": "wiki", "principals": ["user:a@b.test"], "roles": ["viewer"], "operations": ["use"], "notBefore": "2026-11-23T12:00:00Z", "notAfter": "2026-11-23T12:00:00Z"}`, &edgev1.Grant{},
		},
		"service account": {
			&controlplane.ServiceAccount{Description: "for admins", Disabled: true},
			tokensByAccount([]store.ServiceToken{{ID: "abc", ServiceAccountUID: "uid-of-x", Hash: []byte("h"), ExpireTime: noon, Urgent: 7}})["uid-of-x"],
			`{"disabled": true, "tokens": [{"id": "abc", "sha256": "aA==", "expireTime": "2026-11-23T12:00:00Z", "urgent": "7"}]}`, &edgev1.ServiceAccount{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entry, ok, err := configEntry(&controlplane.Resource{ID: "x", UID: "uid-of-x", Revision: 5, Labels: labelsOf[name], Spec: tc.spec}, tc.tokens)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			want := proto.Clone(tc.into)
			if err := protojson.Unmarshal([]byte(tc.want), want); err != nil {
				t.Fatal(err)
			}
			m := want.ProtoReflect()
			m.Set(m.Descriptor().Fields().ByName("id"), protoreflect.ValueOfString("x"))
			m.Set(m.Descriptor().Fields().ByName("uid"), protoreflect.ValueOfString("uid-of-x"))
			if err := proto.Unmarshal(entry.Resource.Bytes, tc.into); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, tc.into, protocmp.Transform()); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
			if r := entry.Resource; r.Kind != string(want.ProtoReflect().Descriptor().Name()) || r.Id != "x" || r.Uid != "uid-of-x" || r.Revision != 5 {
				t.Errorf("resource %s %s %s r%d", r.Kind, r.Id, r.Uid, r.Revision)
			}
		})
	}
	for _, spec := range []controlplane.Spec{&controlplane.Member{}, &controlplane.APIToken{}, &controlplane.PolicyTest{}, &controlplane.Edge{}, &controlplane.IdentityProvider{}, &controlplane.EdgePool{}} {
		if _, ok, err := configEntry(&controlplane.Resource{Spec: spec}, nil); ok || err != nil {
			t.Errorf("%T: %v, %v", spec, ok, err)
		}
	}
}
