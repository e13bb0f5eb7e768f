// Package manifest reads and writes resources as YAML: a document each, `kind`, `id`, then the fields of the API's
// message in snake_case. An optional first document names the tenant:
//
//	tenant: acme
//	---
//	kind: Group
//	id: engineering
//	members: [{idp_group: {idp: demo, name: engineering}}]
//
// Enum values may leave out their prefix (ALLOW for EFFECT_ALLOW), durations may be written as people do (1h30m), and
// secrets only as {file: path}: a manifest is made to be committed. Whatever is not understood is an error with its
// line, its path and the nearest right word; nothing is skipped.
//
// It must never talk to anybody.
package manifest
