package snapshot

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Signer signs heads. KeyID names the public half that edges were given at enrolment.
type Signer struct {
	KeyID string
	Key   ed25519.PrivateKey
}

// signingKey is the deployment secret that holds the newest signing key's seed.
const signingKey = "head-signing-1"

// LoadSigner reads the deployment's signing key, making it if it is not there yet. Replicas that do so at once agree.
func LoadSigner(ctx context.Context, system *store.System) (Signer, error) {
	seed, ok, err := system.Deployment(ctx, signingKey)
	if err != nil {
		return Signer{}, fmt.Errorf("read the head signing key: %w", err)
	}
	if !ok {
		fresh := make([]byte, ed25519.SeedSize)
		_, _ = rand.Read(fresh)
		if seed, err = system.PutDeploymentIfAbsent(ctx, signingKey, fresh); err != nil {
			return Signer{}, fmt.Errorf("keep the head signing key: %w", err)
		}
	}
	if len(seed) != ed25519.SeedSize {
		return Signer{}, errors.New("the head signing key is damaged")
	}
	key := ed25519.NewKeyFromSeed(seed)
	id := sha256.Sum256(key.Public().(ed25519.PublicKey))
	return Signer{KeyID: hex.EncodeToString(id[:8]), Key: key}, nil
}

// Public is the key that edges check heads with.
func (s Signer) Public() ed25519.PublicKey { return s.Key.Public().(ed25519.PublicKey) }

// head signs what a tenant is for a pool. issued is an instant at which this was known to be the newest state: it must
// come from a look at the database, never from the clock alone, or a control plane that is cut off would vouch for
// policy it cannot know.
func (s Signer) head(pool controlplane.UID, at store.Head, config, urgent *lane, issued time.Time) (*edgev1.SignedHead, error) {
	head, err := proto.MarshalOptions{Deterministic: true}.Marshal(&edgev1.Head{
		TenantUid: string(at.TenantUID),
		PoolUid:   string(pool),
		Version: &edgev1.Version{
			Lineage: at.Lineage,
			Config:  at.Config, ConfigChain: at.ConfigChain,
			Urgent: at.Urgent, UrgentChain: at.UrgentChain,
		},
		ConfigRoot: config.root,
		UrgentRoot: urgent.root,
		IssueTime:  timestamppb.New(issued),
	})
	if err != nil {
		return nil, fmt.Errorf("serialise head of tenant %s: %w", at.TenantUID, err)
	}
	return &edgev1.SignedHead{
		Head:      head,
		KeyId:     s.KeyID,
		Signature: ed25519.Sign(s.Key, append([]byte("sp-head-v1"), head...)),
	}, nil
}
