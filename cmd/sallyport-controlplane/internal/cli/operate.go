package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/internal/settings"
	"github.com/sallyport-iap/sallyport/controlplane/apitoken"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/edgefleet"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
	"github.com/sallyport-iap/sallyport/controlplane/server"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

type migrateCommand struct {
	OwnerURL     string `name:"owner-url" help:"Database as the role that owns the schema. Secret." placeholder:"URL"`
	OwnerURLFile string `name:"owner-url-file" help:"File that holds --owner-url." placeholder:"FILE"`
	DatabaseWait string `help:"How long to wait for a database that cannot be reached." default:"1m"`

	logging
}

// Run migrates. It is safe to run while control planes of this version or the one before are running.
func (c *migrateCommand) Run(ctx context.Context, env process.Env, s *settings.Settings) error {
	owner := secretURL{flag: "owner-url", given: c.OwnerURL, file: c.OwnerURLFile}
	log, logErr := c.open(env)
	wait, waitErr := duration("database-wait", c.DatabaseWait, 0)
	if err := check(s, owner.read(), logErr, waitErr); err != nil {
		return err
	}
	err := server.AwaitDatabase(ctx, wait, log, func(ctx context.Context) error { return store.Migrate(ctx, owner.value) })
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "the schema is up to date", "database", owner.redacted())
	return nil
}

type keysCommand struct {
	Init keysInitCommand `cmd:"" help:"Make the deployment key in a new file. Keep a copy: without it nothing secret in the database can be read."`
}

type keysInitCommand struct {
	KeyFile string `help:"File to make." placeholder:"FILE"`
}

// Run makes the key. It never overwrites one.
func (c *keysInitCommand) Run(env process.Env, s *settings.Settings) error {
	var fault error
	if c.KeyFile == "" {
		fault = fmt.Errorf("--key-file (or %s) is required", variable("key-file"))
	}
	if err := check(s, fault); err != nil {
		return err
	}
	err := keyring.Init(c.KeyFile)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("--key-file: %s is there already, and is not overwritten", c.KeyFile)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "made %s\n", c.KeyFile)
	return err
}

type bootstrapCommand struct {
	AppURL       string `name:"app-url" help:"Database as the role sallyport_app. Secret." placeholder:"URL"`
	AppURLFile   string `name:"app-url-file" help:"File that holds --app-url." placeholder:"FILE"`
	FeedURL      string `name:"feed-url" help:"Database as the role sallyport_feed. Secret." placeholder:"URL"`
	FeedURLFile  string `name:"feed-url-file" help:"File that holds --feed-url." placeholder:"FILE"`
	KeyFile      string `help:"Deployment key, made by 'keys init'." placeholder:"FILE"`
	DatabaseWait string `help:"How long to wait for a database that cannot be reached." default:"1m"`

	Recover bool `help:"Although there is an operator: for when the tokens of all operators are lost."`

	logging
}

// Run prints the token, and nothing else, on standard output.
func (c *bootstrapCommand) Run(ctx context.Context, env process.Env, s *settings.Settings) error {
	app, feed := secretURL{flag: "app-url", given: c.AppURL, file: c.AppURLFile}, secretURL{flag: "feed-url", given: c.FeedURL, file: c.FeedURLFile}
	log, logErr := c.open(env)
	wait, waitErr := duration("database-wait", c.DatabaseWait, 0)
	keys, keyErr := openKeys(c.KeyFile)
	if err := check(s, app.read(), feed.read(), keyErr, logErr, waitErr); err != nil {
		return err
	}
	db, err := server.OpenDatabase(ctx, store.Config{AppURL: app.value, FeedURL: feed.value, Keys: keys, Log: log}, wait)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.EnsurePlatform(ctx); err != nil {
		return err
	}
	changes := changeset.New(changeset.Config{DB: db, CheckPool: edgefleet.CheckPool, Now: time.Now})
	tokens := apitoken.New(apitoken.Config{DB: db, Changes: changes, Now: time.Now})
	mint := tokens.Bootstrap
	if c.Recover {
		mint = tokens.Recover
	}
	secret, err := mint(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, secret)
	return err
}
