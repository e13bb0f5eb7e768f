package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Encode writes what Decode reads: the tenant, then a document for each resource, fields in the order of the API, without
// what only the server writes. Secrets are not there to write; a comment says so.
func Encode(w io.Writer, tenant string, resources []proto.Message) error {
	var docs []*yaml.Node
	if tenant != "" {
		head := &yaml.Node{Kind: yaml.MappingNode}
		put(head, "tenant", text(tenant))
		docs = append(docs, head)
	}
	for _, m := range resources {
		doc, err := document(m)
		if err != nil {
			return err
		}
		docs = append(docs, doc)
	}
	return write(w, docs...)
}

// Show writes messages for a person to read, a document each: a resource of a manifest as its document, with what only the
// server writes as comments above; anything else with all its fields.
func Show(w io.Writer, messages ...proto.Message) error {
	var docs []*yaml.Node
	for _, m := range messages {
		doc, err := shown(m)
		if err != nil {
			return err
		}
		docs = append(docs, doc)
	}
	return write(w, docs...)
}

// WriteJSON writes a JSON value as YAML, every field where it was.
func WriteJSON(w io.Writer, data json.RawMessage) error {
	doc, err := plain(data)
	if err != nil {
		return err
	}
	return write(w, doc)
}

func write(w io.Writer, docs ...*yaml.Node) error {
	if len(docs) == 0 {
		return nil // the encoder cannot close a stream that it never began
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	for _, doc := range docs {
		if err := encoder.Encode(doc); err != nil {
			return err
		}
	}
	return encoder.Close()
}

func shown(m proto.Message) (*yaml.Node, error) {
	var doc *yaml.Node
	var err error
	if desc := m.ProtoReflect().Descriptor(); Has(desc) {
		if doc, err = document(m); err == nil {
			doc.HeadComment, err = about(m)
		}
	} else {
		var data []byte
		if data, err = marshal(m); err == nil {
			doc, err = object(data, desc, false)
		}
	}
	return doc, err
}

// about is what a document leaves out, in the API's words.
func about(m proto.Message) (string, error) {
	data, err := marshal(m)
	if err != nil {
		return "", err
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return "", err
	}
	var lines []string
	for _, name := range []string{"name", "uid", "etag", "revision", "create_time", "update_time"} {
		if value, ok := fields[name].(string); ok {
			lines = append(lines, fmt.Sprintf("# %s: %s", name, value))
		}
	}
	return strings.Join(lines, "\n"), nil
}

func marshal(m proto.Message) ([]byte, error) {
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return data, nil
}

func document(m proto.Message) (*yaml.Node, error) {
	desc := m.ProtoReflect().Descriptor()
	data, err := marshal(m)
	if err != nil {
		return nil, err
	}
	name := m.ProtoReflect().Get(desc.Fields().ByName("name")).String()
	doc := &yaml.Node{Kind: yaml.MappingNode}
	put(doc, "kind", text(string(desc.Name())))
	put(doc, "id", text(name[strings.LastIndex(name, "/")+1:]))
	fields, err := object(data, desc, true)
	if err != nil {
		return nil, err
	}
	doc.Content, doc.FootComment = append(doc.Content, fields.Content...), fields.FootComment
	return doc, nil
}

// object turns JSON into YAML in the order of the descriptor's fields, so that an export never moves lines by itself.
func object(data json.RawMessage, desc protoreflect.MessageDescriptor, top bool) (*yaml.Node, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return plain(data) // a well-known type: its JSON is a scalar
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	hidden := ""
	for i := range desc.Fields().Len() {
		f := desc.Fields().Get(i)
		value, ok := raw[string(f.Name())]
		if secret(f) {
			hidden = fmt.Sprintf("# %s: {file: path} # is never read back; without it, what is set stays", f.Name())
		}
		if !ok || secret(f) || (top && outputOnly[string(f.Name())]) {
			continue
		}
		v, err := node(value, f)
		if err != nil {
			return nil, err
		}
		put(n, string(f.Name()), v)
		n.Content[len(n.Content)-2].HeadComment, hidden = hidden, ""
	}
	n.FootComment = hidden
	return n, nil
}

func node(data json.RawMessage, f protoreflect.FieldDescriptor) (*yaml.Node, error) {
	switch {
	case f.IsList():
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return nil, err
		}
		n := &yaml.Node{Kind: yaml.SequenceNode}
		if f.Kind() != protoreflect.MessageKind {
			n.Style = yaml.FlowStyle
		}
		for _, item := range items {
			v, err := single(item, f)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, v)
		}
		return n, nil
	case f.IsMap():
		return plain(data)
	default:
		return single(data, f)
	}
}

func single(data json.RawMessage, f protoreflect.FieldDescriptor) (*yaml.Node, error) {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return object(data, f.Message(), false)
	case protoreflect.EnumKind:
		var name string
		if err := json.Unmarshal(data, &name); err != nil {
			return nil, err
		}
		return text(strings.TrimPrefix(name, enumPrefix(f.Enum()))), nil
	default:
		return plain(data)
	}
}

// plain is JSON as YAML, quoted only where YAML needs it, and in the order in which it came: protojson sorts maps.
func plain(data json.RawMessage) (*yaml.Node, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return next(decoder)
}

// next reads a value or, in an object, a key.
func next(decoder *json.Decoder) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	n := &yaml.Node{}
	opened, nested := token.(json.Delim)
	if !nested {
		return n, n.Encode(token)
	}
	n.Kind = yaml.MappingNode
	if opened == '[' {
		n.Kind = yaml.SequenceNode
	}
	for decoder.More() {
		item, err := next(decoder)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, item)
	}
	_, err = decoder.Token() // the end of it
	return n, err
}

func put(n *yaml.Node, key string, value *yaml.Node) {
	n.Content = append(n.Content, text(key), value)
}

func text(s string) *yaml.Node {
	var n yaml.Node
	n.SetString(s)
	return &n
}
