package rpc

import (
	"context"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// Names are taken apart here, and only here is a tenant's id turned into a scope; use cases get scopes and ids. What a
// name's shape is, is said; whether there is anything of that name, only the use case says.

func invalidName(field, form string) error {
	return controlplane.InvalidFields(controlplane.Violation{
		Field: field, Reason: controlplane.ReasonFieldInvalid,
		Description: "must be of the form " + form,
	})
}

func invalidEmpty(field string) error {
	return controlplane.InvalidFields(controlplane.Violation{Field: field, Reason: controlplane.ReasonFieldInvalid, Description: "must be empty"})
}

// form is what names of a kind look like.
func form(kind controlplane.Kind) string {
	switch kind {
	case controlplane.KindTenant:
		return "tenants/{tenant}"
	case controlplane.KindEdgePool:
		return "edgePools/{edge_pool}"
	case controlplane.KindEdge:
		return "edgePools/{edge_pool}/edges/{edge}"
	default:
		return "tenants/{tenant}/" + controlplane.Kinds[kind].Collection + "/{" + snake(kind) + "}"
	}
}

// named returns the scope and the id that the name of a resource stands for.
func (a *api) named(ctx context.Context, kind controlplane.Kind, field, name string) (controlplane.Scope, string, error) {
	parsed, err := controlplane.ParseName(name)
	if err != nil || parsed.Kind != kind {
		return controlplane.Scope{}, "", invalidName(field, form(kind))
	}
	scope, err := a.scope(ctx, parsed.Tenant)
	return scope, parsed.ID, err
}

// scope finds a tenant by id, or the platform for "". Where an operator looks in is in the log, reads too.
func (a *api) scope(ctx context.Context, tenant string) (scope controlplane.Scope, err error) {
	if tenant == "" {
		scope, err = a.Tenants.Platform(callerOf(ctx))
	} else {
		scope, err = a.Tenants.Find(ctx, callerOf(ctx), tenant)
	}
	if err == nil {
		eventOf(ctx).scope = scope.Parent()
	}
	return scope, err
}

// parent returns the scope of a parent: `tenants/{tenant}`, or `platform` where that can be one.
func (a *api) parent(ctx context.Context, parent string, platform bool) (controlplane.Scope, error) {
	if platform && parent == controlplane.PlatformParent {
		return a.scope(ctx, "")
	}
	if name, err := controlplane.ParseName(parent); err == nil && name.Kind == controlplane.KindTenant {
		return a.scope(ctx, name.ID)
	}
	if platform {
		return controlplane.Scope{}, invalidName("parent", "tenants/{tenant}, or platform")
	}
	return controlplane.Scope{}, invalidName("parent", "tenants/{tenant}")
}

// parentOf returns the scope that resources of a kind are listed and made in; pool is the edge pool whose edges they are.
func (a *api) parentOf(ctx context.Context, kind controlplane.Kind, parent string) (scope controlplane.Scope, pool string, err error) {
	switch {
	case kind == controlplane.KindEdge:
		scope, pool, err = a.named(ctx, controlplane.KindEdgePool, "parent", parent)
		return scope, pool, err
	case kind == controlplane.KindEdgePool || kind == controlplane.KindTenant:
		if parent != "" {
			return scope, "", invalidEmpty("parent")
		}
		scope, err = a.scope(ctx, "")
		return scope, "", err
	default:
		scope, err = a.parent(ctx, parent, kind == controlplane.KindMember || kind == controlplane.KindAPIToken)
		return scope, "", err
	}
}

// below returns the scope of a name such as `tenants/{tenant}/sessions/{session}`, and what stands for `{session}`.
func (a *api) below(ctx context.Context, field, name, collection string) (controlplane.Scope, string, error) {
	segments := strings.Split(name, "/")
	if len(segments) != 4 || segments[0] != "tenants" || segments[1] == "" || segments[2] != collection || segments[3] == "" {
		return controlplane.Scope{}, "", invalidName(field, "tenants/{tenant}/"+collection+"/{id}")
	}
	scope, err := a.scope(ctx, segments[1])
	return scope, segments[3], err
}

// token returns what the name of a service account's token stands for.
func (a *api) token(ctx context.Context, name string) (scope controlplane.Scope, account, id string, err error) {
	before, id, ok := strings.Cut(name, "/tokens/")
	if !ok || id == "" || strings.Contains(id, "/") {
		return scope, "", "", invalidName("name", form(controlplane.KindServiceAccount)+"/tokens/{token}")
	}
	scope, account, err = a.named(ctx, controlplane.KindServiceAccount, "name", before)
	return scope, account, id, err
}

// snake is a kind as a field is named after it: `identity_provider`.
func snake(kind controlplane.Kind) string {
	var text strings.Builder
	for i, c := range string(kind) {
		if i > 0 && c >= 'A' && c <= 'Z' {
			text.WriteByte('_')
		}
		text.WriteRune(c)
	}
	return strings.ToLower(text.String())
}
