package rpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/sallyport-iap/sallyport/controlplane"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// A field that we do not know is refused and never dropped: it may be a condition that narrows who gets in, written by a
// client that is newer than this server. Connect's own JSON codec discards unknown fields, so JSON gets one of ours. As
// Connect reports a codec's errors by itself, without details, the codec does not fail: it leaves what it found among the
// message's unknown fields, where [refuseUnknown] looks anyway for what a binary client sent.

// strictJSON is the codec of `application/json`.
type strictJSON struct{ name string }

// foundInJSON is the number under which the codec leaves a violation. No message has it; a client that sends it gets an
// error text of its own making.
const foundInJSON protowire.Number = 536870911

func (c strictJSON) Name() string { return c.name }

func (strictJSON) Marshal(message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is not a message", message)
	}
	return protojson.Marshal(m)
}

func (strictJSON) Unmarshal(data []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is not a message", message)
	}
	if len(data) == 0 {
		return errors.New("the body is empty: send at least {}")
	}
	malformed := protojson.Unmarshal(data, m)
	if malformed == nil && !emptyList.Match(data) {
		return nil
	}
	var tree any
	var found []controlplane.Violation
	if json.Unmarshal(data, &tree) == nil {
		found = unknownJSON(m.ProtoReflect().Descriptor(), tree, "")
	}
	switch {
	case len(found) == 0 && malformed == nil:
		return nil
	case len(found) == 0:
		found = []controlplane.Violation{{Field: "body", Description: whatIsMalformed(malformed), Reason: controlplane.ReasonFieldInvalid}}
	}
	proto.Reset(m)
	leave(m, found)
	return nil
}

// sayable is what of protojson's errors names places and types. The rest is a piece of the request, which may be a piece
// of a secret, and errors are logged.
var sayable = regexp.MustCompile(`unexpected EOF|(syntax error )?\(line \d+:\d+\): (invalid value for [a-z0-9]+ field \w+|invalid [\w.]+ value|[\w.]+ contains invalid path|duplicate (field|map key)|unexpected token|invalid value)?`)

func whatIsMalformed(err error) string {
	if text := strings.TrimSuffix(sayable.FindString(err.Error()), ": "); text != "" {
		return text
	}
	return "is not JSON of this request"
}

var emptyList = regexp.MustCompile(`\[\s*\]`)

// narrows reports whether a list says whom or what a rule is about. Once it is a message, an empty one is the same as none,
// and the rule would be about everybody.
func narrows(f protoreflect.FieldDescriptor) bool {
	path := f.ParentFile().Path()
	return path == v1.File_sallyport_v1_policy_proto.Path() || path == v1.File_sallyport_v1_grant_proto.Path()
}

// leave puts violations where [refuseUnknown] finds them.
func leave(m proto.Message, found []controlplane.Violation) {
	var unknown []byte
	for _, v := range found {
		data, err := json.Marshal(v)
		if err != nil {
			continue // it is four strings
		}
		unknown = protowire.AppendTag(unknown, foundInJSON, protowire.BytesType)
		unknown = protowire.AppendBytes(unknown, data)
	}
	m.ProtoReflect().SetUnknown(unknown)
}

// unknownJSON returns the fields and enum values of a JSON object that its message does not have, and what it cannot hold:
// lists that are there and empty, where that makes a difference.
func unknownJSON(d protoreflect.MessageDescriptor, tree any, at string) []controlplane.Violation {
	object, ok := tree.(map[string]any)
	if !ok || d.ParentFile().Package() != "sallyport.v1" && d.FullName() != anyName {
		return nil // a well-known type with a JSON form of its own
	}
	if d.FullName() == anyName {
		url, _ := object["@type"].(string)
		t, err := protoregistry.GlobalTypes.FindMessageByURL(url)
		if err != nil {
			return nil // protojson has said so
		}
		if d = t.Descriptor(); d.ParentFile().Package() != "sallyport.v1" {
			return nil
		}
	}
	var found []controlplane.Violation
	for _, key := range slices.Sorted(keys(object)) {
		if key == "@type" {
			continue
		}
		f := d.Fields().ByJSONName(key)
		if f == nil {
			f = d.Fields().ByTextName(key)
		}
		if f == nil {
			found = append(found, controlplane.Violation{
				Field: join(at, key), Suggestion: nearestField(d, key),
				Description: "there is no such field", Reason: controlplane.ReasonFieldUnknown,
			})
			continue
		}
		found = append(found, unknownIn(f, object[key], join(at, string(f.Name())))...)
	}
	return found
}

const anyName protoreflect.FullName = "google.protobuf.Any"

func unknownIn(f protoreflect.FieldDescriptor, value any, at string) []controlplane.Violation {
	if list, ok := value.([]any); ok && f.IsList() {
		if len(list) == 0 && narrows(f) {
			return []controlplane.Violation{{
				Field: at, Reason: controlplane.ReasonFieldInvalid,
				Description: "an empty list is not everything, and nothing is not meant: leave the field out, or say what it is",
			}}
		}
		var found []controlplane.Violation
		for i, element := range list {
			found = append(found, unknownElement(f, element, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return found
	}
	if f.IsMap() || f.IsList() {
		return nil
	}
	return unknownElement(f, value, at)
}

func unknownElement(f protoreflect.FieldDescriptor, value any, at string) []controlplane.Violation {
	switch {
	case f.Message() != nil:
		return unknownJSON(f.Message(), value, at)
	case f.Enum() != nil:
		return unknownEnum(f.Enum(), value, at)
	default:
		return nil
	}
}

func unknownEnum(d protoreflect.EnumDescriptor, value any, at string) []controlplane.Violation {
	name, ok := value.(string)
	if !ok || d.Values().ByName(protoreflect.Name(name)) != nil {
		return nil
	}
	var known []string
	for i := range d.Values().Len() {
		if v := d.Values().Get(i); v.Number() != 0 {
			known = append(known, string(v.Name()))
		}
	}
	return []controlplane.Violation{{
		Field: at, Reason: controlplane.ReasonFieldInvalid, Suggestion: controlplane.Nearest(name, known),
		Description: "must be one of " + strings.Join(known, ", "),
	}}
}

func keys(object map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range object {
			if !yield(k) {
				return
			}
		}
	}
}

// join puts a field's path behind the path of what it is in.
func join(at, field string) string {
	switch {
	case at == "":
		return field
	case field == "":
		return at
	default:
		return at + "." + field
	}
}

// refuseUnknown returns an error if the message, or one inside it, holds a field that we do not know.
func refuseUnknown(message proto.Message) error {
	if violations := unknownFields(message.ProtoReflect(), ""); len(violations) > 0 {
		return controlplane.InvalidFields(violations...)
	}
	return nil
}

func unknownFields(m protoreflect.Message, at string) []controlplane.Violation {
	var found []controlplane.Violation
	for rest := m.GetUnknown(); len(rest) > 0; {
		number, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			break
		}
		found = append(found, unknownField(m.Descriptor(), number, rest[:n], at))
		rest = rest[n:]
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		path := join(at, string(f.Name()))
		switch {
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for i := range v.List().Len() {
				found = append(found, unknownFields(v.List().Get(i).Message(), fmt.Sprintf("%s[%d]", path, i))...)
			}
		default:
			found = append(found, unknownFields(v.Message(), path)...)
		}
		return true
	})
	return found
}

func unknownField(d protoreflect.MessageDescriptor, number protowire.Number, field []byte, at string) controlplane.Violation {
	_, _, tag := protowire.ConsumeTag(field)
	var left controlplane.Violation
	if data, n := protowire.ConsumeBytes(field[tag:]); number == foundInJSON && n > 0 && json.Unmarshal(data, &left) == nil {
		return left
	}
	return controlplane.Violation{
		Field: join(at, fmt.Sprintf("%d", number)), Reason: controlplane.ReasonFieldUnknown,
		Description: fmt.Sprintf("%s has no field of this number; is the client newer than the server?", d.Name()),
	}
}
