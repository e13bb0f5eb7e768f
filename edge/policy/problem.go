package policy

import "github.com/sallyport-iap/sallyport/edge/policy/problem"

// Problem is something in a [Source] that cannot be meant.
type Problem = problem.Problem

// Reasons of a [Problem].
const (
	ProblemInvalid   = problem.Invalid
	ProblemRequired  = problem.Required
	ProblemReference = problem.Reference
)
