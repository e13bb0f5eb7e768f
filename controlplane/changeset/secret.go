package changeset

import (
	"crypto/subtle"
	"fmt"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// heldSecrets returns the secrets that a resource has now, by field.
func (r *run) heldSecrets(current *controlplane.Resource) (map[string][]byte, error) {
	if current == nil {
		return nil, nil
	}
	spec, ok := current.Spec.(controlplane.Secretive)
	if !ok {
		return nil, nil
	}
	held := map[string][]byte{}
	for field := range spec.Secrets() {
		value, found, err := r.tx.Secret(current, field)
		if err != nil {
			return nil, fmt.Errorf("open %s of %s: %w", field, r.name(current.Kind, current.ID), err)
		}
		if found {
			held[field] = value
		}
	}
	return held, nil
}

// changedSecrets takes the secrets out of what is desired, so that no later step can store or record them, and returns
// those that differ from what is held.
func changedSecrets(held map[string][]byte, desired Desired) map[string][]byte {
	if desired.Resource == nil {
		return nil
	}
	spec, ok := desired.Spec.(controlplane.Secretive)
	if !ok {
		return nil
	}
	changed := map[string][]byte{}
	for field, secret := range spec.Secrets() {
		old, has := held[field]
		switch {
		case *secret != "":
			if subtle.ConstantTimeCompare([]byte(*secret), old) == 0 {
				changed[field] = []byte(*secret)
			}
		case has && slices.Contains(desired.Erased, field):
			changed[field] = nil
		}
		*secret = ""
	}
	return changed
}
