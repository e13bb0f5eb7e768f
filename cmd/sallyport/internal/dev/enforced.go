package dev

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/supervise"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

const (
	enforceLimit = 30 * time.Second
	waitCall     = 5 * time.Second
	firstLimit   = 10 * time.Second
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

// awaitFirstRequest returns when a public page behind the edge is answered: the whole way works, TLS to upstream.
func (e *engine) awaitFirstRequest(ctx context.Context, caFile string, at edge) error {
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	if !roots.AppendCertsFromPEM(pem) {
		return errors.New("no certificate in " + caFile)
	}
	dialer := &net.Dialer{Timeout: time.Second}
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		// Not every system's resolver knows names below .localhost.
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, launch.Loopback(at.port))
		},
		DisableKeepAlives: true,
	}}
	ctx, cancel := context.WithTimeout(ctx, firstLimit)
	defer cancel()
	url := at.url(tenants()[0].host("api")) + "/v1/status"
	if err := supervise.AnswersTo(client, url)(ctx); err != nil {
		return fmt.Errorf("%s: no answer from %s: %w", at.part(), url, err)
	}
	return nil
}
