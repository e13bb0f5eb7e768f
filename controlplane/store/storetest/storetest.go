// Package storetest gives each test a database of its own: migrated, empty but for the platform, and seen only through
// the roles that the running program has. A superuser would walk through row-level security, and tests with it.
//
// It must never touch a database that it did not make.
package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/migrations"
)

// server is the variable that names the test server: a superuser's URL of one that holds nothing of value.
const server = "SALLYPORT_TEST_POSTGRES_URL"

// URLs are the ways into one test's database.
type URLs struct {
	Superuser string
	Owner     string
	App       string
	Feed      string
}

// New opens a database of the test's own, with the platform in it. It goes when the test ends.
func New(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, Database(t))
}

// Open opens a test's database, with a deployment key that is made for it.
func Open(t testing.TB, urls URLs) *store.DB {
	t.Helper()
	keys, err := keyring.Ephemeral()
	if err != nil {
		t.Fatal(err)
	}
	return OpenWith(t, urls, keys)
}

// OpenWith opens a test's database with a given deployment key: for a second replica.
func OpenWith(t testing.TB, urls URLs, keys *keyring.Keyring) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{
		AppURL: urls.App, FeedURL: urls.Feed, Keys: keys, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	t.Cleanup(db.Close)
	if err := db.EnsurePlatform(t.Context()); err != nil {
		t.Fatalf("make the platform: %v", err)
	}
	return db
}

// Tenant makes a tenant with nothing but its settings.
func Tenant(t testing.TB, db *store.DB, id string) controlplane.UID {
	t.Helper()
	uid, err := store.NewUID()
	if err != nil {
		t.Fatal(err)
	}
	err = db.CreateTenant(t.Context(), uid, id, func(tx *store.TenantTx) error {
		name := controlplane.Name{Tenant: id, Kind: controlplane.KindTenant, ID: id}.String()
		if err := tx.Put(&controlplane.Resource{Kind: controlplane.KindTenant, ID: id, Spec: &controlplane.Tenant{AuthHost: "auth." + id + ".test"}}); err != nil {
			return err
		}
		return tx.Record(store.Change{Lane: controlplane.Config, Caller: Caller(), Items: []store.ChangeItem{{Name: name, Action: store.Created}}})
	})
	if err != nil {
		t.Fatalf("make tenant %q: %v", id, err)
	}
	return uid
}

// Caller is somebody who may do anything.
func Caller() *controlplane.Caller {
	return &controlplane.Caller{Actor: "platform/members/test", ActorKind: "operator", TenantUID: controlplane.PlatformUID, Role: controlplane.Owner, Method: "test"}
}

// Database makes an empty, migrated database for one test.
func Database(t testing.TB) URLs {
	t.Helper()
	super := os.Getenv(server)
	if super == "" {
		t.Fatalf("%s is not set: run `make test`, or `go run ./cmd/internal/testservices -- go test ./...`", server)
	}
	name := "sallyport_test_" + strings.ToLower(rand.Text()[:16])
	withServer(t, super, func(ctx context.Context, conn *pgx.Conn) error {
		template, err := ensureTemplate(ctx, conn, super)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, fmt.Sprintf(`CREATE DATABASE %s TEMPLATE %s STRATEGY FILE_COPY OWNER sallyport_owner`, name, template))
		return err
	})
	t.Cleanup(func() {
		withServer(t, super, func(ctx context.Context, conn *pgx.Conn) error {
			waitForBackends(ctx, conn, name)
			_, err := conn.Exec(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`)
			return err
		})
	})
	return urlsOf(super, name)
}

// waitForBackends gives connections that were just closed a moment to end, so that none has to be killed and logged.
func waitForBackends(ctx context.Context, conn *pgx.Conn, database string) {
	for range 100 {
		var left int
		err := conn.QueryRow(ctx, `SELECT count(*), pg_sleep(CASE WHEN count(*) > 0 THEN 0.005 ELSE 0 END)::text
			FROM pg_stat_activity WHERE datname = $1`, database).Scan(&left, new(string))
		if err != nil || left == 0 {
			return
		}
	}
}

func withServer(t testing.TB, super string, use func(context.Context, *pgx.Conn) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, super)
	if err != nil {
		t.Fatalf("connect to the test server: %v", err)
	}
	defer conn.Close(ctx)
	if err := use(ctx, conn); err != nil {
		t.Fatalf("test database: %v", err)
	}
}

// ensureTemplate makes the database that all others are copies of, once for each state of the migrations, whoever of
// several test programs comes first.
func ensureTemplate(ctx context.Context, conn *pgx.Conn, super string) (string, error) {
	hash, err := migrationsHash()
	if err != nil {
		return "", err
	}
	template := "sallyport_template_" + hash
	ready := func() (ready bool, err error) {
		err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)`, template).Scan(&ready)
		return ready, err
	}
	if ok, err := ready(); err != nil || ok {
		return template, err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtext('sallyport_storetest'))`); err != nil {
		return "", err
	}
	if ok, err := ready(); err != nil || ok {
		return template, err
	}
	urls := urlsOf(super, template)
	if err := ensureRoles(ctx, conn, super); err != nil {
		return "", err
	}
	for _, statement := range []string{
		`DROP DATABASE IF EXISTS ` + template + ` WITH (FORCE)`,
		`CREATE DATABASE ` + template + ` OWNER sallyport_owner`,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", err
		}
	}
	if err := store.Migrate(ctx, urls.Owner); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, `ALTER DATABASE `+template+` IS_TEMPLATE true ALLOW_CONNECTIONS false`)
	return template, err
}

// ensureRoles makes the roles as a deployer would. Their password is that of the test server's superuser.
func ensureRoles(ctx context.Context, conn *pgx.Conn, super string) error {
	for _, role := range []string{"sallyport_owner", "sallyport_app", "sallyport_feed"} {
		var exists bool
		if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, role).Scan(&exists); err != nil {
			return err
		}
		verb := "CREATE"
		if exists {
			verb = "ALTER"
		}
		statement := verb + ` ROLE ` + role + ` LOGIN PASSWORD '` + strings.ReplaceAll(password(super), `'`, `''`) + `'`
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func password(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	p, _ := u.User.Password()
	return p
}

func urlsOf(super, database string) URLs {
	as := func(role string) string {
		u, err := url.Parse(super)
		if err != nil {
			return super
		}
		u.Path = "/" + database
		if role != "" {
			u.User = url.UserPassword(role, password(super))
		}
		return u.String()
	}
	return URLs{Superuser: as(""), Owner: as("sallyport_owner"), App: as("sallyport_app"), Feed: as("sallyport_feed")}
}

func migrationsHash() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(migrations.Files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := migrations.Files.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(content), content)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:8]), err
}
