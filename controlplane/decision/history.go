package decision

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// changesInAll is how many changes a policy of before is put together over.
const changesInAll = 20_000

// past returns the resources that decisions were made of at a revision: those of now, with every change since taken back.
// ok is false if that is too many changes.
func past(tx *store.TenantTx, config int64) (resources []*controlplane.Resource, ok bool, err error) {
	head := tx.Head()
	if head.Config-config > changesInAll {
		return nil, false, nil
	}
	now, err := tx.AllResources(policy.Kinds...)
	if err != nil {
		return nil, false, err
	}
	changed := map[string]bool{}
	err = tx.Were(controlplane.Revision{Lane: controlplane.Config, Number: config}, func(text string, before json.RawMessage) error {
		changed[text] = true
		if before == nil {
			return nil // it was not there yet
		}
		r, err := restore(text, before)
		if r != nil {
			resources = append(resources, r)
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	scope := controlplane.Scope{UID: head.TenantUID, ID: head.ID}
	for _, r := range now {
		if !changed[scope.Name(r.Kind, r.ID)] {
			resources = append(resources, r)
		}
	}
	return resources, true, nil
}

// restore reads a resource from the document that a change row has of it; nil if decisions are not made of such.
func restore(text string, document json.RawMessage) (*controlplane.Resource, error) {
	name, err := controlplane.ParseName(text)
	if err != nil || !slices.Contains(policy.Kinds, name.Kind) {
		return nil, nil //nolint:nilerr // keys and tokens have names of other forms
	}
	r := &controlplane.Resource{Kind: name.Kind, ID: name.ID, Spec: controlplane.Kinds[name.Kind].New()}
	var envelope struct {
		Labels map[string]string `json:"labels"`
	}
	if err := json.Unmarshal(document, &envelope); err != nil {
		return nil, fmt.Errorf("read what %s was: %w", text, err)
	}
	r.Labels = envelope.Labels
	if err := json.Unmarshal(document, r.Spec); err != nil {
		return nil, fmt.Errorf("read what %s was: %w", text, err)
	}
	return r, nil
}
