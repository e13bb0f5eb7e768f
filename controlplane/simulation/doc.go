// Package simulation decides recorded requests again: by the policy that is there and by one that is not applied yet, and
// says who would gain and who would lose access. It asks the evaluator that edges decide with; it must never judge by
// rules of its own, change anything, or count as a gain or loss what the recorded facts do not show.
//
// # Before and after
//
// An event is decided on the facts that its edge recorded, and as of its own time, by two policies: today's and the draft.
// Gains, losses and changes are between those two. What was recorded is not "before": between then and now somebody may
// have changed the policy, and that is not the draft's doing. How recorded outcomes differ from today's is counted by
// itself, as drift. Without a draft there is only one policy to decide by, and what was recorded is before.
//
// App and operation are found again for each policy, from host, method and path, as an edge finds them: a draft may move
// them. Whoever signed in at a provider that is disabled or gone is a stranger, as for an edge, and so are service
// accounts. Of groups, what a session says (values of the provider's claim) is a recorded fact; who is a member by name is
// the policy's.
//
// # What was not recorded
//
// An edge records every input of its decision, known or not. An input that the edge did not know (a country, say) is as
// unknown to the policies here, and they decide on it as edges do. But of a claim's values an edge looks only for those
// that some group names, so a draft (or today's policy) that names another asks for a fact that nobody wrote down.
//
// For an event, the values that were not recorded are those of the person's provider that
//
//   - lead, through groups in groups, to a group that a policy or grant which reaches the app names, in either policy, and
//   - no group named at the revision that the edge decided by.
//
// Values that lead to the same groups, in both policies, are one. Each of them can be filled in three ways: the person has
// it, has not, or the edge cannot tell. An event is decided if every way to fill them in gives the same outcomes, or none
// gives different ones before and after. It is undecidable if not; and also if there are more than three to fill in,
// unless both policies allow with all of them unknown: filling in a fact never allows less (a property that the evaluator
// is tested for). Where the edge had to cut a fact, or where the history of revisions does not reach back, nothing is
// known to be absent: the first is undecidable, and in the second all such values are to be filled in.
//
// One thing is left: of what step-ups asked a provider for, edges record what their policy mentions. A draft that wants
// another class or method may be answered with STEP_UP here where it would be DENY, because that was asked for before. It
// is never an ALLOW, so no gain and no loss.
//
// # What is remembered
//
// Who asks is resolved once per person and not once per event: by the bytes of what was recorded of them and the revision's
// era. Neither time nor address, host, method or path is in it, because nothing that is remembered depends on them; every
// event is decided by itself. Somebody is resolved with what they surely have. What filling in makes of somebody is the same
// for all who signed in at a provider, is found once for them together, and is put upon who asks when it is needed.
//
// # Bounds
//
// An event is at most 16 KiB, and 2,000 are read at a time; for those of one app, 1,000,000 of
// all apps are gone through. Remembered are 48 MiB of persons, 16 MiB of what filling in makes
// of them, 8 MiB of what may have to be filled in, and 8 MiB for each policy of where claims lead. 500,000 values that edges
// looked for are known, of all revisions together; of earlier ones nothing is. At most 10,000 lines of each of the six lists
// are kept, with 20,000 examples in all. Two run at a time for a tenant and four in all; one ends after five minutes, and
// when its client goes: that is looked up every 64 events.
//
// `make bench-simulate`, 23 November 2026, one core of two of an AMD EPYC (GOMAXPROCS=1, Postgres beside it):
// 1,000,000 events of 5,000 people in 20 apps take 15.4 s, 11.3 s of them here, with a heap of 75 MiB. A draft that in
// each app asks for three groups of which nothing was recorded takes 44 s and 94 MiB.
package simulation
