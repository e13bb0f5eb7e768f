package controlplane

import "fmt"

// App is something to protect. Field meanings: sallyport.v1.App.
type App struct {
	Hosts                 []string          `json:"hosts,omitempty"`
	Routes                []Route           `json:"routes,omitempty"`
	Operations            []Operation       `json:"operations,omitempty"`
	UpstreamIdentity      *UpstreamIdentity `json:"upstream_identity,omitempty"`
	Disabled              bool              `json:"disabled,omitempty"`
	AllowEncodedSlash     bool              `json:"allow_encoded_slash,omitempty"`
	AllowSemicolon        bool              `json:"allow_semicolon,omitempty"`
	MergeSlashes          bool              `json:"merge_slashes,omitempty"`
	CORSPreflight         bool              `json:"cors_preflight,omitempty"`
	UpstreamAuthorization string            `json:"upstream_authorization,omitempty"`
	AllowedHeaders        []string          `json:"allowed_headers,omitempty"`
	WebsocketOrigins      []string          `json:"websocket_origins,omitempty"`
	Session               *SessionLimits    `json:"session,omitempty"`
	MaxStaleness          *Duration         `json:"max_staleness,omitempty"`
	SessionStoreGrace     *Duration         `json:"session_store_grace,omitempty"`
}

// Route is a path pattern and where its requests go.
type Route struct {
	Path      string     `json:"path,omitempty"`
	Upstreams []Upstream `json:"upstreams,omitempty"`
	Websocket bool       `json:"websocket,omitempty"`
	Timeout   *Duration  `json:"timeout,omitempty"`
}

// Upstream is one server behind a route.
type Upstream struct {
	URL string `json:"url,omitempty"`
}

// Operation is a thing that can be done in an app.
type Operation struct {
	ID      string   `json:"id,omitempty"`
	Methods []string `json:"methods,omitempty"`
	Paths   []string `json:"paths,omitempty"`
	Hosts   []string `json:"hosts,omitempty"`
	Access  string   `json:"access,omitempty"`
}

// UpstreamIdentity is what the upstream is told besides the assertion.
type UpstreamIdentity struct {
	Headers []string `json:"headers,omitempty"`
	Groups  []string `json:"groups,omitempty"`
}

// References names the groups whose membership the upstream is told.
func (a *App) References() []Reference {
	if a.UpstreamIdentity == nil {
		return nil
	}
	var refs []Reference
	for i, id := range a.UpstreamIdentity.Groups {
		refs = append(refs, Reference{Field: fmt.Sprintf("upstream_identity.groups[%d]", i), Kind: KindGroup, ID: id})
	}
	return refs
}
