package api

import (
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// Refusal is an answer of the control plane's that is not what was asked for.
type Refusal struct {
	Code       connect.Code
	Reason     string // stable code such as ETAG_STALE
	Message    string
	Violations []Violation
	Role       string // that is wanted, where that is the reason: `ADMIN_ROLE_AUDITOR`, or `OPERATOR`
	RequestID  string // for whoever reads the control plane's log
}

// Violation is one field that the control plane refused, or a resource that stands in the way.
type Violation struct {
	Field, Description, Reason string
	Suggestion                 string
}

// AsRefusal returns what the control plane said. ok is false if err is not its word: nobody answered, or somebody else.
func AsRefusal(err error) (refusal *Refusal, ok bool) {
	wire, isWire := errors.AsType[*connect.Error](err)
	if !isWire {
		return nil, false
	}
	refusal = &Refusal{Code: wire.Code(), Message: wire.Message()}
	var suggestion string
	for _, d := range wire.Details() {
		value, err := d.Value()
		if err != nil {
			continue // of a newer control plane
		}
		switch detail := value.(type) {
		case *errdetails.RequestInfo: // every error of the control plane's has one
			refusal.RequestID, ok = detail.GetRequestId(), true
		case *errdetails.ErrorInfo:
			refusal.Reason, refusal.Role, suggestion = detail.GetReason(), detail.GetMetadata()["role"], detail.GetMetadata()["suggestion"]
		case *errdetails.BadRequest:
			for _, v := range detail.GetFieldViolations() {
				refusal.Violations = append(refusal.Violations, Violation{Field: v.GetField(), Description: v.GetDescription(), Reason: v.GetReason()})
			}
		case *errdetails.PreconditionFailure:
			for _, v := range detail.GetViolations() {
				refusal.Violations = append(refusal.Violations, Violation{Field: v.GetSubject(), Description: v.GetDescription(), Reason: v.GetType()})
			}
		}
	}
	if len(refusal.Violations) > 0 {
		refusal.Violations[0].Suggestion = suggestion
	}
	return refusal, ok
}
