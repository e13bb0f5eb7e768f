// Package assertion tells upstreams who makes a request: a short-lived JWT that anybody can verify with the published keys.
//
// It is minted once per caller, app and key, and reused until a minute before it ends, so it names a caller and a time,
// not a request. It must never be minted for a request that was not allowed, nor outlive the caller's credential, and it
// is no credential here (package identity refuses it).
package assertion
