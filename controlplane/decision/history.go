package decision

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// How far back a policy is put together again: changes read at once, and in all.
const (
	changesAtOnce = 500
	changesInAll  = 20_000
)

// past returns the resources that decisions were made of at a revision: those of now, with every change since taken back.
// ok is false if that is too many changes.
func past(tx *store.TenantTx, config int64) (resources []*controlplane.Resource, ok bool, err error) {
	head := tx.Head()
	now, err := tx.AllResources(policy.Kinds...)
	if err != nil {
		return nil, false, err
	}
	then := map[string]json.RawMessage{} // by name: what it was before the first change since
	at, last := controlplane.Revision{Lane: controlplane.Config, Number: config}, head.Revision(controlplane.Config)
	for read := 0; at.Number < last.Number; {
		changes, err := tx.ChangesSince(at, changesAtOnce)
		if err != nil {
			return nil, false, err
		}
		if len(changes) == 0 {
			break
		}
		if read += len(changes); read > changesInAll {
			return nil, false, nil
		}
		for _, c := range changes {
			at = c.Revision
			for _, item := range c.Items {
				if _, known := then[item.Name]; !known {
					then[item.Name] = item.Before
				}
			}
		}
	}
	scope := controlplane.Scope{UID: head.TenantUID, ID: head.ID}
	for _, r := range now {
		if _, changed := then[scope.Name(r.Kind, r.ID)]; !changed {
			resources = append(resources, r)
		}
	}
	for text, document := range then {
		if document == nil {
			continue // it was not there yet
		}
		r, err := restore(text, document)
		if err != nil {
			return nil, false, err
		}
		if r != nil {
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
