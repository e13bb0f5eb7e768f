package cli

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/manifest"
)

type getCommand struct {
	What string `arg:"" help:"A collection (apps, policies, sessions, …), or a name (apps/wiki, tenants/acme/apps/wiki)."`
	ID   string `arg:"" optional:"" help:"One of the collection."`
}

// Help is what `--help` says beyond the flags.
func (*getCommand) Help() string {
	var all []string
	for collection := range nouns() {
		all = append(all, collection)
	}
	return "Collections: " + strings.Join(sorted(all), ", ") + `.

One resource is shown in the form that apply takes, and so is a collection with -o yaml.

    sallyport get apps
    sallyport get app wiki
    sallyport get edge dev/eu-1                of the pool dev; an operator's
    sallyport get edges edgePools/dev          all of that pool
    sallyport get serviceAccounts/ci/tokens
    sallyport get apps -o json | jq '.[].hosts'`
}

func (g *getCommand) Run(ctx context.Context, s *session) error {
	client, err := s.resolve()
	if err != nil {
		return err
	}
	at, err := s.locate(g.What, g.ID)
	if err != nil {
		return err
	}
	if at.name == "" {
		items, err := at.list(ctx, client)
		if err != nil {
			return at.missing(ctx, client, err)
		}
		return s.printAll(at, items)
	}
	one, err := at.noun.get(ctx, client, at.name)
	switch {
	case err != nil:
		return at.missing(ctx, client, err)
	case s.output == "json":
		return s.printValue(one.Interface())
	default:
		return manifest.Show(s.Stdout, one.Interface())
	}
}

func (s *session) printAll(at place, items []resource) error {
	switch s.output {
	case "json":
		return s.printArray(items)
	case "yaml":
		return manifest.Show(s.Stdout, messages(items)...)
	}
	if len(items) == 0 {
		where := ""
		if at.parent != "" {
			where = " in " + at.parent
		}
		s.progress("There are no %s%s.\n", at.noun.collection, where)
		return nil
	}
	newTable(at, items, time.Now()).print(s.Stdout)
	return nil
}

func messages(items []resource) []proto.Message {
	var all []proto.Message
	for _, item := range items {
		all = append(all, item.Interface())
	}
	return all
}
