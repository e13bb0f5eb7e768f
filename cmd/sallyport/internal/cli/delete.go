package cli

import (
	"context"
)

type deleteCommand struct {
	What string `arg:"" help:"A collection and an id, or a whole name."`
	ID   string `arg:"" optional:"" help:"One of the collection."`
	In   string `placeholder:"POOL" help:"For edges: their pool."`
	Waiting
}

func (d *deleteCommand) Run(ctx context.Context, s *session) error {
	client, err := s.resolve()
	if err != nil {
		return err
	}
	n, name, err := s.locate(d.What, d.ID, d.In)
	if err != nil {
		return err
	}
	if name == "" {
		return usage("delete one thing at a time: give an id")
	}
	revision, err := n.delete(ctx, client, name)
	if err != nil {
		return notFound(err, name)
	}
	if s.json {
		s.printf("{\"deleted\": %q, \"revision\": %q}\n", name, revision)
	} else {
		s.printf("- %s\n%s\n", name, revision)
	}
	parent := s.parent()
	if !n.scoped() || n.collection == "edges" {
		parent = "platform"
	}
	return d.Waiting.run(ctx, s, client, parent, revision)
}
