package changeset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/member"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// authorize asks for a permission for each difference, by what was there and by what will be: neither taking something
// over nor giving it away goes past the one who has it.
func (r *run) authorize() error {
	if r.trusted {
		return nil
	}
	if r.set.ForceReason != "" {
		if err := r.caller.Require(controlplane.WriteConfiguration); err != nil {
			return err
		}
	}
	for _, c := range r.changes {
		if err := r.authorizeChange(c); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) authorizeChange(c *change) error {
	switch c.kind {
	case controlplane.KindApp:
		if err := r.caller.Require(controlplane.WriteApps); err != nil {
			return err
		}
		if err := r.manages(c.before, c.after); err != nil {
			return err
		}
		return r.governedLabels(c)
	case controlplane.KindPolicy:
		if specOf[*controlplane.Policy](c.before).GuardRail() || specOf[*controlplane.Policy](c.after).GuardRail() {
			return r.caller.Require(controlplane.WriteConfiguration)
		}
		if err := r.caller.Require(controlplane.WriteApps); err != nil {
			return err
		}
		return r.managesAppsOf(c.before, c.after)
	case controlplane.KindGrant:
		if err := r.caller.Require(controlplane.WriteApps); err != nil {
			return err
		}
		return r.managesAppsOf(c.before, c.after)
	case controlplane.KindMember:
		if err := r.caller.Require(controlplane.WriteMembers); err != nil {
			return err
		}
		return member.MayWrite(r.caller, specOf[*controlplane.Member](c.before), specOf[*controlplane.Member](c.after))
	case controlplane.KindAPIToken:
		return r.authorizeToken(c)
	default:
		if controlplane.Kinds[c.kind].Platform && !r.caller.Operator() {
			return controlplane.OperatorError()
		}
		return r.caller.Require(controlplane.WriteConfiguration)
	}
}

// specOf returns the spec of a resource, or nil for none.
func specOf[S controlplane.Spec](r *controlplane.Resource) S {
	var none S
	if r == nil {
		return none
	}
	spec, _ := r.Spec.(S)
	return spec
}

func (r *run) authorizeToken(c *change) error {
	if err := r.caller.Require(controlplane.WriteMembers); err != nil {
		return err
	}
	for _, token := range []*controlplane.APIToken{specOf[*controlplane.APIToken](c.before), specOf[*controlplane.APIToken](c.after)} {
		if token == nil {
			continue
		}
		var of *controlplane.Member
		for _, ref := range token.References() {
			found, err := r.resource(ref.Kind, ref.ID)
			if err != nil {
				return err
			}
			of = specOf[*controlplane.Member](found)
		}
		if err := member.MayWriteToken(r.caller, token, of); err != nil {
			return err
		}
	}
	return nil
}

// resource returns a resource as it will be if the set changes it, else as it is; nil if there is none.
func (r *run) resource(kind controlplane.Kind, id string) (*controlplane.Resource, error) {
	for _, c := range r.changes {
		if c.kind == kind && c.id == id {
			return c.after, nil
		}
	}
	found, err := r.tx.Resource(kind, id)
	if controlplane.KindOf(err) == controlplane.NotFound {
		return nil, nil
	}
	return found, err
}

// manages refuses an app manager an app that does not carry all the labels that the manager has. No labels are no apps:
// empty is never everything.
func (r *run) manages(apps ...*controlplane.Resource) error {
	if r.caller.Role != controlplane.AppManager {
		return nil
	}
	for _, app := range apps {
		if app != nil && !carries(app.Labels, r.caller.AppLabels) {
			return notManaged()
		}
	}
	return nil
}

func carries(labels, wanted map[string]string) bool {
	for k, v := range wanted {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return len(wanted) > 0
}

func notManaged() error {
	e := controlplane.RoleError(controlplane.WriteConfiguration)
	e.Message = "an app manager writes only apps with all of the manager's labels, and policies that name only such apps"
	return e
}

// managesAppsOf does the same for all apps that policies and grants name, as they are and as the set leaves them.
func (r *run) managesAppsOf(rules ...*controlplane.Resource) error {
	if r.caller.Role != controlplane.AppManager {
		return nil
	}
	for _, resource := range rules {
		for _, id := range appsOf(resource) {
			app, err := r.resource(controlplane.KindApp, id)
			if err != nil {
				return fmt.Errorf("read app %s of a %s: %w", id, noun(resource.Kind), err)
			}
			if app == nil {
				continue // a reference that is missing is found later, or the app goes in the same set
			}
			if err := r.manages(app); err != nil {
				return err
			}
		}
	}
	return nil
}

func appsOf(r *controlplane.Resource) []string {
	if r == nil {
		return nil
	}
	switch spec := r.Spec.(type) {
	case *controlplane.Policy:
		return spec.Apps
	case *controlplane.Grant:
		return []string{spec.App}
	default:
		return nil
	}
}

// governedLabels refuses a change of a label that a guard-rail or an app manager's role selects by to whoever may write
// neither: it would move the app out of one's reach, or into another's. To make an app, a manager gives it the manager's
// own labels, whose values were chosen by somebody who may.
func (r *run) governedLabels(c *change) error {
	if c.after == nil || r.caller.Role.Can(controlplane.WriteConfiguration) {
		return nil
	}
	var before map[string]string
	if c.before != nil {
		before = c.before.Labels
	}
	var differ []string
	for key, is := range c.after.Labels {
		was, had := before[key]
		own, mine := r.caller.AppLabels[key]
		if (!had || was != is) && (c.before != nil || !mine || own != is) {
			differ = append(differ, key)
		}
	}
	for key := range before {
		if _, kept := c.after.Labels[key]; !kept {
			differ = append(differ, key)
		}
	}
	if len(differ) == 0 {
		return nil
	}
	slices.Sort(differ)
	governed, err := r.governedKeys()
	if err != nil {
		return err
	}
	for _, key := range differ {
		if by := governed[key]; by != "" {
			e := controlplane.RoleError(controlplane.WriteConfiguration)
			e.Message = fmt.Sprintf("the label %s of %s is governed: %s selects by it, and only who may write that may change it", key, r.name(c.kind, c.id), by)
			e.Metadata["label"], e.Metadata["governed_by"] = key, by
			return e
		}
	}
	return nil
}

// governedKeys returns what selects by which label: the name of a guard-rail or of a member.
func (r *run) governedKeys() (map[string]string, error) {
	all, err := r.tx.AllResources(controlplane.KindPolicy, controlplane.KindMember)
	if err != nil {
		return nil, fmt.Errorf("read what selects by labels: %w", err)
	}
	governed := map[string]string{}
	for _, found := range all {
		switch spec := found.Spec.(type) {
		case *controlplane.Policy:
			for _, l := range spec.Selector {
				governed[l.Key] = r.name(found.Kind, found.ID)
			}
		case *controlplane.Member:
			for key := range spec.AppLabels {
				governed[key] = cmp.Or(governed[key], r.name(found.Kind, found.ID))
			}
		}
	}
	return governed, nil
}

// mayLose refuses whoever may not write a policy a change that takes something from under it: an app that is edited so that
// its requests are other operations, or a host that moves to an app that a guard-rail does not reach.
func (r *run) mayLose() error {
	if r.trusted || r.caller.Role.Can(controlplane.WriteConfiguration) {
		return nil
	}
	for _, loss := range r.lost {
		held, err := r.resource(controlplane.KindPolicy, loss.Policy)
		if err != nil {
			return err
		}
		if held != nil && !specOf[*controlplane.Policy](held).GuardRail() && r.managesAppsOf(held) == nil {
			continue
		}
		by := r.name(controlplane.KindPolicy, loss.Policy)
		e := controlplane.RoleError(controlplane.WriteConfiguration)
		e.Message = fmt.Sprintf("%s would be for less of %s than before: only who may write that policy may do this", by, strings.Join(loss.Apps, ", "))
		if loss.Cause == policy.LostByOperation {
			e.Message = fmt.Sprintf("requests to %s would be other operations, which %s (rules %s) is not about: only who may write that policy may do this",
				strings.Join(loss.Apps, ", "), by, strings.Join(loss.Rules, ", "))
		}
		if loss.Example != "" {
			e.Message += "; such as " + loss.Example
		}
		e.Metadata["governed_by"] = by
		return e
	}
	return nil
}
