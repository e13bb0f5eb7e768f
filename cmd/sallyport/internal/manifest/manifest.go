package manifest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Limits on what is read: far above any real manifest, far below what could hurt.
const (
	maxFileBytes   = 16 << 20
	maxSecretBytes = 64 << 10
)

// Resource is one document of a manifest.
type Resource struct {
	Message proto.Message // such as *sallyportv1.App, with its name set
	Kind    string
	ID      string

	file string
	node *yaml.Node
}

// Manifest is everything that was read.
type Manifest struct {
	Tenant    string // "" if no document says
	Resources []Resource
}

// Error is something wrong at a place of a file.
type Error struct {
	File         string
	Line, Column int
	Path         string // `App wiki: routes[0].paht`
	Problem      string
	Suggestion   string
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Column)
	if e.Path != "" {
		s += e.Path + ": "
	}
	s += e.Problem
	if e.Suggestion != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Suggestion)
	}
	return s
}

// Read reads one file. tenant is whose the resources are if the file does not say; a file that says otherwise is
// refused, so that a manifest of one tenant is never applied to another by a forgotten flag. All faults are reported,
// joined, not only the first.
func Read(path, tenant string) (*Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Decode(path, io.LimitReader(f, maxFileBytes+1), tenant)
}

// Decode is [Read] for what is open already; file names it in errors and is what secret files are relative to nothing of:
// their paths are relative to the working directory, like every path a person types.
func Decode(file string, r io.Reader, tenant string) (*Manifest, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("%s: larger than %d MiB", file, maxFileBytes>>20)
	}
	d := &decoder{file: file, manifest: &Manifest{Tenant: tenant}}
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, d.syntax(err)
		}
		d.document(doc.Content[0])
	}
	if len(d.errs) > 0 {
		return nil, errors.Join(d.errs...)
	}
	return d.manifest, nil
}

type decoder struct {
	file     string
	manifest *Manifest
	seen     map[string]int // `App wiki` to its line
	errs     []error
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

func (d *decoder) syntax(err error) error {
	text := err.Error()
	line := 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	return &Error{File: d.file, Line: line, Column: 1, Problem: "not YAML: " + strings.TrimPrefix(text, "yaml: ")}
}

func (d *decoder) fail(n *yaml.Node, path, suggestion, format string, args ...any) {
	d.errs = append(d.errs, &Error{File: d.file, Line: n.Line, Column: n.Column, Path: path, Problem: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

func (d *decoder) document(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // an empty document between two separators
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, "", "", "want a mapping with kind and id")
		return
	}
	keys := map[string]*yaml.Node{}
	for i := 0; i < len(n.Content); i += 2 {
		keys[n.Content[i].Value] = n.Content[i+1]
	}
	kind, id := keys["kind"], keys["id"]
	if kind == nil {
		d.header(n, keys)
		return
	}
	message, suggestion := newMessage(kind.Value)
	switch {
	case message == nil:
		d.fail(kind, "kind", suggestion, "unknown kind %q", kind.Value)
		return
	case id == nil || id.Kind != yaml.ScalarNode || id.Value == "":
		d.fail(n, kind.Value, "", "no id")
		return
	}
	at := kind.Value + " " + id.Value
	if line, dup := d.seen[at]; dup {
		d.fail(id, at, "", "stands already in line %d", line)
		return
	}
	if d.seen == nil {
		d.seen = map[string]int{}
	}
	d.seen[at] = id.Line

	before := len(d.errs)
	object := d.message(n, message.ProtoReflect().Descriptor(), at+": ", "", "kind", "id")
	if len(d.errs) > before {
		return
	}
	if err := protojson.Unmarshal(object, message); err != nil {
		d.fail(n, at, "", "%s", strings.TrimPrefix(err.Error(), "proto: "))
		return
	}
	setName(message, resourceName(message.ProtoReflect().Descriptor(), d.manifest.Tenant, id.Value))
	d.manifest.Resources = append(d.manifest.Resources, Resource{Message: message, Kind: kind.Value, ID: id.Value, file: d.file, node: n})
}

// header reads the document that names the tenant.
func (d *decoder) header(n *yaml.Node, keys map[string]*yaml.Node) {
	tenant := keys["tenant"]
	switch {
	case tenant == nil:
		d.fail(n, "", nearestKey(keys, []string{"kind", "tenant"}), "no kind")
	case len(keys) != 1:
		d.fail(n, "", "", "a document with tenant says nothing else")
	case len(d.manifest.Resources) > 0:
		d.fail(n, "", "", "tenant goes first")
	case d.manifest.Tenant != "" && d.manifest.Tenant != tenant.Value:
		d.fail(tenant, "tenant", "", "the file is for tenant %q, you asked for %q", tenant.Value, d.manifest.Tenant)
	default:
		d.manifest.Tenant = tenant.Value
	}
}

func nearestKey(keys map[string]*yaml.Node, known []string) string {
	for key := range keys {
		if s := nearest(key, known); s != "" {
			return s
		}
	}
	return ""
}

// kinds are what ConfigService.Apply takes.
var kinds = []string{"Tenant", "IdentityProvider", "App", "Role", "Group", "Policy", "ServiceAccount", "Member", "EdgePool"}

func newMessage(kind string) (proto.Message, string) {
	for _, known := range kinds {
		if kind == known {
			t, err := protoregistry.GlobalTypes.FindMessageByName("sallyport.v1." + protoreflect.FullName(kind))
			if err != nil {
				return nil, ""
			}
			return t.New().Interface(), ""
		}
	}
	return nil, nearest(kind, kinds)
}

func setName(m proto.Message, name string) {
	r := m.ProtoReflect()
	r.Set(r.Descriptor().Fields().ByName("name"), protoreflect.ValueOfString(name))
}

// resourceName fills in the kind's name pattern, which the field's comment in the API gives.
func resourceName(d protoreflect.MessageDescriptor, tenant, id string) string {
	switch kind := string(d.Name()); kind {
	case "Tenant":
		return "tenants/" + id
	case "EdgePool":
		return "edgePools/" + id
	case "Policy":
		return "tenants/" + tenant + "/policies/" + id
	default:
		parent := "tenants/" + tenant
		if tenant == "" {
			parent = "platform"
		}
		return parent + "/" + strings.ToLower(kind[:1]) + kind[1:] + "s/" + id
	}
}
