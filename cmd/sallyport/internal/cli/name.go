package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/internal/spelling"
)

// place is what a command line names: a resource, or a collection below a parent.
type place struct {
	noun   noun
	parent string // `tenants/acme`; "" for what has none, and for the edges of all pools
	name   string // `tenants/acme/apps/wiki`; "" for the whole collection
}

// locate reads what people write for a place:
//
//	apps                           all
//	app wiki, apps/wiki            one
//	tenants/acme/apps/wiki         one, by its whole name; tenants/acme/apps are all
//	app tenants/acme/apps/wiki     the same; app tenants/acme are all
//	edge dev/eu-1, edges/dev/eu-1  one of a pool
func (s *session) locate(what, id string) (place, error) {
	named := what
	if id != "" {
		named += "/" + id
	}
	segments := strings.Split(named, "/")
	if slices.Contains(segments, "") {
		return place{}, usage(fmt.Sprintf("%q is no name of a resource: say apps, app wiki, or tenants/acme/apps/wiki", named))
	}
	if !strings.Contains(what, "/") && strings.Contains(id, "/") && slices.Contains(roots, segments[1]) {
		return s.qualified(segments[0], segments[1:])
	}
	full, err := s.full(segments)
	if err != nil {
		return place{}, err
	}
	return read(full)
}

const platform = "platform"

// roots are what a whole name begins with.
var roots = []string{"tenants", "edgePools", platform}

// within is where a collection is, if it is not in tenants.
var within = map[string][]string{
	"tenants": {""}, "edgePools": {""}, "edges": {"edgePools", ""}, "tokens": {"serviceAccounts"},
	"members": {"tenants", platform}, "apiTokens": {"tenants", platform},
}

func isWithin(collection, parent string) bool {
	parents, ok := within[collection]
	return !ok && parent == "tenants" || slices.Contains(parents, parent)
}

// qualified reads a collection and then a whole name: of one in it, or of what has it.
func (s *session) qualified(word string, segments []string) (place, error) {
	n, err := findNoun(word)
	if err != nil {
		return place{}, err
	}
	p, err := read(segments)
	if err != nil || p.noun.collection == n.collection {
		return p, err
	}
	if p.name != "" && isWithin(n.collection, p.noun.collection) {
		return read(append(segments, n.collection))
	}
	return place{}, usage(fmt.Sprintf("%s is of %s, not of %s", strings.Join(segments, "/"), p.noun.collection, n.collection))
}

// full completes a name by where the command works.
func (s *session) full(segments []string) ([]string, error) {
	if segments[0] == platform {
		return segments, nil
	}
	n, err := findNoun(segments[0])
	if err != nil {
		return nil, err
	}
	parent := s.parent()
	switch n.collection {
	case "tenants", "edgePools":
		return segments, nil
	case "edges":
		switch len(segments) {
		case 1:
			return segments, nil
		case 3:
			return []string{"edgePools", segments[1], "edges", segments[2]}, nil
		}
		return nil, usage(fmt.Sprintf("edges live in pools: say edge POOL/%[1]s, or edgePools/%[1]s/edges for all of that pool", segments[1]))
	case "tokens":
		id := "ID"
		if len(segments) > 1 {
			id = segments[1]
		}
		return nil, usage(fmt.Sprintf("tokens belong to a service account: say serviceAccounts/%s/tokens", id))
	case "members", "apiTokens":
	default:
		if parent == platform {
			return nil, usage(fmt.Sprintf("whose %s? Give --tenant, or set SALLYPORT_TENANT", n.collection))
		}
	}
	return append(strings.Split(parent, "/"), segments...), nil
}

// read reads a whole name. `platform` is a parent of one segment; all others have two, a collection and an id.
func read(segments []string) (place, error) {
	var n noun
	last, parent := 0, ""
	if segments[0] == platform {
		if len(segments) == 1 {
			return place{}, usage("say platform/members or platform/apiTokens")
		}
		last, parent = 1, platform
	}
	for i := last; i < len(segments); i += 2 {
		var err error
		if n, err = findNoun(segments[i]); err != nil {
			return place{}, err
		}
		if !isWithin(n.collection, parent) {
			if i == 0 {
				parent = "the top"
			}
			return place{}, usage(fmt.Sprintf("%s: there are no %s in %s", strings.Join(segments, "/"), n.collection, parent))
		}
		segments[i], last, parent = n.collection, i, n.collection
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
	err = nowhere(err, p.name, spelling.Nearest(p.id(p.name), ids))
	if len(ids) > 0 {
		err = fmt.Errorf("%w\nSee sallyport get %s", err, strings.TrimPrefix(p.parent+"/"+p.noun.collection, "/"))
	}
	return err
}

// id is how people name a resource among its collection.
func (p place) id(name string) string {
	if p.noun.collection == "edges" {
		pool, edge, _ := strings.Cut(strings.TrimPrefix(name, "edgePools/"), "/edges/")
		return pool + "/" + edge
	}
	return name[strings.LastIndex(name, "/")+1:]
}
