package simulation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// How far back is found out what edges looked for: changes read at once and in all, and
// how many of them changed what is looked for.
const (
	changesAtOnce = 500
	changesInAll  = 20_000
	maxEras       = 1_000
	maxSought     = 500_000 // values of claims, of all eras together: of others it is not known
)

// era is a time during which edges looked for the same values of claims.
type era struct {
	number int                        // no two have the same
	since  int64                      // its first revision
	sought map[string]map[string]bool // by provider; nil if that is not known
}

// eras finds, for a revision, what edges that had it looked for. It reads the history only as far back as it is asked for.
type eras struct {
	list    []*era // newest first; the last one may have begun earlier than since says
	groups  map[string][]controlplane.IDPGroup
	at      controlplane.Revision // changes since then are taken back
	read    int
	values  int  // of the eras together
	begun   bool // the history is read to its end
	lineage string
	unknown *era
	changes func(store.ChangeQuery) ([]store.RecordedChange, error)
}

func newEras(tx *store.TenantTx) (*eras, error) {
	head := tx.Head()
	found, err := tx.AllResources(controlplane.KindGroup)
	if err != nil {
		return nil, err
	}
	e := &eras{groups: map[string][]controlplane.IDPGroup{}, lineage: head.Lineage, unknown: &era{number: -1}, changes: tx.Changes}
	for _, r := range found {
		e.set(r.ID, r.Spec.(*controlplane.Group))
	}
	e.open(head.Config)
	return e, nil
}

// of returns the era of a revision. Of a revision of another history, or of one too long ago, nothing is known.
func (e *eras) of(lineage string, config int64) (*era, error) {
	if config < 1 || lineage != "" && lineage != e.lineage {
		return e.unknown, nil
	}
	for config < e.list[len(e.list)-1].since && !e.begun {
		if e.read >= changesInAll || len(e.list) >= maxEras {
			return e.unknown, nil
		}
		if err := e.back(); err != nil {
			return nil, err
		}
	}
	for _, one := range e.list {
		if one.since <= config {
			return one, nil
		}
	}
	return e.unknown, nil
}

// back takes a page of changes back.
func (e *eras) back() error {
	changes, err := e.changes(store.ChangeQuery{Lane: controlplane.Config, Before: e.at, Limit: changesAtOnce})
	if err != nil {
		return err
	}
	e.read += len(changes)
	e.begun = len(changes) < changesAtOnce
	for _, c := range changes {
		e.at = c.Revision
		if err := e.undo(&c); err != nil {
			return err
		}
		e.list[len(e.list)-1].since = min(e.list[len(e.list)-1].since, max(c.Revision.Number-1, 0))
	}
	return nil
}

func (e *eras) undo(c *store.RecordedChange) error {
	differs := false
	for _, item := range slices.Backward(c.Items) {
		name, err := controlplane.ParseName(item.Name)
		if err != nil || name.Kind != controlplane.KindGroup {
			continue // keys and tokens have names of other forms
		}
		group := &controlplane.Group{}
		if item.Before != nil {
			if err := json.Unmarshal(item.Before, group); err != nil {
				return fmt.Errorf("read what %s was: %w", item.Name, err)
			}
		}
		before := e.groups[name.ID]
		e.set(name.ID, group)
		differs = differs || !slices.Equal(before, e.groups[name.ID])
	}
	if differs {
		e.list[len(e.list)-1].since = c.Revision.Number
		e.open(c.Revision.Number - 1)
	}
	return nil
}

func (e *eras) set(id string, group *controlplane.Group) {
	delete(e.groups, id)
	for _, m := range group.Members {
		if m.IDPGroup != nil {
			e.groups[id] = append(e.groups[id], *m.IDPGroup)
		}
	}
}

// open begins an era before those that there are.
func (e *eras) open(since int64) {
	sought := map[string]map[string]bool{}
	for _, values := range e.groups {
		for _, v := range values {
			if sought[v.IDP] == nil {
				sought[v.IDP] = map[string]bool{}
			}
			sought[v.IDP][v.Name] = true
		}
	}
	for _, other := range e.list {
		if maps.EqualFunc(other.sought, sought, maps.Equal[map[string]bool, map[string]bool]) {
			e.list = append(e.list, &era{number: len(e.list), since: since, sought: other.sought})
			return
		}
	}
	for _, names := range sought {
		e.values += len(names)
	}
	if e.values > maxSought {
		sought = nil
	}
	e.list = append(e.list, &era{number: len(e.list), since: since, sought: sought})
}
