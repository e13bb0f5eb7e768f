// Package policy compares the engine of edge/policy with its peers: cedar-go and OPA, each in the form that its own
// documentation calls best. It is a module of its own, so that the product never depends on them.
//
// The same rules are written in the three languages and the outcomes of 10,000 mixed requests are shown to be equal
// before anything is timed. What a proxy would keep between requests is made beforehand for everybody: our principal is
// resolved, Cedar's entities and requests are built, OPA's query is prepared, its inputs are parsed values and its groups
// are already flat. So what is timed is one decision.
package policy
