package controlplane

import (
	"errors"
	"fmt"
	"time"
)

// ErrorKind says what a caller can do about an error. Everything that is not an [*Error] is internal.
type ErrorKind int

const (
	Invalid         ErrorKind = iota + 1 // change the request
	NotFound                             // it is not there, or not yours: the two are never told apart
	Exists                               // choose another id
	Conflict                             // read again, then retry
	Precondition                         // something else has to change first
	Denied                               // ask for a role
	Unauthenticated                      // present a valid credential
	Exhausted                            // a quota or rate; retry later or ask for more
	Unavailable                          // retry with backoff
)

// Reason codes of the API, stable for ever. Each belongs to one [ErrorKind].
const (
	ReasonFieldInvalid      = "FIELD_INVALID"
	ReasonFieldRequired     = "FIELD_REQUIRED"
	ReasonFieldUnknown      = "FIELD_UNKNOWN"
	ReasonReferenceNotFound = "REFERENCE_NOT_FOUND"
	ReasonAddressForbidden  = "ADDRESS_FORBIDDEN"
	ReasonRequestIDReused   = "REQUEST_ID_REUSED"
	ReasonNotFound          = "NOT_FOUND"
	ReasonIDTaken           = "ID_TAKEN"
	ReasonHostTaken         = "HOST_TAKEN"
	ReasonEtagStale         = "ETAG_STALE"
	ReasonInUse             = "IN_USE"
	ReasonLastOwner         = "LAST_OWNER"
	ReasonPolicyTestFailed  = "POLICY_TEST_FAILED"
	ReasonRoleRequired      = "ROLE_REQUIRED"
	ReasonTokenMissing      = "TOKEN_MISSING"
	ReasonTokenInvalid      = "TOKEN_INVALID"
	ReasonQuota             = "QUOTA"
	ReasonRate              = "RATE"
	ReasonStoreDown         = "STORE_DOWN"
)

// Error is the only error that crosses a package border with a meaning. Message is for the caller and must hold no
// secret and nothing of another tenant; Cause is for the log.
type Error struct {
	Kind       ErrorKind
	Reason     string
	Message    string
	Violations []Violation       // for Invalid
	Metadata   map[string]string // for machines: etag, role, limit, …
	RetryAfter time.Duration     // for Unavailable and Exhausted
	Cause      error
}

// Violation is one thing wrong with one field of the request.
type Violation struct {
	Field       string // path in the request, such as `policy.rules[2].principals[0]`
	Description string
	Reason      string
	Suggestion  string // the nearest right value, if there is one
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %v", e.Message, e.Cause)
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the kind of err, or 0 if it is internal or nil.
func KindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return 0
}

// InvalidFields reports violations; its message is the first one's, with its suggestion.
func InvalidFields(violations ...Violation) *Error {
	first := violations[0]
	message := first.Field + ": " + first.Description
	if first.Suggestion != "" {
		message += fmt.Sprintf("; did you mean %q?", first.Suggestion)
	}
	if more := len(violations) - 1; more > 0 {
		message += fmt.Sprintf(" (and %d more)", more)
	}
	return &Error{Kind: Invalid, Reason: first.Reason, Message: message, Violations: violations}
}

// NotFoundError is the same, byte for byte, for what does not exist and for what another tenant has.
func NotFoundError() *Error {
	return &Error{Kind: NotFound, Reason: ReasonNotFound, Message: "not found"}
}
