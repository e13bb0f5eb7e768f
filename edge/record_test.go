package edge_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
)

// Nobody can keep what they did out of the audit by asking for it at length: a record stays small, and says what was cut.
func TestRecordsStaySmall(t *testing.T) {
	t.Parallel()
	up := edgetest.NewUpstream(t)
	e := edgetest.Start(t, edgetest.Demo(up.URL(), up.URL()))
	for _, path := range []string{"/v1/items/" + strings.Repeat(`"`, 8100), "/v1/items/" + strings.Repeat("%7e", 2700)} {
		conn := e.Dial(t, "api.acme.localhost", "http/1.1")
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: api.acme.localhost\r\nUser-Agent: %s\r\nAuthorization: Bearer %s\r\n\r\n",
			path, strings.Repeat(`"`, 8100), edgetest.CI.Text)
		answer := make([]byte, 12)
		if _, err := conn.Read(answer); err != nil || string(answer) != "HTTP/1.1 200" {
			t.Fatalf("%q %v", answer, err)
		}
	}
	for _, r := range e.Records(t, edgetest.Acme, 2) {
		body, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(r)
		if err != nil || len(body) > 8<<10 {
			t.Errorf("%d bytes, %v", len(body), err)
		}
		if r.GetPrincipal().GetSubject() != "serviceAccount:ci" || !strings.Contains(r.GetRequest().GetPath(), "…sha256:") || !r.GetDecision().GetFacts().GetIncomplete() {
			t.Errorf("recorded %s", body)
		}
	}
}
