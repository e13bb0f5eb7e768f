// Package expression compiles and evaluates the expressions of rules: CEL, over
// the facts of one request. It must never read a clock, a file or a network, and
// never spend more on an expression than it said at Compile.
//
// # The language
//
// CEL (cel.dev) is the syntax and the semantics; the environment is small and
// closed. [Variables] and [Functions] are all of it, as data, from which the
// compiler, its hints and the documentation are made. What is left out is left
// out because it cannot be bounded, cannot be meant, or misleads:
//
//   - maps, bytes, doubles, dyn, conversions: nothing here has such a value;
//   - hours without a zone: CEL would take UTC, and hardly anybody means that;
//   - patterns, zones, networks, times and names of groups that are computed:
//     they are checked when they are written, so they have to be written;
//   - map, filter, exists_one, has: exists and all say it, within one pass.
//
// # Unknown
//
// Eval has three values, as all clauses of a rule. A fact that is missing makes
// what is computed from it unknown; so do CEL's errors, and a fact that is larger
// than it can be. As in CEL, false && unknown is false, and true || unknown is
// true. A stranger's identity is not missing but empty.
//
// Groups are asked for by `"staff" in principal.groups` and in no other way:
// membership is itself three-valued, and only groups that some policy names are
// known at an edge, so a list of all of them would be a lie.
//
// # Cost
//
// Compile refuses what is too long, nested too deep, or could cost more than
// [MaxCost] units on the largest facts there can be; larger facts are unknown. The
// units are CEL's, of some 50 ns, but for what takes longer than CEL has it
// (cost.go): matches costs the length of the text times the instructions that RE2
// makes of the pattern. Then 10,000 units are 1 ms, and of patterns made for it
// some 5 ms: over a path, one of at most 48 instructions, such as
// "^/(admin|internal|debug)/" with 27. A fuzz target holds cel-go to the estimate.
// For loops in loops, cel-go's limit at run time is a second wall. There is no
// interrupt beside it: an interrupt needs a clock.
//
// # Two evaluators
//
// Comparisons, in, startsWith and its like, times, arithmetic, && || ! ?: and
// loops, on facts and literals, become closures, which allocate nothing; anything
// else runs in cel-go. Nobody can tell which, but by Fast and a stopwatch: a fuzz
// target holds that the closures say what cel-go says.
package expression
