package rpc

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// full sets every field of a message to something that is not its default, lists and maps to two elements.
func full(m protoreflect.Message, depth int) {
	switch v := m.Interface().(type) {
	case *durationpb.Duration:
		v.Seconds, v.Nanos = int64(depth), 500_000_000
		return
	case *timestamppb.Timestamp:
		v.Seconds, v.Nanos = 1_700_000_000+int64(depth), 123_000_000
		return
	}
	n := 0
	for f := range fields(m.Descriptor()) {
		n++
		if o := f.ContainingOneof(); o != nil && o.Fields().Get(0) != f {
			continue // the first one stands for the others; they have a test of their own
		}
		switch {
		case f.IsMap():
			for i := range 2 {
				m.Mutable(f).Map().Set(protoreflect.ValueOfString(fmt.Sprint("key", i)).MapKey(), protoreflect.ValueOfString(fmt.Sprint("value", n)))
			}
		case f.IsList():
			for i := range 2 {
				m.Mutable(f).List().Append(value(m.Mutable(f).List().NewElement(), f, depth+i+n))
			}
		default:
			m.Set(f, value(m.NewField(f), f, depth+n))
		}
	}
}

func value(empty protoreflect.Value, f protoreflect.FieldDescriptor, n int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(fmt.Sprintf("%s-%d", f.Name(), n))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(f.Enum().Values().Get(1).Number())
	case protoreflect.MessageKind:
		full(empty.Message(), n)
		return empty
	default:
		panic(fmt.Sprintf("%s is of kind %s: teach this test, and look whether its JSON is what encoding/json writes", f.FullName(), f.Kind()))
	}
}

func TestEveryFieldSurvives(t *testing.T) {
	t.Parallel()
	for kind := range controlplane.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			sent, err := newMessage(kind)
			if err != nil {
				t.Fatal(err)
			}
			full(sent.ProtoReflect(), 0)
			id := "the-id"
			if kind == controlplane.KindEdge {
				id = "pool/the-id"
			}
			r, err := decode(id, sent)
			if err != nil {
				t.Fatal(err)
			}
			stored, err := json.Marshal(r.Spec) // as the store does
			if err != nil {
				t.Fatal(err)
			}
			r.Spec = controlplane.Kinds[kind].New()
			if err := json.Unmarshal(stored, r.Spec); err != nil {
				t.Fatal(err)
			}
			r.UID, r.Etag, r.Revision = "the-uid", "the-etag", 7
			r.CreateTime, r.UpdateTime = time.Unix(1, 0), time.Unix(2, 0)
			scope := controlplane.Scope{UID: "t", ID: "acme"}
			got, err := encode(scope, r)
			if err != nil {
				t.Fatal(err)
			}
			want := sent.ProtoReflect()
			for field, text := range map[protoreflect.Name]string{"name": scope.Name(kind, id), "uid": "the-uid", "etag": "the-etag", "revision": "c7"} {
				setString(want, field, text)
			}
			setTime(want, "create_time", time.Unix(1, 0))
			setTime(want, "update_time", time.Unix(2, 0))
			for _, field := range []protoreflect.Name{statusField, "client_secret"} { // told by the edge; write-only
				if f := want.Descriptor().Fields().ByName(field); f != nil {
					want.Clear(f)
				}
			}
			if diff := cmp.Diff(sent, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-sent +got):\n%s", diff)
			}
		})
	}
}

// What the test above cannot see: a field of a spec that the API has not.
func TestEveryStoredFieldIsInTheAPI(t *testing.T) {
	t.Parallel()
	for kind, traits := range controlplane.Kinds {
		m, err := newMessage(kind)
		if err != nil {
			t.Fatal(err)
		}
		compareTypes(t, string(kind), reflect.TypeOf(traits.New()).Elem(), m.ProtoReflect().Descriptor(), kind)
	}
}

func compareTypes(t *testing.T, at string, spec reflect.Type, d protoreflect.MessageDescriptor, kind controlplane.Kind) {
	t.Helper()
	for field := range spec.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		f := d.Fields().ByName(protoreflect.Name(name))
		if f == nil {
			if kind != controlplane.KindEdge || name != "pool" {
				t.Errorf("%s.%s is stored and not in the API", at, name)
			}
			continue
		}
		inner := field.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() {
			compareTypes(t, at+"."+name, inner, f.Message(), "")
		}
	}
}

// Of a oneof the tests above fill only the first.
func TestEveryCaseOfAOneofSurvives(t *testing.T) {
	t.Parallel()
	for kind := range controlplane.Kinds {
		empty, err := newMessage(kind)
		if err != nil {
			t.Fatal(err)
		}
		eachOneof(empty.ProtoReflect().Descriptor(), nil, func(path []protoreflect.FieldDescriptor, c protoreflect.FieldDescriptor) {
			sent, err := newMessage(kind)
			if err != nil {
				t.Fatal(err)
			}
			m := sent.ProtoReflect()
			for _, f := range path {
				if f.IsList() {
					m = m.Mutable(f).List().AppendMutable().Message()
				} else {
					m = m.Mutable(f).Message()
				}
			}
			m.Set(c, value(m.NewField(c), c, 1))
			r, err := decode("x", sent)
			if err != nil {
				t.Fatalf("%s: %v", c.FullName(), err)
			}
			scope := controlplane.Scope{ID: "acme"}
			got, err := encode(scope, r)
			if err != nil {
				t.Fatalf("%s: %v", c.FullName(), err)
			}
			setString(sent.ProtoReflect(), "name", scope.Name(kind, "x"))
			if diff := cmp.Diff(sent, got, protocmp.Transform()); diff != "" {
				t.Errorf("%s (-sent +got):\n%s", c.FullName(), diff)
			}
		})
	}
}

// eachOneof visits each case of each oneof below a message, and the fields that lead there.
func eachOneof(d protoreflect.MessageDescriptor, path []protoreflect.FieldDescriptor, visit func(path []protoreflect.FieldDescriptor, c protoreflect.FieldDescriptor)) {
	for f := range fields(d) {
		if f.ContainingOneof() != nil {
			visit(path, f)
		}
		if f.Message() != nil && !f.IsMap() && f.Message().ParentFile().Package() == d.ParentFile().Package() {
			eachOneof(f.Message(), append(slices.Clip(path), f), visit)
		}
	}
}
