package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// writeChange prints what became of one resource: a line for it, and one for each field that differs, with what it was
// and what it is.
func writeChange(w io.Writer, indent, parent string, c *sallyportv1.Change) {
	name := printable(strings.TrimPrefix(c.GetName(), parent+"/"))
	switch c.GetAction() {
	case sallyportv1.Change_ACTION_CREATE:
		if subject, ok := c.GetAfter().AsMap()["subject"].(string); ok { // a revocation's id says nothing
			name += " of " + printable(subject)
		}
		fmt.Fprintf(w, "%s+ %s\n", indent, name)
	case sallyportv1.Change_ACTION_DELETE:
		fmt.Fprintf(w, "%s- %s\n", indent, name)
	default:
		fmt.Fprintf(w, "%s~ %s\n", indent, name)
		before, after := c.GetBefore().AsMap(), c.GetAfter().AsMap()
		for _, field := range c.GetFields() {
			was, is := bothAt(before, after, field)
			fmt.Fprintf(w, "%s    %s: %s\n", indent, printable(field), difference(was, is))
		}
	}
}

// summary counts changes: `2 created, 1 deleted`.
func summary(changes []*sallyportv1.Change) string {
	var parts []string
	for _, kind := range []struct {
		action sallyportv1.Change_Action
		word   string
	}{
		{sallyportv1.Change_ACTION_CREATE, "created"},
		{sallyportv1.Change_ACTION_UPDATE, "changed"},
		{sallyportv1.Change_ACTION_DELETE, "deleted"},
	} {
		n := 0
		for _, c := range changes {
			if c.GetAction() == kind.action {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind.word))
		}
	}
	return strings.Join(parts, ", ")
}

var step = regexp.MustCompile(`^(?:\.?([^.\[\]]+)|\[(\d+)\])`)

// bothAt returns the two values at a path such as `rules[2].principals`; nil where there is none. A path names an element
// of a list by where it is afterwards; where it was before, its id or path tells.
func bothAt(before, after any, path string) (was, is any) {
	if path == "" {
		return before, after
	}
	b, _ := before.(map[string]any)
	a, _ := after.(map[string]any)
	whole := strings.TrimPrefix(path, ".")
	if _, had := b[whole]; had || a[whole] != nil { // keys of labels may have dots
		return b[whole], a[whole]
	}
	m := step.FindStringSubmatch(path)
	if m == nil {
		return nil, nil
	}
	rest := path[len(m[0]):]
	if m[2] == "" {
		return bothAt(b[m[1]], a[m[1]], rest)
	}
	list, _ := after.([]any)
	i, err := strconv.Atoi(m[2])
	if err != nil || i >= len(list) {
		return nil, nil
	}
	old, _ := before.([]any)
	for _, e := range old {
		if called(e) != "" && called(e) == called(list[i]) {
			return bothAt(e, list[i], rest)
		}
	}
	return bothAt(nil, list[i], rest)
}

// called is what an element of a list is known by, or "".
func called(element any) string {
	object, _ := element.(map[string]any)
	for _, field := range []string{"id", "path"} {
		if name, ok := object[field].(string); ok {
			return name
		}
	}
	return ""
}

// difference says how a value changed: lists by what came and went, for their order means nothing.
func difference(was, is any) string {
	before, wasList := was.([]any)
	after, isList := is.([]any)
	if !wasList && !isList || was != nil && !wasList || is != nil && !isList {
		return brief(was) + " → " + brief(is)
	}
	var parts []string
	for _, e := range after {
		if !slices.ContainsFunc(before, same(e)) {
			parts = append(parts, "+ "+brief(e))
		}
	}
	for _, e := range before {
		if !slices.ContainsFunc(after, same(e)) {
			parts = append(parts, "- "+brief(e))
		}
	}
	if len(parts) == 0 { // the same, as often
		return brief(was) + " → " + brief(is)
	}
	return strings.Join(parts, ", ")
}

// same compares elements by their names, if they have some: that one of them changed is a line of its own.
func same(a any) func(any) bool {
	return func(b any) bool {
		if called(a) != "" || called(b) != "" {
			return called(a) == called(b)
		}
		return encoded(a) == encoded(b)
	}
}

// brief is a value in a few words.
func brief(v any) string {
	switch v := v.(type) {
	case nil:
		return "(none)"
	case string:
		if v == "" || v != printable(v) || strings.ContainsAny(v, " ,→\"") {
			return shorten(strconv.Quote(v))
		}
		return shorten(v)
	case map[string]any:
		if name := called(v); name != "" {
			return shorten(name)
		}
	}
	return shorten(encoded(v))
}

func encoded(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v) // of JSON, so this is not reached
	}
	return string(data)
}
