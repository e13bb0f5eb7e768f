package dev

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"connectrpc.com/connect"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/ca"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/supervise"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

func (c Config) edgeDir(at edge) string { return c.path("edge-" + at.name) }

// thirdStage is the edges, each with a join token if it has no identity yet.
func (e *engine) thirdStage(ctx context.Context, operator *api.Client, authority *ca.Authority) ([]supervise.Part, error) {
	var certificates []ca.Pair
	for _, t := range tenants() {
		pair, err := authority.Server(t.id, t.hosts()...)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, pair)
	}
	var parts []supervise.Part
	for index, at := range e.config.edges() {
		known, err := lookUp(ctx, operator, at)
		if err != nil {
			return nil, fmt.Errorf("look for %s: %w", at.part(), err)
		}
		joinFile, err := e.join(ctx, operator, at, known)
		if err != nil {
			return nil, fmt.Errorf("let %s join: %w", at.part(), err)
		}
		healthy := "/readyz"
		if known.GetDisabled() { // it serves nobody until an operator lets it
			fmt.Fprintf(e.out, "The %s is disabled, and will serve nobody until it is enabled again.\n", at.part())
			healthy = "/livez"
		}
		output, err := e.logs.open(at.part())
		if err != nil {
			return nil, err
		}
		process := supervise.Process{
			Command: func() *exec.Cmd { return e.edge(at, certificates, joinFile) },
			Output:  output,
			Ready:   supervise.Answers(at.healthURL() + healthy),
			Started: func(pid int) { e.file.update(func(d *document) { d.Edges[index].PID = pid }) },
		}
		parts = append(parts, supervise.Part{Name: at.part(), Run: e.keepRunning(at.part(), process.Run)})
	}
	return parts, nil
}

const pool = "edgePools/" + poolID

// lookUp returns what the control plane knows of an edge; nil if it does not know it.
func lookUp(ctx context.Context, operator *api.Client, at edge) (*sallyportv1.Edge, error) {
	edges := sallyportv1connect.NewEdgeServiceClient(operator.HTTP, operator.URL)
	known, err := edges.GetEdge(ctx, &sallyportv1.GetEdgeRequest{Name: pool + "/edges/" + at.name})
	if connect.CodeOf(err) == connect.CodeNotFound {
		return nil, nil
	}
	return known, err
}

// join returns the file of a join token for an edge that needs one, else "". An identity of an edge that the control
// plane does not have, because one of the two lost its data, is of no use.
func (e *engine) join(ctx context.Context, operator *api.Client, at edge, known *sallyportv1.Edge) (file string, err error) {
	if known != nil && known.GetUid() == identity(e.config.edgeDir(at)) {
		return "", nil
	}
	if err := os.RemoveAll(e.config.edgeDir(at)); err != nil {
		return "", err
	}
	if err := os.MkdirAll(e.config.edgeDir(at), 0o700); err != nil {
		return "", err
	}
	edges := sallyportv1connect.NewEdgeServiceClient(operator.HTTP, operator.URL)
	made, err := edges.CreateJoinToken(ctx, &sallyportv1.CreateJoinTokenRequest{Parent: pool, EdgeId: at.name})
	if err != nil {
		return "", err
	}
	file = filepath.Join(e.config.edgeDir(at), "join-token")
	return file, writeFile(file, []byte(made.GetSecret()))
}

// identity is the uid under which the edge of that directory joined; "" if it has not.
func identity(dir string) string {
	content, err := os.ReadFile(filepath.Join(dir, "identity.json"))
	if err != nil {
		return ""
	}
	var kept struct {
		UID string `json:"edge_uid"`
	}
	if err := json.Unmarshal(content, &kept); err != nil {
		return ""
	}
	return kept.UID
}

// drain is how long our children wait for requests to finish: less than they are given before they are killed.
const drain = 400 * time.Millisecond

func (e *engine) edge(at edge, certificates []ca.Pair, joinFile string) *exec.Cmd {
	args := []string{
		"--name", at.name, "--region", at.region, "--data-dir", e.config.edgeDir(at), "--sync-url", e.config.syncURL(),
		"--listen", launch.Loopback(at.port), "--health-listen", launch.Loopback(at.health),
		"--redis-addr", launch.Loopback(at.redisPort), "--drain-timeout", drain.String(),
	}
	for _, pair := range certificates {
		args = append(args, "--tls-cert", pair.CertFile, "--tls-key", pair.KeyFile)
	}
	if e.config.CountryDB != "" {
		args = append(args, "--country-db", e.config.CountryDB)
	}
	if joinFile != "" {
		args = append(args, "--join-token-file", joinFile)
	}
	cmd := exec.Command(e.programs.edge, args...)
	cmd.Env = environment()
	return cmd
}
