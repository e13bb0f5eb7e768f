package dev

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

const (
	enforceLimit = 30 * time.Second
	waitCall     = 5 * time.Second
)

// awaitEnforced returns when every edge enforces what the tenant says now.
func awaitEnforced(ctx context.Context, client *api.Client, parent string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, enforceLimit, fmt.Errorf("not enforced after %s", enforceLimit))
	defer cancel()
	revisions := sallyportv1connect.NewRevisionServiceClient(client.HTTP, client.URL)
	now, err := revisions.GetRevision(ctx, &sallyportv1.GetRevisionRequest{Parent: parent})
	if err != nil {
		return fmt.Errorf("wait for the edges to enforce %s: %w", parent, err)
	}
	for _, revision := range []string{now.GetConfig(), now.GetUrgent()} {
		for {
			answer, err := revisions.Wait(ctx, &sallyportv1.WaitRequest{Parent: parent, Revision: revision, Timeout: durationpb.New(waitCall)})
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if err != nil {
				return fmt.Errorf("wait for the edges to enforce %s of %s: %w", revision, parent, err)
			}
			if answer.GetResult() == sallyportv1.WaitResult_WAIT_RESULT_ENFORCED {
				break
			}
		}
	}
	return nil
}
