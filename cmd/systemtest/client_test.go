package systemtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
)

// browser returns a client that trusts the demo's CA and finds every host on this machine.
func (d *demo) browser(t *testing.T) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(d.document(t).CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
		Protocols: new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(true)
	transport.Protocols.SetHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// http1 makes the client speak HTTP/1.1 only.
func http1(client *http.Client) *http.Client {
	client.Transport.(*http.Transport).Protocols.SetHTTP2(false)
	return client
}

// answer is what came back.
type answer struct {
	Status int
	Header http.Header
	Body   string
	Reused bool // on a connection that was open already
}

func (a *answer) json(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), into); err != nil {
		t.Fatalf("%v: %s", err, a.Body)
	}
}

func send(t *testing.T, client *http.Client, r *http.Request) *answer {
	t.Helper()
	a, err := try(client, r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// try is send where no answer is an answer, too.
func try(client *http.Client, r *http.Request) (*answer, error) {
	a := &answer{}
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { a.Reused = info.Reused },
	}))
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL, err)
	}
	a.Status, a.Header, a.Body = response.StatusCode, response.Header, string(body)
	return a, nil
}

// request makes a request; headers are pairs of a name and a value.
func request(t *testing.T, method, url, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// at is the URL of a path on a host of the first tenant, at an edge.
func (doc *document) at(edge int, app, path string) string {
	return "https://" + app + "." + doc.Tenant + ".localhost:" + strconv.Itoa(doc.Edges[edge].Port) + path
}

// robot is the header of the service account.
func (doc *document) robot() []string {
	return []string{"Authorization", "Bearer " + doc.ServiceAccounts[0].Token}
}

// admin is a client of the admin API for the first tenant.
func (d *demo) admin(t *testing.T) *api.Client {
	t.Helper()
	doc := d.document(t)
	return apiClient(t, doc, doc.ControlPlane.AdminToken)
}

func apiClient(t *testing.T, doc *document, token string) *api.Client {
	t.Helper()
	client, err := api.New(doc.ControlPlane.URL, token)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
