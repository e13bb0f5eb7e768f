// Package recorded reads what an edge recorded of a request: who asked for what, from where, when, and what came out, as
// far as decisions read it. It must never decide anything, nor fill in what was not recorded.
//
// There are two readings. [Read] takes an event whole. [Scan] finds the pieces of a great many, as they are stored, and
// decodes none of them: pieces that are equal byte by byte say the same, so their reader need look only once.
package recorded
