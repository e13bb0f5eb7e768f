package cli

import (
	"fmt"
	"io"
	"strings"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// lost says where a guard-rail reaches less than before, and why.
func lost(parent string, l *sallyportv1.ReachLoss) string {
	short := func(names []string) string {
		var all []string
		for _, name := range names {
			all = append(all, printable(strings.TrimPrefix(name, parent+"/apps/")))
		}
		return strings.Join(all, ", ")
	}
	apps := short(l.GetApps())
	if more := int(l.GetAppCount()) - len(l.GetApps()); more > 0 {
		apps += fmt.Sprintf(" and %d more", more)
	}
	guardRail := printable(strings.TrimPrefix(l.GetPolicy(), parent+"/policies/"))
	switch l.GetCause() {
	case sallyportv1.ReachLoss_CAUSE_EXEMPTION:
		if apps == "" {
			apps = "no app yet"
		}
		return fmt.Sprintf("the guard-rail %s spares more: exemption %s, in %s", guardRail, short(l.GetExemptions()), apps)
	case sallyportv1.ReachLoss_CAUSE_RULES:
		return fmt.Sprintf("the guard-rail %s is for less by its rules %s, in %s", guardRail, short(l.GetRules()), apps)
	case sallyportv1.ReachLoss_CAUSE_OPERATIONS:
		return fmt.Sprintf("requests to %s are other operations now, so that the rules %s of %s are not for them: such as %s",
			apps, short(l.GetRules()), guardRail, printable(l.GetExample()))
	case sallyportv1.ReachLoss_CAUSE_HOSTS:
		return fmt.Sprintf("hosts such as %s are those of %s now, where the guard-rail %s is for less", printable(l.GetExample()), apps, guardRail)
	}
	why := map[sallyportv1.ReachLoss_Cause]string{
		sallyportv1.ReachLoss_CAUSE_DELETED: "it is gone", sallyportv1.ReachLoss_CAUSE_SHADOW: "it is only reported",
		sallyportv1.ReachLoss_CAUSE_SELECTOR: "it selects otherwise", sallyportv1.ReachLoss_CAUSE_LABELS: "their labels are others",
	}[l.GetCause()]
	return fmt.Sprintf("the guard-rail %s no longer reaches %s: %s", guardRail, apps, either(why, enum(l.GetCause())))
}

// writeTests says how policy tests came out: those that failed one by one. Of a change that was made, only those are told.
func writeTests(w io.Writer, parent string, dryRun bool, tests []*sallyportv1.PolicyTestResult) {
	passed := 0
	for _, t := range tests {
		if t.GetPassed() {
			passed++
			continue
		}
		fails := "fails"
		if t.GetFailedBefore() {
			fails = "fails, as before"
		}
		fmt.Fprintf(w, "! %s %s: %s\n", printable(strings.TrimPrefix(t.GetName(), parent+"/")), fails, indented(t.GetExplanation()))
	}
	switch {
	case len(tests) == 0:
	case !dryRun:
		fmt.Fprintln(w, "It was forced.")
	case passed == len(tests):
		fmt.Fprintf(w, "All %d policy tests pass.\n", passed)
	default:
		fmt.Fprintf(w, "%d of %d policy tests fail.\n", len(tests)-passed, len(tests))
	}
}

// indented is a text of several lines below the line that it begins on.
func indented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n    ")
}
