package snapshot

import (
	"net/url"
	"sync/atomic"
	"time"

	"github.com/sallyport-iap/sallyport/edge/route"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// App is something to protect.
type App struct {
	ID, UID, DisplayName string

	Hosts              []string
	Disabled           bool
	Closed             bool // something about it is not understood: deny.app_closed
	Paths              route.Options
	Table              *route.Table // nil if closed
	Routes             []Route      // as route.Table numbers them
	MaxStaleness       time.Duration
	SessionStoreGrace  time.Duration
	CORSPreflight      bool
	StripAuthorization bool
	IdentityHeaders    []string // user, email, groups
	IdentityGroups     []string
	AllowedHeaders     []string
	WebSocketOrigins   []string

	session *Limits // nil: the tenant's
}

// Route is a path pattern and where its requests go.
type Route struct {
	Path      string
	Targets   []*url.URL // scheme (http, https, h2c) and host, nothing else
	WebSocket bool
	Timeout   time.Duration // to the first byte of the response

	turn *atomic.Uint32
}

// Turn is the index of the target to ask first. Each call returns the next.
func (r *Route) Turn() int { return int(r.turn.Add(1) % uint32(len(r.Targets))) }

// Limits are the stricter of the app's and the tenant's.
func (a *App) Limits(s *Site) Limits {
	if a.session == nil {
		return s.Session
	}
	return Limits{Absolute: min(a.session.Absolute, s.Session.Absolute), Idle: min(a.session.Idle, s.Session.Idle)}
}

// Where the control plane does not say.
const (
	defaultTimeout      = 60 * time.Second
	defaultMaxStaleness = 24 * time.Hour
)

// newApp translates an app. Whatever is wrong with it closes it; its hosts answer all the same.
func newApp(m *edgev1.App) *App {
	a := &App{
		ID: m.GetId(), UID: m.GetUid(), DisplayName: m.GetDisplayName(), Hosts: m.GetHosts(), Disabled: m.GetDisabled(),
		Closed:             !understood(m.ProtoReflect()),
		Paths:              route.Options{AllowEncodedSlash: m.GetAllowEncodedSlash(), AllowSemicolon: m.GetAllowSemicolon(), MergeSlashes: m.GetMergeSlashes()},
		MaxStaleness:       defaultMaxStaleness,
		SessionStoreGrace:  m.GetSessionStoreGrace().AsDuration(),
		CORSPreflight:      m.GetCorsPreflight(),
		StripAuthorization: m.GetStripAuthorization(),
		IdentityHeaders:    m.GetIdentityHeaders(),
		IdentityGroups:     m.GetIdentityGroups(),
		AllowedHeaders:     m.GetAllowedHeaders(),
		WebSocketOrigins:   m.GetWebsocketOrigins(),
		session:            limits(m.GetSession()),
	}
	if m.GetMaxStaleness() != nil {
		a.MaxStaleness = m.GetMaxStaleness().AsDuration()
	}
	spec := route.Spec{Hosts: m.GetHosts()}
	for _, r := range m.GetRoutes() {
		compiled, ok := newRoute(r)
		if !ok {
			a.Closed = true
		}
		a.Routes = append(a.Routes, compiled)
		spec.Routes = append(spec.Routes, r.GetPath())
	}
	for _, op := range m.GetOperations() {
		spec.Operations = append(spec.Operations, route.Operation{ID: op.GetId(), Methods: op.GetMethods(), Paths: op.GetPaths(), Hosts: op.GetHosts()})
	}
	table, problems := route.Compile(spec)
	if len(problems) > 0 || a.Closed {
		a.Closed = true
		return a
	}
	a.Table = table
	return a
}

func newRoute(m *edgev1.Route) (Route, bool) {
	r := Route{Path: m.GetPath(), WebSocket: m.GetWebsocket(), Timeout: defaultTimeout, turn: new(atomic.Uint32)}
	if m.GetTimeout() != nil {
		r.Timeout = m.GetTimeout().AsDuration()
	}
	for _, text := range m.GetUpstreamUrls() {
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "h2c") || u.Hostname() == "" || u.User != nil ||
			(u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
			return r, false
		}
		r.Targets = append(r.Targets, &url.URL{Scheme: u.Scheme, Host: u.Host})
	}
	return r, len(r.Targets) > 0 && r.Timeout > 0
}

func limits(m *edgev1.SessionLimits) *Limits {
	if m == nil {
		return nil
	}
	return &Limits{Absolute: m.GetAbsoluteLifetime().AsDuration(), Idle: m.GetIdleTimeout().AsDuration()}
}
