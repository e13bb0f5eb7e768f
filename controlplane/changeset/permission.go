package changeset

import (
	"fmt"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/member"
)

// authorize asks for a permission for each difference, by what was there and by what will be: neither taking something
// over nor giving it away goes past the one who has it.
func (r *run) authorize() error {
	if r.trusted {
		return nil
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
		return r.manages(c.before, c.after)
	case controlplane.KindPolicy:
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

// managesAppsOf does the same for all apps that a policy names, as they are and as the set leaves them.
func (r *run) managesAppsOf(policies ...*controlplane.Resource) error {
	if r.caller.Role != controlplane.AppManager {
		return nil
	}
	for _, p := range policies {
		spec := specOf[*controlplane.Policy](p)
		if spec == nil {
			continue
		}
		for _, id := range spec.Apps {
			app, err := r.resource(controlplane.KindApp, id)
			if err != nil {
				return fmt.Errorf("read app %s of a policy: %w", id, err)
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
