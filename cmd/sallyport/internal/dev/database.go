package dev

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch/postgres"
)

const (
	databaseName = "sallyport"
	ownerRole    = "sallyport_owner"
	appRole      = "sallyport_app"
	feedRole     = "sallyport_feed"
)

var databaseRoles = [...]string{ownerRole, appRole, feedRole}

// prepareDatabase does what a deployer does before the first migration: the three roles, with passwords, and a database
// that the first of them owns. It may be done again. With the server's own client, because this program has none.
func prepareDatabase(ctx context.Context, server *postgres.Server, binaries string, passwords map[string]string) error {
	var script strings.Builder
	script.WriteString("\\set ON_ERROR_STOP 1\n")
	for _, role := range databaseRoles {
		fmt.Fprintf(&script, "SELECT 'CREATE ROLE %[1]s' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%[1]s') \\gexec\n", role)
		fmt.Fprintf(&script, "ALTER ROLE %s LOGIN PASSWORD '%s';\n", role, strings.ReplaceAll(passwords[role], "'", "''"))
	}
	fmt.Fprintf(&script, "SELECT 'CREATE DATABASE %[1]s OWNER %[2]s' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '%[1]s') \\gexec\n", databaseName, ownerRole)

	at := server.URL()
	password, _ := at.User.Password()
	// Secrets go through stdin and the environment: anybody may read a command line.
	cmd := exec.Command(filepath.Join(binaries, "psql"), "--no-psqlrc", "--quiet", "--no-password", "--file=-",
		"--host="+at.Hostname(), "--port="+at.Port(), "--username="+at.User.Username(), "--dbname=postgres")
	cmd.Env = []string{"PGPASSWORD=" + password, "LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin"}
	cmd.Stdin = strings.NewReader(script.String())
	if _, err := finish(ctx, cmd); err != nil {
		return fmt.Errorf("make the database's roles: %w", err)
	}
	return nil
}

// databaseURL is a role's way in, password included.
func databaseURL(server *postgres.Server, role, password string) string {
	at := server.URL()
	at.User = url.UserPassword(role, password)
	at.Path = "/" + databaseName
	return at.String()
}
