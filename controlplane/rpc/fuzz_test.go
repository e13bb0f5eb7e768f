package rpc

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// What protojson accepts is accepted and means the same, but for empty lists in rules; what it refuses is refused, only later and better said.
func FuzzStrictJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `{"parent":"tenants/acme","resources":[{"@type":"type.googleapis.com/sallyport.v1.App","hosts":["a"],"x":1}]}`,
		`{"resources":[{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}],"etags":{"a":"b"}}`,
		`{"validateOnly":true,"validate_onli":true}`, `{"resources":[{"@type":""}]}`, `{"resources":[null]}`, `{"parent":null,"prune":{}}`,
		`{"resources":[{"@type":"type.googleapis.com/sallyport.v1.Grant","principals":[],"roles":[]}]}`,
		`{"resources":[{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"},{"@type":"type.googleapis.com/sallyport.v1.App","hosts":[]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict, ours v1.ApplyRequest
		refused := protojson.Unmarshal(data, &strict)
		err := strictJSON{}.Unmarshal(data, &ours)
		if len(data) == 0 {
			if err == nil {
				t.Error("nothing is a request")
			}
			return
		}
		if err != nil {
			t.Fatalf("the codec fails by itself: %v", err)
		}
		found := refuseUnknown(&ours)
		if refused == nil && found != nil && strings.Contains(found.Error(), "an empty list") && emptyList.Match(data) {
			return // a message cannot hold it
		}
		if (refused == nil) != (found == nil) {
			t.Errorf("protojson says %v, we say %v", refused, found)
		}
		if refused == nil {
			if diff := cmp.Diff(&strict, &ours, protocmp.Transform()); diff != "" {
				t.Errorf("(-protojson +ours):\n%s", diff)
			}
		}
	})
}

// Whatever a mask and a patch say, what only the server writes stays as it is.
func FuzzMerge(f *testing.F) {
	f.Add("display_name", "upstream_identity.groups", []byte{})
	f.Add("*", "", []byte{})
	f.Add("name", "uid", []byte("\x0a\x01x"))
	f.Add("session.idle_timeout", "routes.path", []byte("\x12\x01x"))
	f.Fuzz(func(t *testing.T, first, second string, data []byte) {
		patch := &v1.App{}
		if proto.Unmarshal(data, patch) != nil {
			return
		}
		current := &v1.App{
			Name: "n", Uid: "u", Etag: "e", Revision: "c1", CreateTime: timestamppb.New(timestamppb.Now().AsTime()), Hosts: []string{"h"},
			UpstreamIdentity: &v1.UpstreamIdentity{Groups: []string{"g"}},
		}
		before, sent := proto.CloneOf(current), proto.CloneOf(patch)
		mask := &fieldmaskpb.FieldMask{Paths: []string{first, second}}
		if second == "" {
			mask.Paths = mask.Paths[:1]
		}
		_, err := merge(current, patch, mask)
		if !proto.Equal(patch, sent) {
			t.Error("the patch was changed")
		}
		if current.GetName() != "n" || current.GetUid() != "u" || current.GetEtag() != "e" || current.GetRevision() != "c1" || !proto.Equal(current.GetCreateTime(), before.GetCreateTime()) {
			t.Errorf("what only the server writes was written: %v", current)
		}
		if err == nil && len(current.GetUpstreamIdentity().GetGroups()) > 0 && len(patch.GetUpstreamIdentity().GetGroups()) > 0 {
			current.UpstreamIdentity.Groups[0] = "changed"
			if !proto.Equal(patch, sent) {
				t.Error("the result shares memory with the patch")
			}
		}
	})
}

// A page token is only ever a place in the list that it was made for.
func FuzzPageToken(f *testing.F) {
	_, token := next("apps", []string{"a", "b"}, 1, func(s string) string { return s })
	f.Add(token)
	f.Add("")
	f.Add("eyJvZiI6ImFwcHMifQ")
	f.Fuzz(func(t *testing.T, token string) {
		last, err := after("apps", token)
		if (token == "") != (err == nil && last == "") {
			t.Errorf("%q: %q, %v", token, last, err)
		}
		if _, other := after("groups", token); token != "" && err == nil && other == nil {
			t.Errorf("%q is a place in two lists", token)
		}
	})
}
