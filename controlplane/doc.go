// Package controlplane is the vocabulary of the control plane: resources, names, callers, permissions, revisions and
// kinds of error. It does no I/O and imports nothing of ours, so that every layer can speak it.
//
// Resources of all kinds share one envelope ([Resource]) and one way of being written (package changeset); what differs
// is the spec: a plain struct whose JSON form is the stored form and equals the API's, field by field.
package controlplane
