package cli

import (
	"context"
	"strings"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

type deleteCommand struct {
	What string `arg:"" help:"A collection and an id, or a name (apps/wiki, tenants/acme/apps/wiki)."`
	ID   string `arg:"" optional:"" help:"One of the collection."`
	Waiting
}

// Help is what `--help` says beyond the flags.
func (*deleteCommand) Help() string {
	return `What something else refers to is not deleted: the answer says what does.

    sallyport delete app wiki --wait
    sallyport delete edge dev/eu-1                 an operator's; its keys are replaced`
}

func (d *deleteCommand) Run(ctx context.Context, s *session) error {
	if err := d.Waiting.check(); err != nil {
		return err
	}
	client, err := s.resolve()
	if err != nil {
		return err
	}
	at, err := s.locate(d.What, d.ID)
	if err != nil {
		return err
	}
	if at.name == "" {
		return usage("give an id: one thing is deleted at a time")
	}
	revision, err := at.noun.delete(ctx, client, at.name)
	if r, ok := api.AsRefusal(err); ok && r.Reason == "IN_USE" {
		r.Message += "\nNothing was deleted: change or delete that first."
		return errorOf(r)
	}
	if err != nil {
		return at.missing(ctx, client, err)
	}
	// As the audit has it: what belongs to the operator is the platform's.
	parent := platform
	if tenant, ok := strings.CutPrefix(at.name, "tenants/"); ok {
		parent, _, _ = strings.Cut(tenant, "/")
		parent = "tenants/" + parent
	}
	gone := &sallyportv1.ApplyResponse{Revision: revision, Changes: []*sallyportv1.Change{
		{Name: at.name, Action: sallyportv1.Change_ACTION_DELETE},
	}}
	s.printChanges(&sallyportv1.ApplyRequest{Parent: parent}, gone)
	return d.Waiting.run(ctx, s, client, parent, revision, gone)
}
