package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

type getCommand struct {
	What string `arg:"" help:"A collection (apps, policies, sessions, …) or a whole name (tenants/acme/apps/wiki)."`
	ID   string `arg:"" optional:"" help:"One of the collection."`
	In   string `placeholder:"POOL" help:"For edges: their pool."`
}

func (g *getCommand) Run(ctx context.Context, s *session) error {
	client, err := s.resolve()
	if err != nil {
		return err
	}
	n, name, err := s.locate(g.What, g.ID, g.In)
	if err != nil {
		return err
	}
	if name == "" {
		items, err := n.list(ctx, client, s.parentOf(n, g.In))
		if err != nil {
			return err
		}
		return s.printAll(items)
	}
	one, err := n.get(ctx, client, name)
	if err != nil {
		return notFound(err, name)
	}
	return s.printOne(one)
}

// locate finds which noun and, unless a collection is meant, which name.
func (s *session) locate(what, id, pool string) (noun, string, error) {
	if strings.Contains(what, "/") {
		segments := strings.Split(what, "/")
		if len(segments)%2 == 1 && segments[0] != "platform" { // `apps/wiki` has two, a name relative to the tenant
			return noun{}, "", fmt.Errorf("%q is not a resource name", what)
		}
		n, err := findNoun(segments[len(segments)-2])
		if err != nil {
			return noun{}, "", err
		}
		if len(segments) == 2 && n.scoped() {
			return n, s.parentOf(n, pool) + "/" + what, nil
		}
		return n, what, nil
	}
	n, err := findNoun(what)
	if err != nil || id == "" {
		return n, "", err
	}
	if !n.scoped() {
		return n, n.collection + "/" + id, nil
	}
	parent := s.parentOf(n, pool)
	if parent == "" {
		return noun{}, "", fmt.Errorf("%s live in a pool: give --in POOL", n.collection)
	}
	return n, parent + "/" + n.collection + "/" + id, nil
}

// scoped reports whether names of the noun start with a parent's.
func (n noun) scoped() bool { return n.collection != "tenants" && n.collection != "edgePools" }

func (s *session) parentOf(n noun, pool string) string {
	switch {
	case !n.scoped():
		return ""
	case n.collection == "edges" && pool != "":
		return "edgePools/" + pool
	case n.collection == "edges":
		return ""
	default:
		return s.parent()
	}
}

func (s *session) printOne(m protoreflect.Message) error {
	// protojson varies its spaces on purpose; people and scripts want the same bytes twice.
	data, err := stableJSON(m.Interface())
	if err != nil {
		return err
	}
	s.printf("%s\n", data)
	return nil
}

func (s *session) printAll(items []protoreflect.Message) error {
	if s.json {
		for _, m := range items {
			if err := s.printOne(m); err != nil {
				return err
			}
		}
		return nil
	}
	if len(items) == 0 {
		s.progress("None.\n")
		return nil
	}
	w := tabwriter.NewWriter(s.Stdout, 0, 0, 2, ' ', 0)
	columns := columnsOf(items[0].Descriptor())
	fmt.Fprintln(w, strings.Join(columns.titles, "\t"))
	for _, m := range items {
		var cells []string
		for _, f := range columns.fields {
			cells = append(cells, cell(m, f))
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

type columns struct {
	titles []string
	fields []protoreflect.FieldDescriptor
}

// envelope fields that a table leaves out: they say little, take much room, and are in the JSON.
var untabled = map[string]bool{"uid": true, "etag": true, "create_time": true, "labels": true, "annotations": true, "page_token": true}

// columnsOf picks what a line can hold: the envelope in short, then single values and lists of words.
func columnsOf(d protoreflect.MessageDescriptor) columns {
	var c columns
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		structured := f.Kind() == protoreflect.MessageKind && f.Message().FullName() != "google.protobuf.Timestamp"
		if untabled[string(f.Name())] || structured || f.IsMap() {
			continue
		}
		c.titles = append(c.titles, strings.ToUpper(strings.ReplaceAll(string(f.Name()), "_", " ")))
		c.fields = append(c.fields, f)
	}
	return c
}

func cell(m protoreflect.Message, f protoreflect.FieldDescriptor) string {
	switch {
	case !m.Has(f):
		return "-"
	case f.IsList():
		var words []string
		for i := range m.Get(f).List().Len() {
			words = append(words, m.Get(f).List().Get(i).String())
		}
		return strings.Join(words, ",")
	case f.Kind() == protoreflect.MessageKind: // a timestamp
		t := m.Get(f).Message()
		seconds := t.Get(t.Descriptor().Fields().ByName("seconds")).Int()
		return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
	case f.Kind() == protoreflect.EnumKind:
		return strings.TrimPrefix(string(f.Enum().Values().ByNumber(m.Get(f).Enum()).Name()), strings.TrimSuffix(string(f.Enum().Values().ByNumber(0).Name()), "UNSPECIFIED"))
	default:
		return m.Get(f).String()
	}
}

func stableJSON(m proto.Message) ([]byte, error) {
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	return indent(data)
}
