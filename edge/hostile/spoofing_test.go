package hostile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/sallyport-iap/sallyport/edge/header"
)

// evil is the value of every header that is spoofed.
const evil = "spoofed-by-the-client"

// spellings returns a name in every way that some upstream takes for it.
func spellings(name string) []string {
	name = strings.ReplaceAll(name, "*", "Anything")
	var out []string
	for _, separator := range []string{"-", "_", ".", "--", "-_", "._"} {
		spelled := strings.ReplaceAll(name, "-", separator)
		out = append(out, spelled, strings.ToLower(spelled), strings.ToUpper(spelled))
	}
	for _, separator := range []string{"_", "."} {
		out = append(out, strings.Replace(name, "-", separator, 1)) // the others stay
	}
	for _, odd := range []string{"-", "_", "."} {
		out = append(out, name+odd, odd+name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// batches are all spellings of all reserved names, in as many as one request may have.
func batches() [][]string {
	var all []string
	for _, name := range header.Reserved() {
		all = append(all, spellings(name)...)
	}
	// A machine's credential is read, and so refused if it is none.
	all = slices.DeleteFunc(all, func(n string) bool { return strings.EqualFold(n, header.Token) })
	return slices.Collect(slices.Chunk(all, 80))
}

// TestSpoofing sends every name of ours in every spelling, on every kind of route, in headers and in trailers, over both
// protocols. None reaches an upstream.
func TestSpoofing(t *testing.T) {
	w := newWorld(t)
	w.honest(t, name("the start"), 2)
	all := batches()
	sent := 0
	for _, kind := range []string{"public", "allowed", "websocket", "trailer"} {
		for i, names := range all {
			w.spoofHTTP1(t, kind, fmt.Sprintf("%s, batch %d", kind, i), names)
			if kind != "websocket" {
				w.spoofHTTP2(t, kind, fmt.Sprintf("%s, batch %d over HTTP/2", kind, i), names)
			}
			sent += len(names)
		}
		w.honest(t, name(kind), 100)
	}
	t.Logf("%d spellings of %d names, on each kind of route", sent/4, len(header.Reserved()))
}

func (w *world) spoofHTTP1(t *testing.T, kind, what string, names []string) {
	t.Helper()
	var lines strings.Builder
	for _, n := range names {
		fmt.Fprintf(&lines, "%s: %s\\r\\n", n, evil)
	}
	spoofed := lines.String()
	request := map[string]string{
		"public":    `GET /public/x HTTP/1.1\r\nHost: app1.a.test\r\n` + spoofed + `\r\n`,
		"allowed":   `GET /x HTTP/1.1\r\nHost: app1.a.test\r\nCookie: __Host-sp={bob}\r\n` + spoofed + `\r\n`,
		"websocket": `GET /live HTTP/1.1\r\nHost: app1.a.test\r\nCookie: __Host-sp={bob}\r\nOrigin: https://app1.a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` + spoofed + `\r\n`,
		"trailer":   `POST /x HTTP/1.1\r\nHost: app1.a.test\r\nCookie: __Host-sp={bob}\r\nTransfer-Encoding: chunked\r\nTrailer: ` + strings.Join(names, ", ") + `\r\n\r\n1\r\na\r\n0\r\n` + spoofed + `\r\n`,
	}[kind]
	want := map[string]answer{
		"public":    {status: 200, reason: "allow.public", fate: fateOpen, handled: true},
		"allowed":   {status: 200, reason: "allow.rule", fate: fateOpen, handled: true},
		"websocket": {status: 101, reason: "allow.rule", fate: fateSocket, handled: true},
		"trailer":   {status: 200, reason: "allow.rule", fate: fateClosed, handled: true},
	}[kind]
	r := &row{file: "spoofing", ids: []string{"HD-01"}, what: what, sni: hostApp1, protocol: "h1", send: []string{request}, answers: []answer{want}}
	r.upstream = []forwarded{{line: map[string]string{"public": "GET /public/x", "allowed": "GET /x", "websocket": "GET /live", "trailer": "POST /x"}[kind]}}
	if kind == "trailer" {
		r.upstream[0].body = "a"
	}
	w.spoof(t, r)
}

func (w *world) spoofHTTP2(t *testing.T, kind, what string, names []string) {
	t.Helper()
	r := &row{file: "spoofing", ids: []string{"HD-01"}, what: what, sni: hostApp1, protocol: "h2"}
	method, target, want := "GET", "/public/x", answer{status: 200, reason: "allow.public", fate: fateOpen, handled: true}
	if kind != "public" {
		method, target, want.reason = "POST", "/x", "allow.rule"
	}
	for _, f := range fieldsOf(method, hostApp1, target) {
		r.send = append(r.send, f.Name+": "+f.Value)
	}
	if kind != "public" {
		r.send = append(r.send, "cookie: __Host-sp={bob}")
	}
	prefix := ""
	if kind == "trailer" {
		r.send = append(r.send, "DATA a")
		prefix = "TRAILER "
	}
	// HTTP/2 has lower case only; two spellings that differ in case are one header twice.
	for _, n := range names {
		r.send = append(r.send, prefix+hpack.HeaderField{Name: strings.ToLower(n)}.Name+": "+evil)
	}
	r.answers, r.upstream = []answer{want}, []forwarded{{line: method + " " + target}}
	if kind == "trailer" {
		r.upstream[0].body = "a"
	}
	w.spoof(t, r)
}

// spoof runs a row, with one oracle more: nothing that was spoofed is anywhere in what upstreams received.
func (w *world) spoof(t *testing.T, r *row) {
	t.Helper()
	w.run(t, r)
	if got := string(w.upstreams[0].Bytes()); strings.Contains(got, evil) || strings.Contains(strings.ToLower(got), "\ntrailer:") {
		t.Errorf("%s: the upstream received\n%s", r, got)
	}
}
