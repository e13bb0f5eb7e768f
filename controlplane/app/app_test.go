package app_test

import (
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/app"
)

// sound returns an app that nothing is wrong with.
func sound() *controlplane.App {
	return &controlplane.App{
		Hosts:            []string{"api.acme.test"},
		Routes:           []controlplane.Route{{Path: "/**", Upstreams: []controlplane.Upstream{{URL: "http://127.0.0.1:9002"}}}},
		AllowedHeaders:   []string{"X_Trace"},
		WebsocketOrigins: []string{"https://partner.example", "http://localhost:3000"},
	}
}

func TestSound(t *testing.T) {
	t.Parallel()
	if got := app.Check(sound()); len(got) > 0 {
		t.Errorf("violations: %+v", got)
	}
}

func TestUpstreamSchemes(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://a.example", "https://a.example:8443", "h2c://a.example:50051"} {
		a := sound()
		a.Routes[0].Upstreams[0].URL = url
		if got := app.Check(a); len(got) > 0 {
			t.Errorf("%s: %+v", url, got)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	upstream := func(url string) func(*controlplane.App) {
		return func(a *controlplane.App) { a.Routes[0].Upstreams[0].URL = url }
	}
	const url = "routes[0].upstreams[0].url"
	for name, c := range map[string]struct {
		spoil func(*controlplane.App)
		field string
	}{
		"upstream of another scheme": {upstream("ftp://a.example"), url},
		"WebSocket over HTTP/2": {func(a *controlplane.App) {
			a.Routes[0].Websocket, a.Routes[0].Upstreams[0].URL = true, "h2c://127.0.0.1:9002"
		}, url},
		"upstream without scheme":     {upstream("a.example:80"), url},
		"upstream with a path":        {upstream("http://a.example/v1"), url},
		"upstream with a query":       {upstream("http://a.example?"), url},
		"upstream with a fragment":    {upstream("http://a.example#"), url},
		"upstream with a user":        {upstream("http://u:p@a.example"), url},
		"upstream as a number":        {upstream("http://2130706433"), url},
		"upstream in short form":      {upstream("http://127.1:80"), url},
		"upstream in octal":           {upstream("http://0177.0.0.1"), url},
		"upstream with a zone":        {upstream("http://[fe80::1%25eth0]:80"), url},
		"upstream with an empty port": {upstream("http://a.example:"), url},
		"upstream without host":       {upstream("http://:80"), url},
		"our header, folded":          {func(a *controlplane.App) { a.AllowedHeaders = []string{"X_Sallyport.User"} }, "allowed_headers[0]"},
		"a header that frames":        {func(a *controlplane.App) { a.AllowedHeaders = []string{"Transfer_Encoding"} }, "allowed_headers[0]"},
		"forwarded for":               {func(a *controlplane.App) { a.AllowedHeaders = []string{"ok_", "X_Forwarded_For"} }, "allowed_headers[1]"},
		"origin with a path":          {func(a *controlplane.App) { a.WebsocketOrigins = []string{"https://a.example/"} }, "websocket_origins[0]"},
		"origin with its own port":    {func(a *controlplane.App) { a.WebsocketOrigins = []string{"https://a.example:443"} }, "websocket_origins[0]"},
		"origin with half a port":     {func(a *controlplane.App) { a.WebsocketOrigins = []string{"http://a.example:"} }, "websocket_origins[0]"},
		"origin that is a pattern":    {func(a *controlplane.App) { a.WebsocketOrigins = []string{"https://*.example"} }, "websocket_origins[0]"},
		"origin null":                 {func(a *controlplane.App) { a.WebsocketOrigins = []string{"null"} }, "websocket_origins[0]"},
		"host in upper case":          {func(a *controlplane.App) { a.Hosts = []string{"API.acme.test"} }, "hosts[0]"},
		"idle longer than absolute": {func(a *controlplane.App) {
			long, short := controlplane.Duration(time.Hour), controlplane.Duration(time.Minute)
			a.Session = &controlplane.SessionLimits{AbsoluteLifetime: &short, IdleTimeout: &long}
		}, "session.idle_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken := sound()
			c.spoil(broken)
			got := app.Check(broken)
			if len(got) != 1 || got[0].Field != c.field || got[0].Description == "" || got[0].Reason == "" {
				t.Errorf("got %+v, want one violation of %s", got, c.field)
			}
		})
	}
}
