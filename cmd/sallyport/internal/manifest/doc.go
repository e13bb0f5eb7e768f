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
// line, its path and the nearest right word; nothing is skipped. What YAML has for saying a thing elsewhere than where it
// stands (anchors, aliases, merge keys) or otherwise than it looks (tags) is refused: who reviews a change of a line must
// see all that it changes.
//
// It must never talk to anybody.
package manifest
