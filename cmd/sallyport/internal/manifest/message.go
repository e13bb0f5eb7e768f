package manifest

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/agext/levenshtein"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// outputOnly are the envelope's fields that only the server writes, and `name`, which `id` stands for.
var outputOnly = map[string]bool{"name": true, "uid": true, "etag": true, "create_time": true, "update_time": true, "revision": true, "status": true}

// message turns a mapping into the JSON of a message. prefix is the resource, for errors; path the field so far.
func (d *decoder) message(n *yaml.Node, desc protoreflect.MessageDescriptor, prefix, path string, skip ...string) json.RawMessage {
	switch desc.FullName() {
	case "google.protobuf.Duration":
		return d.duration(n, prefix+path)
	case "google.protobuf.Timestamp":
		return d.quoted(n, prefix+path)
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, prefix+path, "", "want a mapping")
		return nil
	}
	object := map[string]json.RawMessage{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if path == "" && contains(skip, key.Value) {
			continue
		}
		at := join(path, key.Value)
		field := desc.Fields().ByName(protoreflect.Name(key.Value))
		switch {
		case field == nil || (path == "" && outputOnly[key.Value]):
			d.fail(key, prefix+at, nearest(key.Value, fieldNames(desc, path == "")), "unknown field %q", key.Value)
		case object[key.Value] != nil:
			d.fail(key, prefix+at, "", "stands twice")
		default:
			object[key.Value] = d.field(value, field, prefix, at)
		}
	}
	data, _ := json.Marshal(object) // of raw messages made here: cannot fail
	return data
}

func (d *decoder) field(n *yaml.Node, f protoreflect.FieldDescriptor, prefix, path string) json.RawMessage {
	n = target(n)
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
		data, _ := json.Marshal(object)
		return data
	case f.IsList():
		if n.Kind != yaml.SequenceNode {
			d.fail(n, prefix+path, "", "want a list")
			return nil
		}
		list := make([]json.RawMessage, 0, len(n.Content))
		for i, item := range n.Content {
			list = append(list, d.value(item, f, prefix, fmt.Sprintf("%s[%d]", path, i)))
		}
		data, _ := json.Marshal(list)
		return data
	default:
		return d.value(n, f, prefix, path)
	}
}

func (d *decoder) value(n *yaml.Node, f protoreflect.FieldDescriptor, prefix, path string) json.RawMessage {
	n = target(n)
	if secret(f) {
		return d.secret(n, prefix+path)
	}
	switch f.Kind() {
	case protoreflect.MessageKind:
		return d.message(n, f.Message(), prefix, path)
	case protoreflect.EnumKind:
		return d.enum(n, f.Enum(), prefix+path)
	case protoreflect.StringKind:
		return d.quoted(n, prefix+path)
	case protoreflect.BoolKind:
		if n.Tag != "!!bool" {
			d.fail(n, prefix+path, "", "want true or false")
			return nil
		}
		var b bool
		if err := n.Decode(&b); err != nil {
			d.fail(n, prefix+path, "", "want true or false")
		}
		return fmt.Appendf(nil, "%t", b)
	default:
		if n.Tag != "!!int" {
			d.fail(n, prefix+path, "", "want a whole number")
			return nil
		}
		return d.quoted(n, prefix+path) // protojson takes numbers as strings
	}
}

// target follows an alias. Messages of the API do not contain themselves, so no alias can lead in circles here.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// quoted takes a scalar as it is written, so that an id of 123 or a name of `on` is that text.
func (d *decoder) quoted(n *yaml.Node, at string) json.RawMessage {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.fail(n, at, "", "want a text")
		return nil
	}
	data, _ := json.Marshal(n.Value)
	return data
}

func (d *decoder) duration(n *yaml.Node, at string) json.RawMessage {
	parsed, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		d.fail(n, at, "", "want a duration such as 90s or 1h30m")
		return nil
	}
	s, ns := parsed/time.Second, parsed%time.Second
	if ns == 0 {
		return fmt.Appendf(nil, `"%ds"`, s)
	}
	return fmt.Appendf(nil, `"%d.%09ds"`, s, ns)
}

func (d *decoder) enum(n *yaml.Node, e protoreflect.EnumDescriptor, at string) json.RawMessage {
	prefix := enumPrefix(e)
	var known []string
	for i := range e.Values().Len() {
		name := string(e.Values().Get(i).Name())
		short := strings.TrimPrefix(name, prefix)
		if e.Values().Get(i).Number() == 0 {
			continue
		}
		if n.Value == name || n.Value == short {
			return fmt.Appendf(nil, "%q", name)
		}
		known = append(known, short)
	}
	d.fail(n, at, nearest(n.Value, known), "unknown value %q: want one of %s", n.Value, strings.Join(known, ", "))
	return nil
}

// enumPrefix is what buf's style puts in front of every value: EFFECT_ for Effect.
func enumPrefix(e protoreflect.EnumDescriptor) string {
	return strings.TrimSuffix(string(e.Values().ByNumber(0).Name()), "UNSPECIFIED")
}

func secret(f protoreflect.FieldDescriptor) bool {
	options, ok := f.Options().(*descriptorpb.FieldOptions)
	return ok && options.GetDebugRedact()
}

func (d *decoder) secret(n *yaml.Node, at string) json.RawMessage {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 || n.Content[0].Value != "file" {
		d.fail(n, at, "", "a secret is never written here: put it into a file and say {file: path}")
		return nil
	}
	path := n.Content[1].Value
	info, err := os.Stat(path)
	switch {
	case err != nil:
		d.fail(n, at, "", "%v", err)
		return nil
	case info.Size() > maxSecretBytes:
		d.fail(n, at, "", "%s is larger than %d KiB", path, maxSecretBytes>>10)
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		d.fail(n, at, "", "%v", err)
		return nil
	}
	data, _ := json.Marshal(strings.TrimRight(string(content), "\r\n"))
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

// nearest returns the known word that was probably meant, or "".
func nearest(word string, known []string) string {
	best, distance := "", 1+max(2, len(word)/3)
	for _, k := range known {
		if n := levenshtein.Distance(strings.ToLower(word), strings.ToLower(k), nil); n < distance {
			best, distance = k, n
		}
	}
	return best
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}
