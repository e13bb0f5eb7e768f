// Package incremental is for what is made again of something of which little has
// changed: it tells what has changed between two lists, and has a table whose
// changed copy shares the rest. It must never change what it was given.
package incremental
