// Package reference decides requests as the specification of policy says it:
// clause by clause, with no index, no numbers and no care for speed. It is what
// the engine is compared with, so it must never import the engine or share code
// with it, and must stay short enough to be checked by reading: procedure.go and
// clause.go are the evaluator. Expressions it leaves to cel-go.
package reference
