package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/cli"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// importer is a control plane with one app, that somebody else changes once an import was shown.
type importer struct {
	sallyportv1connect.UnimplementedAppServiceHandler
	mu       sync.Mutex
	requests []*sallyportv1.ImportOperationsRequest
}

func (*importer) GetApp(context.Context, *sallyportv1.GetAppRequest) (*sallyportv1.App, error) {
	return &sallyportv1.App{Etag: "first"}, nil
}

func (i *importer) ImportOperations(_ context.Context, r *sallyportv1.ImportOperationsRequest) (*sallyportv1.ImportOperationsResponse, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests = append(i.requests, r)
	if !r.GetValidateOnly() {
		stale := connect.NewError(connect.CodeAborted, errors.New("the etag is not the current one"))
		for _, d := range []proto.Message{&errdetails.ErrorInfo{Reason: "ETAG_STALE"}, &errdetails.RequestInfo{RequestId: "r_1"}} {
			detail, err := connect.NewErrorDetail(d)
			if err != nil {
				return nil, err
			}
			stale.AddDetail(detail)
		}
		return nil, stale
	}
	return &sallyportv1.ImportOperationsResponse{Changes: []*sallyportv1.OperationChange{{
		Action: sallyportv1.OperationChange_ACTION_ADD, After: &sallyportv1.Operation{Id: "a", Methods: []string{"GET"}, Paths: []string{"/a"}},
	}}}, nil
}

// runImport imports with what a person answers, and returns what the control plane was asked for.
func runImport(ctx context.Context, t *testing.T, answer io.Reader, stderr io.Writer) ([]*sallyportv1.ImportOperationsRequest, error) {
	t.Helper()
	i := &importer{}
	mux := http.NewServeMux()
	mux.Handle(sallyportv1connect.NewAppServiceHandler(i))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "api.yaml")
	if err := os.WriteFile(file, []byte("openapi: 3.1.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := cli.Run(ctx, process.Env{
		Args:   []string{"--server", server.URL, "--tenant", "t", "import", "openapi", "pages", "-f", file},
		Getenv: func(name string) string { return map[string]string{"SALLYPORT_TOKEN": "spa_x"}[name] },
		Stdin:  answer, Stdout: &out, Stderr: stderr,
	})
	return i.requests, err
}

// Who is interrupted while being asked did not say yes.
func TestInterruptedQuestion(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	terminal, typed := io.Pipe()
	defer typed.Close()
	requests, err := runImport(ctx, t, terminal, &heard{then: cancel})
	if status(err) != 130 || len(requests) != 1 || !requests[0].GetValidateOnly() {
		t.Errorf("got status %d, %v, after %v", status(err), err, requests)
	}
}

// What is done is what was shown, or nothing is.
func TestImportOfWhatWasShown(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"y\n", "YES"} {
		requests, err := runImport(t.Context(), t, strings.NewReader(answer), io.Discard)
		if err == nil || !strings.Contains(err.Error(), "somebody else changed tenants/t/apps/pages meanwhile") {
			t.Errorf("%q: %v", answer, err)
		}
		if len(requests) != 2 || requests[0].GetEtag() != "first" || requests[1].GetEtag() != "first" || requests[1].GetValidateOnly() {
			t.Errorf("%q: asked for %v", answer, requests)
		}
	}
	for _, answer := range []string{"", "\n", "no\n", "yess\n"} {
		if requests, err := runImport(t.Context(), t, strings.NewReader(answer), io.Discard); err == nil || len(requests) != 1 {
			t.Errorf("%q: %v, asked for %v", answer, err, requests)
		}
	}
}
