package controlplane

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Name is a parsed resource name: `tenants/acme/apps/payroll`, `edgePools/dev/edges/eu-1`, `platform/members/ann`.
type Name struct {
	Tenant string // tenant id; "" for the platform
	Kind   Kind
	ID     string
}

// PlatformParent is the parent of the operator's members and API tokens.
const PlatformParent = "platform"

// ParseName reads a resource name. It says nothing of whether the resource exists.
func ParseName(name string) (Name, error) {
	segments := strings.Split(name, "/")
	if slices.Contains(segments, "") {
		return Name{}, fmt.Errorf("%q is not a resource name", name)
	}
	switch {
	case len(segments) == 2 && segments[0] == "tenants":
		return Name{Tenant: segments[1], Kind: KindTenant, ID: segments[1]}, nil
	case len(segments) == 2 && segments[0] == "edgePools":
		return Name{Kind: KindEdgePool, ID: segments[1]}, nil
	case len(segments) == 4 && segments[0] == "edgePools" && segments[2] == "edges":
		return Name{Kind: KindEdge, ID: segments[1] + "/" + segments[3]}, nil
	case len(segments) == 3 && segments[0] == PlatformParent:
		if kind, ok := kindOfCollection(segments[1]); ok && (kind == KindMember || kind == KindAPIToken) {
			return Name{Kind: kind, ID: segments[2]}, nil
		}
	case len(segments) == 4 && segments[0] == "tenants":
		if kind, ok := kindOfCollection(segments[2]); ok && kind != KindTenant && !Kinds[kind].Platform {
			return Name{Tenant: segments[1], Kind: kind, ID: segments[3]}, nil
		}
	}
	return Name{}, fmt.Errorf("%q is not a resource name", name)
}

// String is the inverse of [ParseName].
func (n Name) String() string {
	switch {
	case n.Kind == KindTenant:
		return "tenants/" + n.ID
	case n.Kind == KindEdgePool:
		return "edgePools/" + n.ID
	case n.Kind == KindEdge:
		pool, edge, _ := strings.Cut(n.ID, "/")
		return "edgePools/" + pool + "/edges/" + edge
	case n.Tenant == "":
		return PlatformParent + "/" + Kinds[n.Kind].Collection + "/" + n.ID
	default:
		return "tenants/" + n.Tenant + "/" + Kinds[n.Kind].Collection + "/" + n.ID
	}
}

func kindOfCollection(collection string) (Kind, bool) {
	for kind, traits := range Kinds {
		if traits.Collection == collection {
			return kind, true
		}
	}
	return "", false
}

var idPattern = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidID reports whether a resource of the kind can be made under an id.
func ValidID(kind Kind, id string) bool {
	if kind == KindEdge {
		pool, edge, ok := strings.Cut(id, "/")
		return ok && idPattern.MatchString(pool) && idPattern.MatchString(edge)
	}
	return idPattern.MatchString(id)
}
