// Package who knows who is what: which of the principals that rules name an
// identity is, may be, and is not. It must never decide what they may do.
//
// # Numbers
//
// Everything that a rule can name is an [Atom], a number: a user, a domain, a
// group, a provider. A [Directory] has them, and resolves an [Identity] into a
// [Principal], once per session: a sparse set of atoms that it surely is, and
// one of those that it may be. Numbers are never used again for something else,
// so what was compiled for one directory is good in the next.
//
// # Three values
//
// Unknown is a fact that is missing: a group that the session's claims do not
// cover, an e-mail address that its provider did not vouch for, a group that
// was written in a way that is not understood. An anonymous principal is not
// unknown. Its identity is known and empty: it is "anyone" and nothing else.
//
// A person whose address the provider does not say has one nevertheless: every
// rule that goes by address may mean them. Were they known to have none, whoever
// keeps their address from us would escape what is refused to it.
//
// All whose address is in a domain, but for those whom something names, are told
// by that domain, without an address. No edge has such a person: it is for who
// asks what becomes of all of them.
//
// A person whose e-mail address is not verified by a provider that owns its
// domain surely has no address. A rule that names that very address may mean
// them or not.
package who
