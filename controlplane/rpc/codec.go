package rpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// All kinds are converted by one piece of code: the JSON form of a spec is the JSON form of its message, field by field.
// A test over the descriptors keeps the two from drifting apart.

// Fields of the envelope that users write, and those that only the server does. The rest of a message is its spec.
var (
	written    = []protoreflect.Name{"labels", "annotations", "managed_by", "display_name"}
	outputOnly = []protoreflect.Name{"name", "uid", "etag", "create_time", "update_time", "revision"}
)

// statusField is output only: what a resource did, beside what it should be.
const statusField protoreflect.Name = "status"

// newMessage returns an empty message of the kind.
func newMessage(kind controlplane.Kind) (proto.Message, error) {
	t, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName("sallyport.v1." + string(kind)))
	if err != nil {
		return nil, fmt.Errorf("find the message of kind %s: %w", kind, err)
	}
	return t.New().Interface(), nil
}

// kindOf returns the kind that a message is of; ok is false if it is no resource.
func kindOf(d protoreflect.MessageDescriptor) (controlplane.Kind, bool) {
	kind := controlplane.Kind(d.Name())
	_, ok := controlplane.Kinds[kind]
	return kind, ok && d.FullName() == protoreflect.FullName("sallyport.v1."+string(kind))
}

// encode writes a resource as its message.
func encode(scope controlplane.Scope, r *controlplane.Resource) (proto.Message, error) {
	message, err := newMessage(r.Kind)
	if err != nil {
		return nil, err
	}
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", r.Kind, r.ID, err)
	}
	// An edge's pool is part of its name, so the message has no field for it: the one thing that is discarded.
	if err := (protojson.UnmarshalOptions{DiscardUnknown: r.Kind == controlplane.KindEdge}).Unmarshal(spec, message); err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", r.Kind, r.ID, err)
	}
	m := message.ProtoReflect()
	text := map[protoreflect.Name]string{
		"name": scope.Name(r.Kind, r.ID), "uid": string(r.UID), "etag": r.Etag, "managed_by": r.ManagedBy, "display_name": r.DisplayName,
		"revision": controlplane.Revision{Lane: controlplane.Config, Number: r.Revision}.String(),
	}
	for field, value := range text {
		setString(m, field, value)
	}
	setTime(m, "create_time", r.CreateTime)
	setTime(m, "update_time", r.UpdateTime)
	setMap(m, "labels", r.Labels)
	setMap(m, "annotations", r.Annotations)
	return message, nil
}

// decode reads what a user may write of a message into a resource of the given id. Output-only fields are left out.
func decode(id string, message proto.Message) (*controlplane.Resource, error) {
	m := message.ProtoReflect()
	kind, ok := kindOf(m.Descriptor())
	if !ok {
		return nil, fmt.Errorf("%s is not a resource", m.Descriptor().FullName())
	}
	r := &controlplane.Resource{
		Kind: kind, ID: id, Spec: controlplane.Kinds[kind].New(),
		DisplayName: getString(m, "display_name"), ManagedBy: getString(m, "managed_by"),
		Labels: getMap(m, "labels"), Annotations: getMap(m, "annotations"),
	}
	spec := proto.Clone(message).ProtoReflect()
	for _, field := range append(append([]protoreflect.Name{statusField}, written...), outputOnly...) {
		if f := spec.Descriptor().Fields().ByName(field); f != nil {
			spec.Clear(f)
		}
	}
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(spec.Interface())
	if err != nil {
		return nil, fmt.Errorf("decode %s %s: %w", kind, id, err)
	}
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if err := strict.Decode(r.Spec); err != nil {
		return nil, fmt.Errorf("decode %s %s: %w", kind, id, err)
	}
	if edge, ok := r.Spec.(*controlplane.Edge); ok {
		edge.Pool, _, _ = strings.Cut(id, "/")
	}
	return r, nil
}

func setString(m protoreflect.Message, field protoreflect.Name, value string) {
	if f := m.Descriptor().Fields().ByName(field); f != nil && value != "" {
		m.Set(f, protoreflect.ValueOfString(value))
	}
}

func getString(m protoreflect.Message, field protoreflect.Name) string {
	f := m.Descriptor().Fields().ByName(field)
	if f == nil || f.Kind() != protoreflect.StringKind {
		return ""
	}
	return m.Get(f).String()
}

func setTime(m protoreflect.Message, field protoreflect.Name, t time.Time) {
	if f := m.Descriptor().Fields().ByName(field); f != nil && !t.IsZero() {
		m.Set(f, protoreflect.ValueOfMessage(timestamppb.New(t).ProtoReflect()))
	}
}

func setMap(m protoreflect.Message, field protoreflect.Name, entries map[string]string) {
	f := m.Descriptor().Fields().ByName(field)
	if f == nil || len(entries) == 0 {
		return
	}
	for k, v := range entries {
		m.Mutable(f).Map().Set(protoreflect.ValueOfString(k).MapKey(), protoreflect.ValueOfString(v))
	}
}

func getMap(m protoreflect.Message, field protoreflect.Name) map[string]string {
	f := m.Descriptor().Fields().ByName(field)
	if f == nil || !m.Has(f) {
		return nil
	}
	entries := map[string]string{}
	m.Get(f).Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		entries[k.String()] = v.String()
		return true
	})
	return entries
}

// timestamp returns nil for no time.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
