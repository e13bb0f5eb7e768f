// Package migrations holds the database schema as numbered pairs of SQL files, and nothing that runs them: that is
// controlplane/store.
//
// Migrations only expand: the previous version of the control plane must keep working while a new one is rolled out.
// What is no longer used is dropped one release later. A file that has been released never changes.
//
// Every table has a tenant_uid and the same wall: forced row-level security under which the role of the API sees the
// rows of the tenant that its transaction named, and none if it named none. Every table says in a COMMENT what it is for.
// The tests of controlplane/store hold all of that against the catalog, and schema.sql against what the migrations make.
package migrations

import "embed"

// Files holds the pairs NNNNNN_name.up.sql and NNNNNN_name.down.sql.
//
//go:embed *_*.sql
var Files embed.FS
