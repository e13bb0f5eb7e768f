package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// marks stand in front of operations as in front of other changes.
var marks = map[sallyportv1.OperationChange_Action]string{
	sallyportv1.OperationChange_ACTION_ADD: "+", sallyportv1.OperationChange_ACTION_CHANGE: "~", sallyportv1.OperationChange_ACTION_RENAME: "~",
	sallyportv1.OperationChange_ACTION_REMOVE: "-", sallyportv1.OperationChange_ACTION_KEEP: " ",
}

// printImport prints what an import makes of an app: a line for each operation that differs, or that the document does not
// have, and what else there is to know.
func (s *session) printImport(r *sallyportv1.ImportOperationsResponse) {
	if s.scripted() {
		return
	}
	if r.GetTitle() != "" {
		s.printf("%s\n", printable(strings.TrimSpace(r.GetTitle()+" "+r.GetVersion())))
	}
	width := 0
	for _, c := range r.GetChanges() {
		width = max(width, utf8.RuneCountInString(operationName(c)))
	}
	for _, c := range r.GetChanges() {
		mark := marks[c.GetAction()]
		if mark == "" {
			mark = "?" // of a newer control plane
		}
		s.printf("%s %-*s  %s\n", mark, min(width, widest), operationName(c), printable(operationSays(c)))
	}
	for _, n := range r.GetNotes() {
		s.printf("%s\n", printable(noteSays(n)))
	}
}

func operationName(c *sallyportv1.OperationChange) string {
	before, after := c.GetBefore().GetId(), c.GetAfter().GetId()
	switch {
	case before == "" || before == after:
		return printable(after)
	case after == "":
		return printable(before)
	default:
		return printable(before + " → " + after)
	}
}

func operationSays(c *sallyportv1.OperationChange) string {
	operation := c.GetAfter()
	if operation == nil {
		operation = c.GetBefore()
	}
	text := strings.Join(operation.GetMethods(), ",") + " " + strings.Join(operation.GetPaths(), " ")
	var more []string
	switch c.GetAction() {
	case sallyportv1.OperationChange_ACTION_CHANGE:
		text = differs(c.GetBefore(), c.GetAfter())
	case sallyportv1.OperationChange_ACTION_REMOVE:
		more = append(more, "not in the document")
	case sallyportv1.OperationChange_ACTION_KEEP:
		more = append(more, "not in the document; stays without --prune")
	default:
		if access := operation.GetAccess(); access != sallyportv1.AccessClass_ACCESS_CLASS_UNSPECIFIED {
			more = append(more, enum(access))
		}
	}
	if c.GetDeprecated() {
		more = append(more, "deprecated")
	}
	if len(more) > 0 {
		text += "  (" + strings.Join(more, ", ") + ")"
	}
	return text
}

// differs says in what two operations differ.
func differs(before, after *sallyportv1.Operation) string {
	var parts []string
	for _, field := range []struct {
		name    string
		was, is []string
	}{{"methods", before.GetMethods(), after.GetMethods()}, {"paths", before.GetPaths(), after.GetPaths()}} {
		was, is := anys(field.was), anys(field.is)
		if encoded(was) != encoded(is) {
			parts = append(parts, field.name+": "+difference(was, is))
		}
	}
	if before.GetAccess() != after.GetAccess() {
		parts = append(parts, "access: "+accessOf(before)+" → "+accessOf(after))
	}
	return strings.Join(parts, "; ")
}

func anys(words []string) []any {
	all := make([]any, 0, len(words))
	for _, w := range words {
		all = append(all, w)
	}
	return all
}

func accessOf(o *sallyportv1.Operation) string {
	if o.GetAccess() == sallyportv1.AccessClass_ACCESS_CLASS_UNSPECIFIED {
		return "by method"
	}
	return enum(o.GetAccess())
}

func noteSays(n *sallyportv1.ImportNote) string {
	text := n.GetMessage()
	if n.GetSubject() != "" {
		text = n.GetSubject() + ": " + text
	}
	if n.GetLine() > 0 {
		text = fmt.Sprintf("line %d: %s", n.GetLine(), text)
	}
	if n.GetWarning() {
		return "Warning: " + text
	}
	return "Note: " + text
}

// differing are the changes that are some.
func differing(r *sallyportv1.ImportOperationsResponse) []*sallyportv1.OperationChange {
	var all []*sallyportv1.OperationChange
	for _, c := range r.GetChanges() {
		if c.GetAction() != sallyportv1.OperationChange_ACTION_KEEP {
			all = append(all, c)
		}
	}
	return all
}

// importSummary counts: `3 operations added, 1 renamed, 55 as before`.
func importSummary(r *sallyportv1.ImportOperationsResponse) string {
	counts := map[sallyportv1.OperationChange_Action]int{}
	for _, c := range r.GetChanges() {
		counts[c.GetAction()]++
	}
	var parts []string
	for _, kind := range []struct {
		action sallyportv1.OperationChange_Action
		word   string
	}{
		{sallyportv1.OperationChange_ACTION_ADD, "added"},
		{sallyportv1.OperationChange_ACTION_CHANGE, "changed"},
		{sallyportv1.OperationChange_ACTION_RENAME, "renamed"},
		{sallyportv1.OperationChange_ACTION_REMOVE, "removed"},
	} {
		if n := counts[kind.action]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind.word))
		}
	}
	if n := int(r.GetUnchanged()) + counts[sallyportv1.OperationChange_ACTION_KEEP]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d as before", n))
	}
	text := strings.Join(parts, ", ")
	number, rest, _ := strings.Cut(text, " ")
	if number == "1" {
		return "1 operation " + rest
	}
	return number + " operations " + rest
}
