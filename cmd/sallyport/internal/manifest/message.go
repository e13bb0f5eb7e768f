package manifest

import (
	"encoding/json"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport-iap/sallyport/cmd/internal/spelling"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// outputOnly are the envelope's fields that only the server writes, and `name`, which `id` stands for.
var outputOnly = map[string]bool{"name": true, "uid": true, "etag": true, "create_time": true, "update_time": true, "revision": true, "status": true}

// message turns a mapping into the JSON of a message. prefix is the resource, for errors; path the field so far.
func (d *decoder) message(n *yaml.Node, desc protoreflect.MessageDescriptor, prefix, path string, skip ...string) json.RawMessage {
	switch desc.FullName() {
	case "google.protobuf.Duration":
		return d.duration(n, prefix+path)
	case "google.protobuf.Timestamp":
		return d.timestamp(n, prefix+path)
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, prefix+path, "", "want a mapping")
		return nil
	}
	object := map[string]json.RawMessage{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if slices.Contains(skip, key.Value) {
			continue
		}
		at := join(path, key.Value)
		field := desc.Fields().ByName(protoreflect.Name(key.Value))
		switch {
		case path == "" && key.Value == "name":
			d.fail(key, prefix+at, "id", "a name is the tenant, the kind and the id: only the id is written")
		case field != nil && path == "" && outputOnly[key.Value]:
			d.fail(key, prefix+at, "", "is for the server to write: leave it out")
		case field == nil:
			d.fail(key, prefix+at, spelling.Nearest(key.Value, fieldNames(desc, path == "")), "unknown field %q", key.Value)
		default:
			object[key.Value] = d.field(value, field, prefix, at)
		}
	}
	return encode(object)
}

func (d *decoder) field(n *yaml.Node, f protoreflect.FieldDescriptor, prefix, path string) json.RawMessage {
	switch {
	case f.IsMap():
		if n.Kind != yaml.MappingNode {
			d.fail(n, prefix+path, "", "want a mapping")
			return nil
		}
		object := map[string]json.RawMessage{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i].Value
			object[key] = d.value(n.Content[i+1], f.MapValue(), prefix, join(path, key))
		}
		return encode(object)
	case f.IsList():
		if n.Kind != yaml.SequenceNode {
			d.fail(n, prefix+path, "", "want a list")
			return nil
		}
		if len(n.Content) == 0 && narrows(f) {
			d.fail(n, prefix+path, "", "an empty list is not everything, and nothing is not meant: leave the field out, or say what it is")
			return nil
		}
		list := make([]json.RawMessage, 0, len(n.Content))
		for i, item := range n.Content {
			list = append(list, d.value(item, f, prefix, fmt.Sprintf("%s[%d]", path, i)))
		}
		return encode(list)
	default:
		return d.value(n, f, prefix, path)
	}
}

func (d *decoder) value(n *yaml.Node, f protoreflect.FieldDescriptor, prefix, path string) json.RawMessage {
	if secret(f) {
		return d.secret(n, prefix+path)
	}
	switch f.Kind() {
	case protoreflect.MessageKind:
		return d.message(n, f.Message(), prefix, path)
	case protoreflect.EnumKind:
		return d.enum(n, f.Enum(), prefix+path)
	case protoreflect.StringKind:
		return d.text(n, prefix+path)
	case protoreflect.BoolKind:
		return d.boolean(n, prefix+path)
	default:
		return d.number(n, prefix+path)
	}
}

// narrows reports whether a list says whom or what a rule is about. An empty one would arrive as none, and the rule would be
// about everybody.
func narrows(f protoreflect.FieldDescriptor) bool {
	path := f.ParentFile().Path()
	return path == sallyportv1.File_sallyport_v1_policy_proto.Path() || path == sallyportv1.File_sallyport_v1_grant_proto.Path()
}

// encode is of values that were made here, which can be encoded.
func encode(value any) json.RawMessage {
	data, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return data
}

func fieldNames(desc protoreflect.MessageDescriptor, top bool) []string {
	var names []string
	if top {
		names = append(names, "kind", "id")
	}
	for i := range desc.Fields().Len() {
		name := string(desc.Fields().Get(i).Name())
		if !top || !outputOnly[name] {
			names = append(names, name)
		}
	}
	return names
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
