package operations

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/openapi"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// told is how many referrers an error names.
const told = 10

// use is a place where an operation is named: by a rule, or by a role that a rule gives.
type use struct {
	policy, rule, role string
	name               string // an operation, or a wildcard such as `users.*`
}

func (u use) at(scope controlplane.Scope) string {
	text := fmt.Sprintf("%s (rule %q", scope.Name(controlplane.KindPolicy, u.policy), u.rule)
	if u.role != "" {
		text += fmt.Sprintf(", by the role %q", u.role)
	}
	return text + ")"
}

// referrers refuses an import that takes operations away which rules for the app name: a DENY of what is called otherwise
// now would deny nobody, and no compiler could tell. It warns of what wildcards hold otherwise, which nobody wrote down.
func referrers(tx *store.TenantTx, scope controlplane.Scope, app string, plan *openapi.Plan, before *controlplane.App) ([]openapi.Note, error) {
	gone := plan.Vanished(before)
	if len(gone) == 0 {
		return nil, nil
	}
	found, err := tx.AllResources(controlplane.KindPolicy, controlplane.KindRole)
	if err != nil {
		return nil, err
	}
	var inUse []string
	var warnings []openapi.Note
	for _, u := range uses(found, app) {
		if renamed, vanishes := gone[u.name]; vanishes {
			text := fmt.Sprintf("%q by %s", u.name, u.at(scope))
			if renamed != "" {
				text = fmt.Sprintf("%q, which would be %q, by %s", u.name, renamed, u.at(scope))
			}
			inUse = append(inUse, text)
		}
		warnings = append(warnings, outgrown(scope, u, gone)...)
	}
	if len(inUse) == 0 {
		return warnings, nil
	}
	slices.Sort(inUse)
	text := strings.Join(inUse[:min(told, len(inUse))], "; ")
	if more := len(inUse) - told; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return nil, &controlplane.Error{
		Kind: controlplane.Precondition, Reason: controlplane.ReasonInUse,
		Message:  fmt.Sprintf("operations of %s that would be gone are in use: %s", scope.Name(controlplane.KindApp, app), text),
		Metadata: map[string]string{"referrers": text},
	}
}

// uses lists what rules for the app name. A policy that names no app is for any: that it is not for this one is not for
// here to find out.
func uses(resources []*controlplane.Resource, app string) []use {
	roles := map[string][]string{}
	for _, r := range resources {
		if role, ok := r.Spec.(*controlplane.Role); ok {
			roles[r.ID] = role.Operations
		}
	}
	var all []use
	for _, r := range resources {
		policy, ok := r.Spec.(*controlplane.Policy)
		if !ok || len(policy.Apps) > 0 && !slices.Contains(policy.Apps, app) {
			continue
		}
		for _, rule := range policy.Rules {
			for _, name := range rule.Operations {
				all = append(all, use{policy: r.ID, rule: rule.ID, name: name})
			}
			for _, name := range texts(rule.Expression) {
				all = append(all, use{policy: r.ID, rule: rule.ID, name: name})
			}
			for _, role := range rule.Roles {
				for _, name := range roles[role] {
					all = append(all, use{policy: r.ID, rule: rule.ID, role: role, name: name})
				}
			}
		}
	}
	return all
}

var quotedText = regexp.MustCompile(`"([^"\n]*)"|'([^'\n]*)'`)

// texts are what an expression that asks for the operation may compare it with: every text in it, for one too many refuses an
// import, and one too few lets a DENY be for nothing.
func texts(expression string) []string {
	if !strings.Contains(expression, "operation") {
		return nil
	}
	var all []string
	for _, found := range quotedText.FindAllStringSubmatch(expression, -1) {
		all = append(all, found[1]+found[2])
	}
	return all
}

// outgrown tells of operations that a wildcard holds under one of their names only.
func outgrown(scope controlplane.Scope, u use, renamed map[string]string) []openapi.Note {
	prefix, wild := strings.CutSuffix(u.name, "*")
	if !wild || prefix == "" {
		return nil
	}
	var notes []openapi.Note
	for was, is := range renamed {
		if is == "" || strings.HasPrefix(was, prefix) == strings.HasPrefix(is, prefix) {
			continue
		}
		message := fmt.Sprintf("is %q now, which %q of %s does not hold, as it held %q", is, u.name, u.at(scope), was)
		if strings.HasPrefix(is, prefix) {
			message = fmt.Sprintf("is %q now, which %q of %s holds, as it did not hold %q", is, u.name, u.at(scope), was)
		}
		notes = append(notes, openapi.Note{At: was, Message: message, Warning: true})
	}
	slices.SortFunc(notes, func(a, b openapi.Note) int { return strings.Compare(a.At, b.At) })
	return notes
}
