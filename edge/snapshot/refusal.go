package snapshot

import (
	"fmt"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Refusal is why an update was not taken. The last good state is kept whole.
type Refusal struct {
	Reason edgev1.RefusedReason
	Detail string // for people; never secrets
}

func (r *Refusal) Error() string { return r.Reason.String() + ": " + r.Detail }

func refuse(reason edgev1.RefusedReason, format string, args ...any) *Refusal {
	detail := fmt.Sprintf(format, args...)
	if len(detail) > maxDetail {
		detail = detail[:maxDetail]
	}
	return &Refusal{Reason: reason, Detail: detail}
}

// maxDetail keeps a Refused within what the protocol allows.
const maxDetail = 1024

const (
	badSignature = edgev1.RefusedReason_REFUSED_REASON_BAD_SIGNATURE
	badRoot      = edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT
	tooLarge     = edgev1.RefusedReason_REFUSED_REASON_TOO_LARGE
	notCompiling = edgev1.RefusedReason_REFUSED_REASON_COMPILE
	wrongBase    = edgev1.RefusedReason_REFUSED_REASON_WRONG_BASE
)
