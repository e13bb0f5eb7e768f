// Package job is what the control plane does on its own: keys for every tenant at every pool that serves it, and the
// removal of what is too old to matter. A job runs at one replica at a time, the one that holds a lock in Postgres; when
// that replica dies another takes over.
//
// Jobs are state-based. Each run looks at what is there and does what is missing, so that a run that was cut short, lost
// or repeated does no harm. A job must never keep in memory what has to be done.
package job
