package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/manifest"
)

// place is what a command line names: a resource, or a collection below a parent.
type place struct {
	noun   noun
	parent string // `tenants/acme`; "" for what has none, and for the edges of all pools
	name   string // `tenants/acme/apps/wiki`; "" for the whole collection
}

// locate reads what people write for a place:
//
//	apps                     all
//	app wiki, apps/wiki      one
//	tenants/acme/apps/wiki   one, by its whole name; tenants/acme/apps are all
//	edge dev/eu-1            one of a pool
func (s *session) locate(what, id string) (place, error) {
	if id != "" && !strings.Contains(what, "/") {
		n, err := findNoun(what)
		if err != nil {
			return place{}, err
		}
		return s.below(n, id)
	}
	segments := strings.Split(what, "/")
	if id != "" {
		segments = append(segments, strings.Split(id, "/")...)
	}
	if slices.Contains(segments, "") {
		return place{}, fmt.Errorf("%q is no name of a resource", what)
	}
	if len(segments) == 1 {
		n, err := findNoun(what)
		if err != nil {
			return place{}, err
		}
		return s.below(n, "")
	}
	if len(segments) == 2 && segments[0] != platform {
		n, err := findNoun(segments[0])
		if err != nil {
			return place{}, err
		}
		return s.below(n, segments[1])
	}
	return s.whole(segments)
}

const platform = "platform"

// below is a resource of a collection in the tenant that the command works in, or the whole collection.
func (s *session) below(n noun, id string) (place, error) {
	parent := s.parent()
	switch {
	case n.collection == "edges" && id != "":
		pool, edge, ok := strings.Cut(id, "/")
		if !ok {
			return place{}, fmt.Errorf("edges live in pools: say POOL/%s", id)
		}
		parent, id = "edgePools/"+pool, edge
	case n.collection == "tenants" || n.collection == "edgePools" || n.collection == "edges":
		parent = ""
	case n.collection == "tokens":
		return place{}, fmt.Errorf("tokens belong to a service account: say serviceAccounts/ID/tokens")
	}
	if parent == platform && !slices.Contains([]string{"members", "apiTokens"}, n.collection) {
		return place{}, fmt.Errorf("whose %s? Give --tenant, or set SALLYPORT_TENANT", n.collection)
	}
	p := place{noun: n, parent: parent}
	if id != "" {
		p.name = strings.TrimPrefix(parent+"/"+n.collection+"/"+id, "/")
	}
	return p, nil
}

// whole is a name of several segments. One that begins with no root is below the tenant.
func (s *session) whole(segments []string) (place, error) {
	if !slices.Contains([]string{"tenants", "edgePools", platform}, segments[0]) {
		segments = append(strings.Split(s.parent(), "/"), segments...)
	}
	// `platform` is a parent of one segment; all others have two for each level, a collection and an id.
	var n noun
	last := 0
	if segments[0] == platform {
		last = 1
	}
	for i := last; i < len(segments); i += 2 {
		var err error
		if n, err = findNoun(segments[i]); err != nil {
			return place{}, err
		}
		segments[i], last = n.collection, i
	}
	p := place{noun: n, parent: strings.Join(segments[:last], "/")}
	if last < len(segments)-1 {
		p.name = strings.Join(segments, "/")
	}
	return p, nil
}

// list returns everything of a collection.
func (p place) list(ctx context.Context, c *api.Client) ([]resource, error) {
	if p.noun.collection != "edges" || p.parent != "" {
		return p.noun.list(ctx, c, p.parent)
	}
	pools, err := findNoun("edgePools")
	if err != nil {
		return nil, err
	}
	all, err := pools.list(ctx, c, "")
	if err != nil {
		return nil, err
	}
	var edges []resource
	for _, pool := range all {
		found, err := p.noun.list(ctx, c, text(pool, "name"))
		if err != nil {
			return nil, err
		}
		edges = append(edges, found...)
	}
	return edges, nil
}

// missing turns "not found" into which, and what was probably meant.
func (p place) missing(ctx context.Context, c *api.Client, err error) error {
	if p.name == "" {
		return nowhere(err, p.parent, "")
	}
	var ids []string
	if r, ok := api.AsRefusal(err); ok && r.Reason == "NOT_FOUND" {
		// Only to help: that it fails says nothing new.
		if all, err := p.list(ctx, c); err == nil {
			for _, m := range all {
				ids = append(ids, p.id(text(m, "name")))
			}
		}
	}
	return nowhere(err, p.name, manifest.Nearest(p.id(p.name), ids))
}

// id is how people name a resource among its collection.
func (p place) id(name string) string {
	if p.noun.collection == "edges" {
		pool, edge, _ := strings.Cut(strings.TrimPrefix(name, "edgePools/"), "/edges/")
		return pool + "/" + edge
	}
	return name[strings.LastIndex(name, "/")+1:]
}
