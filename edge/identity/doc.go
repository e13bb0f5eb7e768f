// Package identity says who asks, from the credential that came with the request: one file per kind of credential.
//
// Whose a credential is, is decided by its shape: what is not ours belongs to the upstream and says nothing about who
// asks. A credential of ours that is bad is an answer of its own (401), also where no identity is needed, and never falls
// back to another one. It must never take two credentials, and never a token from the query.
package identity
