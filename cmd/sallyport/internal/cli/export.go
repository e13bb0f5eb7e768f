package cli

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/manifest"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type exportCommand struct {
	ManagedBy string `placeholder:"NAME" help:"Only what this tool manages."`
}

// Help is what `--help` says beyond the flags.
func (*exportCommand) Help() string {
	return `Secrets are not in it. Applying it again changes nothing.

    sallyport export > acme.yaml`
}

func (e *exportCommand) Run(ctx context.Context, s *session) error {
	client, err := s.resolve()
	if err != nil {
		return err
	}
	response, err := sallyportv1connect.NewConfigServiceClient(client.HTTP, client.URL).Export(ctx,
		&sallyportv1.ExportRequest{Parent: s.parent(), ManagedBy: e.ManagedBy})
	if err != nil {
		return nowhere(err, s.parent(), "")
	}
	if s.output == "json" {
		return s.printValue(response)
	}
	var resources []proto.Message
	for _, packed := range response.GetResources() {
		m, err := packed.UnmarshalNew()
		if err != nil {
			return err
		}
		resources = append(resources, m)
	}
	s.progress("%s at %s\n", s.parent(), response.GetRevision())
	return manifest.Encode(s.Stdout, s.target.Tenant, resources)
}
