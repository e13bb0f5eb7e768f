// Package reference decides requests as the specification of policy says it:
// clause by clause, with no index, no numbers and no care for speed. It is what
// the engine is compared with, so it must never import the engine or share code
// with it.
//
// It must stay short enough to be checked by reading. procedure.go is the
// evaluator: the decision procedure over the truth of clauses. clause.go says
// what the truth of each condition is, who.go that of each principal, world.go
// what reaches and covers what.
// Expressions it leaves to cel-go, and zones to the time package: neither is
// what the engine uses on its own path.
package reference
