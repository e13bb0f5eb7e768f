package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// wallPolicy is the wall, as the catalog prints it.
const wallPolicy = `(tenant_uid = (NULLIF(current_setting('sallyport.tenant'::text, true), ''::text))::uuid)`

// tables are all that hold data of ours. Partitions are not among them: nobody is granted anything on those.
const tables = `
	SELECT c.relname::text FROM pg_class c
	WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'schema_migrations'
	ORDER BY 1`

func TestEveryTableHasTheWall(t *testing.T) {
	t.Parallel()
	conn := superuser(t, storetest.Database(t))
	for _, table := range texts(t, conn, tables) {
		var owner string
		var column, enabled, forced bool
		err := conn.QueryRow(t.Context(), `
			SELECT relowner::regrole::text, relrowsecurity, relforcerowsecurity, EXISTS (SELECT FROM pg_attribute
				WHERE attrelid = c.oid AND attname = 'tenant_uid' AND attnotnull AND atttypid = 'uuid'::regtype)
			FROM pg_class c WHERE oid = $1::regclass`, table).Scan(&owner, &enabled, &forced, &column)
		if err != nil {
			t.Fatal(err)
		}
		if !column || !enabled || !forced || owner != "sallyport_owner" {
			t.Errorf("%s: tenant_uid uuid not null %t, row security %t, forced %t, owner %s", table, column, enabled, forced, owner)
		}
		for _, policy := range texts(t, conn, `SELECT concat_ws(' ', permissive, cmd, roles::text, qual, '/', with_check) FROM pg_policies
			WHERE schemaname = 'public' AND tablename = $1 AND NOT roles = '{sallyport_feed}'`, table) {
			if want := "PERMISSIVE ALL {sallyport_app} " + wallPolicy + " / " + wallPolicy; policy != want {
				t.Errorf("%s has a policy that is not the wall:\n got %s\nwant %s", table, policy, want)
			}
		}
		if n := len(texts(t, conn, `SELECT policyname::text FROM pg_policies WHERE tablename = $1 AND roles = '{sallyport_app}'`, table)); n != 1 {
			t.Errorf("%s has %d policies for sallyport_app, want exactly the wall", table, n)
		}
	}
	// A partition that is asked directly must answer nobody.
	open := texts(t, conn, `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relispartition
		AND relkind = 'r' AND (NOT relrowsecurity OR NOT relforcerowsecurity OR relacl::text ~ 'sallyport_(app|feed)')`)
	if len(open) > 0 {
		t.Errorf("partitions that can be read directly: %v", open)
	}
}

func TestRolesCannotWalkAroundTheWall(t *testing.T) {
	t.Parallel()
	conn := superuser(t, storetest.Database(t))
	for _, role := range []string{"sallyport_app", "sallyport_feed"} {
		risky := texts(t, conn, `
			SELECT 'is superuser or may bypass' FROM pg_roles WHERE rolname = $1 AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)
			UNION ALL SELECT 'member of ' || roleid::regrole FROM pg_auth_members WHERE member = $1::regrole
			UNION ALL SELECT 'owns ' || relname FROM pg_class WHERE relowner = $1::regrole
			UNION ALL SELECT 'may create in public' WHERE has_schema_privilege($1, 'public', 'CREATE')
			UNION ALL SELECT 'may truncate ' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
				AND has_table_privilege($1, oid, 'TRUNCATE, TRIGGER, REFERENCES')
			UNION ALL SELECT 'may call ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
				AND has_function_privilege($1, oid, 'EXECUTE') AND NOT ($1 = 'sallyport_feed' AND proname = 'access_event_partitions')
			UNION ALL SELECT 'may change ' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname IN ('change', 'change_item')
				AND (has_any_column_privilege($1, oid, 'UPDATE') OR has_table_privilege($1, oid, 'DELETE'))`, role)
		if len(risky) > 0 {
			t.Errorf("%s: %v", role, risky)
		}
	}
	// The feed writes what edges report, and prunes; nothing else.
	writes := texts(t, conn, `
		SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
			AND (has_any_column_privilege('sallyport_feed', oid, 'INSERT, UPDATE') OR has_table_privilege('sallyport_feed', oid, 'INSERT, UPDATE')) ORDER BY 1`)
	if diff := cmp.Diff([]string{"access_event", "api_token", "edge", "edge_ack", "session"}, writes); diff != "" {
		t.Errorf("sallyport_feed writes other tables than expected (-want +got):\n%s", diff)
	}
}

// As the API's role: without a tenant nothing is there, with one only its own rows are, and nobody else's can be made.
func TestRowsOfOthersAreNotThere(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme, globex := storetest.Tenant(t, db, "acme"), storetest.Tenant(t, db, "globex")
	fill(t, db, acme, "acme")
	fill(t, db, globex, "globex")
	dev := pool("dev", "acme")
	put(t, db, controlplane.PlatformUID, dev)
	enrol(t, db, dev, "eu-1")
	inTx(t, db, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		return tx.AddJoinToken(store.JoinToken{ID: "j", Hash: []byte("hash"), Pool: "dev", Edge: "e", ExpireTime: time.Now().Add(time.Hour)})
	})
	if _, err := db.System().PutDeploymentIfAbsent(t.Context(), "ca", []byte("key")); err != nil {
		t.Fatal(err)
	}

	super, conn := superuser(t, urls), connect(t, urls.App)
	platformOnly := []string{"deployment_secret", "edge", "join_token"}
	for _, table := range texts(t, super, tables) {
		var acmes, others int
		if err := super.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE tenant_uid = $1), count(*) FILTER (WHERE tenant_uid <> $1) FROM `+table, acme).Scan(&acmes, &others); err != nil {
			t.Fatal(err)
		}
		if (acmes == 0) != slices.Contains(platformOnly, table) || others == 0 {
			t.Errorf("%s: %d rows of acme and %d of others: the test says nothing about it", table, acmes, others)
		}
		for _, setting := range []struct {
			name, tenant string
			want         int
		}{
			{"no tenant", "", 0},
			{"acme", string(acme), acmes},
		} {
			inRole(t, conn, setting.tenant, func(tx pgx.Tx) error {
				var seen int
				if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&seen); err != nil || seen != setting.want {
					t.Errorf("%s with %s: sees %d rows (%v), want %d", table, setting.name, seen, err, setting.want)
				}
				return nil
			})
			for _, statement := range []string{
				`DELETE FROM ` + table + ` WHERE tenant_uid <> '` + string(acme) + `'`,
				`UPDATE ` + table + ` SET tenant_uid = tenant_uid WHERE tenant_uid <> '` + string(acme) + `'`,
			} {
				inRole(t, conn, setting.tenant, func(tx pgx.Tx) error {
					tag, err := tx.Exec(t.Context(), statement)
					if tag.RowsAffected() != 0 || err != nil && code(err) != "42501" {
						t.Errorf("%s with %s: %q touched %d rows (%v)", table, setting.name, statement, tag.RowsAffected(), err)
					}
					return nil
				})
			}
		}
		// A row of another tenant cannot be made, not even a copy of one's own under its name.
		columns := texts(t, super, `SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND attname <> 'tenant_uid'`, table)
		forge := fmt.Sprintf(`INSERT INTO %[1]s (tenant_uid, %[2]s) SELECT '%[3]s', %[2]s FROM %[1]s LIMIT 1`, table, strings.Join(columns, ", "), globex)
		inRole(t, conn, string(acme), func(tx pgx.Tx) error {
			tag, err := tx.Exec(t.Context(), forge)
			if tag.RowsAffected() != 0 || err != nil && code(err) != "42501" {
				t.Errorf("%s: a row for another tenant: %d rows, %v", table, tag.RowsAffected(), err)
			}
			return nil
		})
	}
}

func TestChangesCannotBeTouched(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme := storetest.Tenant(t, db, "acme")
	for _, url := range []string{urls.App, urls.Feed} {
		conn := connect(t, url)
		for _, table := range []string{"change", "change_item"} {
			for _, statement := range []string{`DELETE FROM ` + table, `UPDATE ` + table + ` SET revision = revision`, `TRUNCATE ` + table} {
				inRole(t, conn, string(acme), func(tx pgx.Tx) error {
					if _, err := tx.Exec(t.Context(), statement); code(err) != "42501" {
						t.Errorf("%s: got %v, want permission denied", statement, err)
					}
					return nil
				})
			}
		}
	}
}

// inRole runs fn in a transaction with a tenant set, and undoes it.
func inRole(t *testing.T, conn *pgx.Conn, tenant string, fn func(pgx.Tx) error) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		if tenant != "" {
			if _, err := tx.Exec(t.Context(), `SELECT set_config('sallyport.tenant', $1, true)`, tenant); err != nil {
				return err
			}
		}
		if err := fn(tx); err != nil {
			return err
		}
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		t.Fatal(err)
	}
}

func code(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}
	return ""
}
