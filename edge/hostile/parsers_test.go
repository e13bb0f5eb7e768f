package hostile_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	"github.com/sallyport-iap/sallyport/edge/route"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// paths is how many accepted targets go through the edge to nginx.
const paths = 6000

// TestSecondParsers is PN-18: what the edge decided on is what http.ServeMux, net/url and a real nginx read. The targets go
// through the edge, with nginx as the upstream.
func TestSecondParsers(t *testing.T) {
	t.Parallel()
	upstream := startNginx(t)
	for _, c := range []struct {
		host    string
		options route.Options
	}{{"strict.a.test", route.Options{}}, {"merging.a.test", route.Options{MergeSlashes: true}}} {
		t.Run(c.host, func(t *testing.T) {
			t.Parallel()
			e := edgetest.Start(t, edgetest.Config{Tenants: []edgetest.Tenant{{UID: tenantA, Config: readers(upstream)}}})
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			accepted := acceptedTargets(t, rand.New(rand.NewPCG(seed, 0)), c.options)
			read := askNginx(t, e, c.host, accepted)
			decided := map[string]int{}
			for i, target := range accepted {
				p, err := route.Canonical(target, c.options)
				if err != nil {
					t.Fatal(err)
				}
				sameReading(t, target, p, read[i])
				decided[p.Forward]++
			}
			for _, a := range e.Records(t, tenantA, len(accepted)) {
				decided[a.GetRequest().GetPath()]--
			}
			for path, n := range decided {
				if n != 0 {
					t.Errorf("O1: %q was sent %d times more often than it was decided on", path, n)
				}
			}
			t.Logf("%d targets, read as the same path by the edge, net/url, http.ServeMux and nginx", len(accepted))
		})
	}
}

// readers are two apps that anybody may use, which read paths in two ways.
func readers(upstream string) []proto.Message {
	strict, merging := edgetest.App("strict", upstream, "strict.a.test"), edgetest.App("merging", upstream, "merging.a.test")
	merging.MergeSlashes = true
	return []proto.Message{
		&edgev1.Tenant{Id: "alpha", Uid: tenantA, AuthHost: hostLogin, Session: edgetest.Limits(time.Hour, time.Hour)}, strict, merging,
		&edgev1.Policy{Id: "all", Uid: "policy-uid-all", Apps: []string{"strict", "merging"}, Rules: []*edgev1.Rule{allow("all", "anyone", "read")}},
	}
}

// startNginx runs the real one, which answers each request with the path that it read and the target that it was sent. It
// inherits its socket, as it would from an older nginx, so there is no port to lose and no start to wait for.
func startNginx(t *testing.T) (url string) {
	t.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary = "/usr/sbin/nginx" // where Debian puts it, and no user's PATH looks
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatal("nginx is not on this machine: run `make parts`, or apt-get install nginx")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`
		daemon off; worker_processes 1; error_log stderr warn; pid %[1]s/pid;
		events { worker_connections 256; }
		http {
			access_log off; keepalive_requests 1000000; large_client_header_buffers 4 32k;
			client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
			uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
			server { listen %[2]s; default_type text/plain; location / { return 200 "$uri\n$request_uri"; } }
		}`, dir, listener.Addr())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	command := exec.Command(binary, "-p", dir, "-c", config, "-e", "stderr")
	command.Env = []string{"NGINX=3;"}
	command.ExtraFiles = []*os.File{socket}
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatalf("start nginx: %v", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt) // its worker ends with it
		_ = command.Wait()
		if t.Failed() {
			t.Logf("nginx said:\n%s", output.String())
		}
	})
	return "http://" + listener.Addr().String()
}

// acceptedTargets are those that the edge accepts, of every row in testdata and of many that chance made of what parsers
// quarrel about.
func acceptedTargets(t *testing.T, random *rand.Rand, o route.Options) []string {
	t.Helper()
	seen := map[string]bool{}
	add := func(target string) {
		if _, err := route.Canonical(target, o); err == nil && len(target) < 4000 && !strings.HasPrefix(target, "/.sallyport") {
			seen[target] = true
		}
	}
	for _, r := range readRows(t) {
		for _, line := range r.send {
			text, err := expand(line, nil)
			if err != nil {
				t.Fatal(err)
			}
			for word := range strings.FieldsSeq(text) {
				add(word)
			}
		}
	}
	pieces := []string{
		"/", "/", "/", "/", "//", ".", "..", "...", ".a", "a.", "a", "B", "9", "-", "_", "~", "!", "$", "&", "'", "(", ")", "*", "+", ",", "=", ":", "@",
		"\"", "<", ">", "[", "]", "^", "`", "{", "|", "}", "%20", "%22", "%23", "%25", "%26", "%2B", "%2b", "%2E", "%2e", "%2e%2e", "%2F", "%3A", "%3B", "%3F", "%3f", "%40", "%41",
		"%5B", "%5c", "%7E", "%7e", "%252e", "%252f", "%25zz", "%C3%A9", "%c3%a9", "%E2%82%AC", "%F0%9F%98%80", "%c0%ae", "%00", "%0a", "%7f", "%u0041", "?", "?x=/../y", "?%", ";", ";x", "\\", "#",
	}
	for len(seen) < paths {
		var b strings.Builder
		b.WriteString("/")
		for range 1 + random.IntN(10) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		add(b.String())
	}
	list := make([]string, 0, len(seen))
	for target := range seen {
		list = append(list, target)
	}
	slices.Sort(list)
	return list
}

// askNginx sends targets through the edge, many at once on one connection, and returns what nginx read of each.
func askNginx(t *testing.T, e *edgetest.Edge, host string, targets []string) []string {
	t.Helper()
	conn := e.Dial(t, host, "http/1.1")
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	in := bufio.NewReader(conn)
	var read []string
	for batch := range slices.Chunk(targets, 100) {
		var b strings.Builder
		for _, target := range batch {
			fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, host)
		}
		sent := make(chan error, 1)
		go func() {
			_, err := io.WriteString(conn, b.String())
			sent <- err
		}()
		for _, target := range batch {
			one, err := readReply(in, http.MethodGet)
			if err != nil || one.status != http.StatusOK {
				t.Fatalf("%q: nginx, behind the edge, answered %d %q, %v", target, one.status, one.body, err)
			}
			read = append(read, one.body)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	return read
}

// sameReading compares four readings of one path.
func sameReading(t *testing.T, target string, p route.Path, nginx string) {
	t.Helper()
	want, err := url.PathUnescape(p.Match)
	if err != nil {
		t.Errorf("%q: was decided on as %q, which cannot be read: %v", target, p.Match, err)
		return
	}
	if read, received, _ := strings.Cut(nginx, "\n"); read != want || received != p.Target() {
		t.Errorf("%q: was decided on as %q and sent as %q; nginx received %q and reads %q", target, want, p.Target(), received, read)
	}
	u, err := url.ParseRequestURI(p.Target())
	if err != nil || u.Path != want || u.RawQuery != p.Query || u.Host != "" {
		t.Errorf("%q: was decided on as %q; net/url reads %+v, %v", target, want, u, err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{rest...}", func(http.ResponseWriter, *http.Request) {})
	r := &http.Request{Method: http.MethodGet, URL: u, Host: "a.test", RequestURI: p.Target()}
	mux.ServeHTTP(httptest.NewRecorder(), r)
	if got := "/" + r.PathValue("rest"); got != want {
		t.Errorf("%q: was decided on as %q; http.ServeMux reads %q", target, want, got)
	}
	if again, err := route.Canonical(p.Target(), route.Options{}); err != nil || again.Target() != p.Target() {
		t.Errorf("%q: is canonical as %q, which is canonical as %q, %v", target, p.Target(), again.Target(), err)
	}
}
