package server

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/edgefleet"
	"github.com/sallyport-iap/sallyport/controlplane/edgerpc"
	"github.com/sallyport-iap/sallyport/controlplane/feed"
	"github.com/sallyport-iap/sallyport/controlplane/job"
	"github.com/sallyport-iap/sallyport/controlplane/report"
	"github.com/sallyport-iap/sallyport/controlplane/revision"
	"github.com/sallyport-iap/sallyport/controlplane/snapshot"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// plane is everything, put together and not started.
type plane struct {
	api, sync http.Handler
	tls       *tls.Config
	loops     map[string]func(context.Context) error
	checks    []check
	drain     func() // sends edges away, and ends waits
}

func assemble(ctx context.Context, config Config, db *store.DB, metrics prometheus.Registerer) (*plane, error) {
	if err := db.EnsurePlatform(ctx); err != nil {
		return nil, err
	}
	system := db.System()
	authority, err := edgefleet.LoadAuthority(ctx, system, time.Now)
	if err != nil {
		return nil, err
	}
	signer, err := snapshot.LoadSigner(ctx, system)
	if err != nil {
		return nil, err
	}

	changes := changeset.New(changeset.Config{DB: db, CheckPool: edgefleet.CheckPool, Now: time.Now})
	fleet := edgefleet.New(edgefleet.Config{DB: db, Authority: authority, Write: changes.PutIn, Now: time.Now, Log: config.Log})
	revisions := revision.New(revision.Config{DB: db, Now: time.Now})
	acks := revision.NewAcks(system, config.Log)
	presence := edgefleet.NewPresence(system, config.Log)
	keys := job.NewKeys(job.Config{DB: db, Now: time.Now, Log: config.Log})
	prune := job.NewPrune(job.Config{DB: db, Now: time.Now, Log: config.Log})
	publisher, err := snapshot.New(snapshot.Config{
		Store: system, Signer: signer, Acked: acks.Put, Now: time.Now, Log: config.Log, Metrics: snapshot.NewMetrics(metrics),
	})
	if err != nil {
		return nil, err
	}
	reports := report.New(report.Config{DB: db, Enforced: revisions.Enforced, Now: time.Now, Log: config.Log})
	edges := edgerpc.New(edgerpc.Config{
		Authority: authority, Fleet: fleet, Presence: presence, Publisher: publisher, Reports: reports, Signer: signer,
		Version: config.Version, Now: time.Now, Log: config.Log,
	})
	changed := feed.New(feed.Config{
		Store: system,
		Changed: func(tenant controlplane.UID) {
			publisher.Wake(tenant)
			if tenant == controlplane.PlatformUID {
				keys.Wake()
			}
		},
		Compare: publisher.Compare, Acknowledged: revisions.Acknowledged, Reconnected: publisher.Reacknowledge, Now: time.Now, Log: config.Log,
	})
	api, err := newAPIHandler(config, db, changes, fleet, revisions)
	if err != nil {
		return nil, err
	}
	return &plane{
		api: api, sync: edges, tls: authority.TLS(),
		drain: func() {
			revisions.Drain()
			edges.Drain()
		},
		loops: map[string]func(context.Context) error{
			"feed": changed.Run, "publisher": publisher.Run, "acknowledgements": acks.Run, "presence": presence.Run,
			"keys": keys.Run, "prune": prune.Run,
		},
		checks: []check{
			{"database", func(ctx context.Context) error { _, err := system.Heads(ctx); return err }},
			{"snapshot", func(context.Context) error { return publisher.Ready() }},
		},
	}, nil
}
