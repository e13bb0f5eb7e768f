package snapshot

import (
	"crypto/ed25519"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// head is a signed head whose signature, tenant and pool were checked.
type head struct {
	*edgev1.Head
	issued time.Time
}

func (h *head) counter(lane edgev1.Lane) int64 {
	if lane == edgev1.Lane_LANE_URGENT {
		return h.GetVersion().GetUrgent()
	}
	return h.GetVersion().GetConfig()
}

func (h *head) chain(lane edgev1.Lane) []byte {
	if lane == edgev1.Lane_LANE_URGENT {
		return h.GetVersion().GetUrgentChain()
	}
	return h.GetVersion().GetConfigChain()
}

func (h *head) root(lane edgev1.Lane) []byte {
	if lane == edgev1.Lane_LANE_URGENT {
		return h.GetUrgentRoot()
	}
	return h.GetConfigRoot()
}

// Keys that sign heads, by id. They are pinned at enrolment; the control plane may add to them over its authenticated
// stream, and a renewal names them anew.
type headKeys map[string]ed25519.PublicKey

func (k headKeys) add(keys []*edgev1.HeadKey) {
	for _, key := range keys {
		if len(key.GetPublicKey()) == ed25519.PublicKeySize {
			k[key.GetId()] = slices.Clone(ed25519.PublicKey(key.GetPublicKey()))
		}
	}
}

// open checks the signature. Nothing of the head is looked at before.
func (k headKeys) open(signed *edgev1.SignedHead) (*head, *Refusal) {
	public, ok := k[signed.GetKeyId()]
	if !ok {
		return nil, refuse(badSignature, "the head is signed by key %q, which is not known here", signed.GetKeyId())
	}
	if !ed25519.Verify(public, append([]byte("sp-head-v1"), signed.GetHead()...), signed.GetSignature()) {
		return nil, refuse(badSignature, "the signature of the head does not verify")
	}
	h := &edgev1.Head{}
	if err := proto.Unmarshal(signed.GetHead(), h); err != nil {
		return nil, refuse(badSignature, "the head cannot be parsed")
	}
	if h.GetVersion() == nil || h.GetIssueTime() == nil {
		return nil, refuse(badSignature, "the head lacks version or time")
	}
	return &head{Head: h, issued: h.GetIssueTime().AsTime()}, nil
}
