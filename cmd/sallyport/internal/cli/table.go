package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// table is a collection as a person reads it: a line for each resource, with what fits. The rest is in JSON, or in what
// `get` prints of one.
type table struct {
	titles []string
	rows   [][]string
}

const (
	// widest is as much of one cell as a line has room for.
	widest = 48
	// instant is a time of a line, in the reader's zone.
	instant = time.DateTime
)

// first and last are the fields that all kinds have, around those of the one.
var first, last = []protoreflect.Name{"display_name"}, []protoreflect.Name{"managed_by", "revision", "update_time"}

// untabled are fields that say little for the room they take.
var untabled = map[protoreflect.Name]bool{
	"name": true, "uid": true, "etag": true, "create_time": true, "labels": true, "annotations": true,
}

// newTable makes the table of a collection: who it is, what it says, when it changed. A column in which nothing stands is
// left out, and what is either so or not is a word in the column of flags.
func newTable(at place, items []resource) *table {
	t := &table{rows: make([][]string, len(items))}
	t.column("ID", items, func(m resource) string { return at.id(text(m, "name")) })
	fields := at.noun.resource.Fields()
	named := func(names []protoreflect.Name) {
		for _, name := range names {
			if f := fields.ByName(name); f != nil {
				t.column(title(f), items, func(m resource) string { return cell(m, f) })
			}
		}
	}
	named(first)
	var flags []protoreflect.FieldDescriptor
	for i := range fields.Len() {
		switch f := fields.Get(i); {
		case untabled[f.Name()] || redacted(f) || slices.Contains(first, f.Name()) || slices.Contains(last, f.Name()):
		case f.Kind() == protoreflect.BoolKind && !f.IsList():
			flags = append(flags, f)
		case f.Name() == "status":
			t.status(items, f)
		default:
			t.column(title(f), items, func(m resource) string { return near(at.parent, cell(m, f)) })
		}
	}
	t.column("FLAGS", items, func(m resource) string {
		var on []string
		for _, f := range flags {
			if m.Get(f).Bool() {
				on = append(on, strings.ReplaceAll(string(f.Name()), "_", " "))
			}
		}
		return strings.Join(on, ", ")
	})
	named(last)
	return t
}

// status puts what is told of a resource beside what it should be. There, that something is not so is news.
func (t *table) status(items []resource, status protoreflect.FieldDescriptor) {
	fields := status.Message().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		t.column(title(f), items, func(m resource) string {
			told := m.Get(status).Message()
			if f.Kind() != protoreflect.BoolKind {
				return cell(told, f)
			}
			if told.Get(f).Bool() {
				return "yes"
			}
			return "no"
		})
	}
}

func (t *table) column(title string, items []resource, value func(resource) string) {
	cells, empty := make([]string, len(items)), true
	for i, m := range items {
		cells[i] = shorten(value(m))
		empty = empty && cells[i] == ""
	}
	if empty && title != "ID" {
		return
	}
	t.titles = append(t.titles, title)
	for i := range cells {
		if cells[i] == "" {
			cells[i] = "-"
		}
		t.rows[i] = append(t.rows[i], cells[i])
	}
}

func (t *table) print(w io.Writer) error {
	tabs := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tabs, strings.Join(t.titles, "\t"))
	for _, row := range t.rows {
		fmt.Fprintln(tabs, strings.Join(row, "\t"))
	}
	return tabs.Flush()
}

// titles are of fields that read better under another name.
var titles = map[protoreflect.Name]string{
	"update_time": "UPDATED", "expire_time": "EXPIRES", "seen_time": "SEEN", "begin_time": "BEGAN", "end_time": "ENDED", "revoke_time": "REVOKED",
}

func title(f protoreflect.FieldDescriptor) string {
	if known := titles[f.Name()]; known != "" {
		return known
	}
	return strings.ToUpper(strings.ReplaceAll(string(f.Name()), "_", " "))
}

// cell is a field in a few words: values as they are, times in the reader's zone, structures by their number.
func cell(m protoreflect.Message, f protoreflect.FieldDescriptor) string {
	switch {
	case !m.Has(f) || f.IsMap():
		return ""
	case f.IsList() && f.Message() != nil:
		return fmt.Sprint(m.Get(f).List().Len())
	case f.IsList():
		var words []string
		for i := range m.Get(f).List().Len() {
			words = append(words, scalar(f, m.Get(f).List().Get(i)))
		}
		return strings.Join(words, ", ")
	case f.Message() == nil:
		return scalar(f, m.Get(f))
	case f.Message().FullName() == (*timestamppb.Timestamp)(nil).ProtoReflect().Descriptor().FullName():
		at := m.Get(f).Message()
		seconds := at.Get(at.Descriptor().Fields().ByName("seconds")).Int()
		return time.Unix(seconds, 0).Local().Format(instant)
	default:
		return ""
	}
}

func scalar(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if f.Enum() == nil {
		return v.String()
	}
	value := f.Enum().Values().ByNumber(v.Enum())
	if value == nil {
		return fmt.Sprint(v.Enum()) // of a newer control plane
	}
	return strings.TrimPrefix(string(value.Name()), strings.TrimSuffix(string(f.Enum().Values().ByNumber(0).Name()), "UNSPECIFIED"))
}

// near is a resource's name as people say it who work in the same place; anything else as it is.
func near(parent, value string) string {
	if edge, ok := strings.CutPrefix(value, "edgePools/"); ok {
		return strings.Replace(edge, "/edges/", "/", 1)
	}
	return strings.TrimPrefix(value, parent+"/")
}

// shorten makes a text fit a cell: one line, not too wide, nothing that a terminal would obey.
func shorten(s string) string {
	s = printable(s)
	if utf8.RuneCountInString(s) <= widest {
		return s
	}
	return string([]rune(s)[:widest-1]) + "…"
}
