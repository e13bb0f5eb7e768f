// Package header owns every name that only the edge may say: it takes them out
// of what comes in, in every spelling, and puts its own in.
//
// It must never let a client's word about identity, address or routing reach an
// upstream, nor a credential of ours. It must not change what is not ours: the
// other cookies of a request stay byte for byte as they were.
//
// # Spelling
//
// Upstreams fold header names: CGI and its descendants (WSGI, PHP, Rack) turn
// every byte that is neither letter nor digit into "_", so X-Sallyport-User,
// X_Sallyport.User and x!sallyport-user are one variable to them. Names are
// therefore compared folded, and a name with anything but letters, digits and
// hyphens is dropped unless the app lists it.
//
// # Order
//
// [Upgrade] and [Strip] come before anything else reads the header; what only
// we may read comes back as [Taken]. [Set] comes last before the upstream.
// [StripTrailer] and [StripResponse] guard the way back, [Private] keeps
// authorised answers out of shared caches.
package header
