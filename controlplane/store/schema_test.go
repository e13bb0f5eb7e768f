package store_test

import (
	"flag"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
	"github.com/sallyport-iap/sallyport/migrations"
)

var update = flag.Bool("update", false, "write migrations/schema.sql")

const schemaFile = "../../migrations/schema.sql"

// schema is what the catalog says, as SQL to read. Partitions have names with dates in them and are left out.
func schema(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	query, err := os.ReadFile("testdata/schema_query.sql")
	if err != nil {
		t.Fatal(err)
	}
	const head = "-- The schema that the migrations make, as the catalog tells it. For reading and for reviews; nothing runs it.\n" +
		"-- Written by: go test ./controlplane/store -run TestSchemaFile -update\n"
	return head + strings.Join(texts(t, conn, string(query)), "\n") + "\n"
}

func TestSchemaFile(t *testing.T) {
	t.Parallel()
	got := schema(t, connect(t, storetest.Database(t).Superuser))
	if *update {
		if err := os.WriteFile(schemaFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("schema.sql is not what the migrations make (-file +made); run `go test ./controlplane/store -run TestSchemaFile -update`:\n%s", diff)
	}
}

func TestDownAndUpAgain(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	conn := connect(t, urls.Superuser)
	before := schema(t, conn)
	down(t, urls)
	if left := texts(t, conn, `SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE nspname = 'public' AND relkind IN ('r', 'p', 'v', 'S') AND relname <> 'schema_migrations'`); len(left) > 0 {
		t.Errorf("the way down leaves %v", left)
	}
	if err := store.Migrate(t.Context(), urls.Owner); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, schema(t, conn)); diff != "" {
		t.Errorf("down and up again makes another schema (-before +after):\n%s", diff)
	}
}

// down goes all the way back.
func down(t *testing.T, urls storetest.URLs) {
	t.Helper()
	source, err := iofs.New(migrations.Files, ".")
	if err != nil {
		t.Fatal(err)
	}
	runner, err := migrate.NewWithSourceInstance("iofs", source, strings.Replace(urls.Owner, "postgres://", "pgx5://", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer runner.Close()
	if err := runner.Down(); err != nil {
		t.Fatal(err)
	}
}

// A migration that cannot run leaves nothing of itself, not even a mark: once the cause has gone, migrating goes on.
func TestFailedMigrationIsNoMigration(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	conn := connect(t, urls.Superuser)
	before := schema(t, conn)
	down(t, urls)
	exec(t, conn, `CREATE TABLE edge_ack ()`) // the second table of a migration in the middle
	if err := store.Migrate(t.Context(), urls.Owner); err == nil || !strings.Contains(err.Error(), `relation "edge_ack" already exists`) {
		t.Fatalf("error = %v", err)
	}
	if left := texts(t, conn, `SELECT relname::text FROM pg_class WHERE relname IN ('edge', 'tenant')`); !slices.Equal(left, []string{"tenant"}) {
		t.Errorf("of the migration that failed and those before it are left: %v", left)
	}
	exec(t, conn, `DROP TABLE edge_ack`)
	if err := store.Migrate(t.Context(), urls.Owner); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, schema(t, conn)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSeveralMigrateAtOnce(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	const replicas = 3
	results := make(chan error, replicas)
	for range replicas {
		go func() { results <- store.Migrate(t.Context(), urls.Owner) }()
	}
	for range replicas {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestFilesArePairsThatOnlyExpand(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(migrations.Files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^(\d{6}_[a-z_]+)\.(up|down)\.sql$`)
	shrinks := regexp.MustCompile(`(?im)^\s*(DROP|TRUNCATE|DELETE|ALTER TABLE \S+\s+(DROP|RENAME|ALTER COLUMN \S+ (TYPE|SET NOT NULL)))\b`)
	pairs := map[string][]string{}
	for _, file := range names {
		parts := name.FindStringSubmatch(file)
		if parts == nil {
			t.Errorf("%s is not named NNNNNN_name.up.sql or .down.sql", file)
			continue
		}
		pairs[parts[1]] = append(pairs[parts[1]], parts[2])
		content, err := migrations.Files.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := shrinks.FindString(string(content)); parts[2] == "up" && found != "" {
			t.Errorf("%s shrinks the schema (%q): the version that is being replaced still uses it", file, strings.TrimSpace(found))
		}
	}
	for pair, ways := range pairs {
		if diff := cmp.Diff([]string{"down", "up"}, ways); diff != "" {
			t.Errorf("%s has %v, want up and down", pair, ways)
		}
	}
}

func TestEveryTableSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	conn := connect(t, storetest.Database(t).Superuser)
	silent := texts(t, conn, `SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE nspname = 'public' AND relkind IN ('r', 'p') AND relname <> 'schema_migrations'
			AND coalesce(length(obj_description(c.oid, 'pg_class')), 0) < 20`)
	if len(silent) > 0 {
		t.Errorf("no COMMENT on %v", silent)
	}
}
