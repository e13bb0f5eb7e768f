package edge

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/sallyport-iap/sallyport/edge/assertion"
	"github.com/sallyport-iap/sallyport/edge/audit"
	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/facts"
	"github.com/sallyport-iap/sallyport/edge/identity"
	"github.com/sallyport-iap/sallyport/edge/login"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	"github.com/sallyport-iap/sallyport/edge/stream"
	"github.com/sallyport-iap/sallyport/edge/upstream"
)

// Config is what a Handler is made of.
type Config struct {
	Table     func() *snapshot.Table
	Identity  *identity.Authenticator
	Login     *login.Login
	Countries *facts.Countries
	Minter    *assertion.Minter
	Forward   *upstream.Forwarder
	Streams   *stream.Registry
	Audit     *audit.Log
	Metrics   *Metrics
	// SameCertificate tells whether two names are proved with one certificate, so that one connection may carry both.
	SameCertificate func(a, b string) bool
	PublicPort      int // that clients use
	BootID          string
	Now             func() time.Time
	Log             *slog.Logger
}

// Handler is the pipeline.
type Handler struct{ Config }

// New returns a pipeline.
func New(c Config) *Handler { return &Handler{c} }

// stages are what a request goes through. One that answers, or denies, is the last.
var stages = [...]func(*transaction) *exchange.Denial{
	(*transaction).receive,      // what no app could mean
	(*transaction).locate,       // whose host it is
	(*transaction).strip,        // what only we may say
	(*transaction).canonicalise, // what is asked, read one way
	(*transaction).ours,         // our own pages and documents
	(*transaction).fresh,        // is what we know recent enough to decide on
	(*transaction).identify,     // who asks
	(*transaction).decide,       // may they
	(*transaction).introduce,    // what the upstream is told about them
	(*transaction).forward,      // the app's answer
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.begin(w, r)
	defer x.end()
	for _, stage := range stages {
		if denial := stage(x); denial != nil {
			x.refuse(denial)
			return
		}
		if x.answered {
			return
		}
	}
}
