// Package rpc is the admin API's face: it turns Connect requests into calls of use cases and their results into
// messages. A handler is three moves (caller, use case, convert) and decides nothing; everything that holds for all calls
// (request ids, logging, recovery, limits, authentication, authorization, validation, errors) is done once, in the order
// that [NewHandler] lists. It never touches the store.
package rpc
