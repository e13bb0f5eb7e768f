package hostile_test

import (
	"net/http"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// TestOraclesNotice plants, in what came of an honest request, whatever an oracle is there to find: one that finds nothing
// would hold for ever.
func TestOraclesNotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := &row{file: "oracles", what: "an honest request", sni: hostApp1, answers: []answer{{status: 200, reason: "allow.rule", fate: fateOpen, handled: true}}, upstream: []forwarded{{line: "GET /x?y=1"}}}
	raw := "GET /x?y=1 HTTP/1.1\r\nHost: app1.a.test\r\nX-Note: a\r\nCookie: a=b; __Host-sp=" + w.names["bob"] + "\r\n\r\n"
	before := w.bytes()
	o := w.observe(t, r, w.sendHTTP1(t, r, raw), before)
	r.judge(t, o, w.names)
	w.verified[""] = "" // who is nobody
	add := func(name, value string) func(*sallyportv1.AccessEvent, *edgetest.Received) {
		return func(_ *sallyportv1.AccessEvent, got *edgetest.Received) {
			got.Header = append(got.Header, [2]string{name, value})
		}
	}
	replace := func(name, value string) func(*sallyportv1.AccessEvent, *edgetest.Received) {
		return func(_ *sallyportv1.AccessEvent, got *edgetest.Received) {
			got.Header = slices.DeleteFunc(got.Header, func(h [2]string) bool { return http.CanonicalHeaderKey(h[0]) == name })
			if value != "" {
				got.Header = append(got.Header, [2]string{name, value})
			}
		}
	}
	notices := func(what string, plant func(*sallyportv1.AccessEvent, *edgetest.Received), want bool) {
		t.Helper()
		a, got := proto.CloneOf(o.records[0]), *o.arrived[0]
		got.Header = slices.Clone(got.Header)
		plant(a, &got)
		c := &complaints{TB: t}
		same(c, name(what), a, &got)
		w.identity(c, name(what), a, &got)
		if (c.n > 0) != want {
			t.Errorf("%s: the oracles have %d complaints", what, c.n)
		}
	}
	notices("nothing", func(*sallyportv1.AccessEvent, *edgetest.Received) {}, false)
	notices("a header that is nobody's", add("X-Other", "x"), false)
	for what, plant := range map[string]func(*sallyportv1.AccessEvent, *edgetest.Received){
		"O1: another path":        func(_ *sallyportv1.AccessEvent, got *edgetest.Received) { got.Target = "/y?y=1" },
		"O1: another query":       func(_ *sallyportv1.AccessEvent, got *edgetest.Received) { got.Target = "/x?y=2" },
		"O1: no query":            func(_ *sallyportv1.AccessEvent, got *edgetest.Received) { got.Target = "/x" },
		"O1: another method":      func(_ *sallyportv1.AccessEvent, got *edgetest.Received) { got.Method = "POST" },
		"O1: another host":        replace("Host", "app2.a.test"),
		"O1: another id":          replace("X-Request-Id", "r_other"),
		"O2: it was denied":       func(a *sallyportv1.AccessEvent, _ *edgetest.Received) { a.Decision.Outcome = "DENY" },
		"O3: somebody else":       replace("X-Sallyport-User", "user:other"),
		"O3: no assertion":        replace("X-Sallyport-Assertion", ""),
		"O3: another assertion's": func(a *sallyportv1.AccessEvent, _ *edgetest.Received) { a.Principal.Subject = "user:other" },
		"O3: a second name":       add("X-Sallyport-User", w.bob),
		"O3: a folded name":       add("x_sallyport.user", "evil"),
		"O3: a name of another's": add("Remote_User", "evil"),
		"O3: an address":          replace("X-Forwarded-For", "10.0.0.1"),
		"O3: our cookie":          add("Cookie", "__Host-sp="+w.names["bob"]),
		"O3: our token":           add("X-Note", ci.Text),
		"O3: in a trailer": func(_ *sallyportv1.AccessEvent, got *edgetest.Received) {
			got.Trailer = [][2]string{{"X-Forwarded-User", "evil"}}
		},
	} {
		notices(what, plant, true)
	}
	for _, canary := range canaries {
		for what, plant := range map[string]func(*observed){
			"an answer": func(o *observed) { o.replies = []reply{{status: 200, body: "<p>" + canary}} },
			"a header": func(o *observed) {
				o.replies = []reply{{status: 200, header: http.Header{"Location": {"https://" + canary}}}}
			},
			"a record": func(o *observed) {
				a := proto.CloneOf(o.records[0])
				a.Request.Host = canary
				o.records = []*sallyportv1.AccessEvent{a}
			},
		} {
			seen := o
			plant(&seen)
			c := &complaints{TB: t}
			if wall(c, r, raw, seen); c.n != 1 {
				t.Errorf("O5: %s with %q: %d complaints", what, canary, c.n)
			}
		}
	}
}
