package decision

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/access"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/recorded"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// seenFor is how far back access events are looked at for people.
const seenFor = 30 * 24 * time.Hour

// WhoCan lists a page of those to whom an operation may be open. People who are nowhere in the configuration are on it only
// for who may see activity.
func (s *Service) WhoCan(
	ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, draft *changeset.Set, app, operation string, q access.Query,
) (page *access.Who, revision controlplane.Revision, err error) {
	q.From = s.Now()
	seesActivity := caller.Require(controlplane.ReadActivity) == nil
	err = s.reading(ctx, caller, scope, draft, func(tx *store.TenantTx, site *policy.Site, at controlplane.Revision) error {
		revision = at
		found, ok := site.App(app)
		if !ok {
			return placed(site.UnknownApp(app), "")
		}
		if !found.Has(operation) {
			return placed(found.UnknownOperation(operation), "")
		}
		seen := func() ([]access.Seen, error) { return nil, nil }
		if seesActivity {
			seen = func() ([]access.Seen, error) { return seenBy(tx, site, s.Now().Add(-seenFor)) }
		}
		var err error
		page, err = access.WhoCan(ctx, site, found, operation, seen, q)
		return err
	})
	if err != nil {
		return nil, revision, err
	}
	if !seesActivity {
		page.Notes = append(page.Notes, "Left out: people who are nowhere in the configuration and were only seen. To list them takes the role AUDITOR.")
	}
	return page, revision, nil
}

// WhatCan lists a page of what may be open to somebody, and says who that is.
func (s *Service) WhatCan(
	ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, draft *changeset.Set, who *policy.Principal, q access.Query,
) (page *access.What, met *policy.Asked, revision controlplane.Revision, err error) {
	q.From = s.Now()
	err = s.reading(ctx, caller, scope, draft, func(_ *store.TenantTx, site *policy.Site, at controlplane.Revision) error {
		revision = at
		var err error
		if met, err = site.Meet(who); err != nil {
			return placed(err, "")
		}
		if met.Before != nil {
			met.Notes = append(met.Notes, met.Detail)
			page = &access.What{}
			return nil
		}
		page, err = access.WhatCan(ctx, site, met.Request.Principal, q)
		return err
	})
	return page, met, revision, err
}

// seenBy are the people whom sessions and access events have.
func seenBy(tx *store.TenantTx, site *policy.Site, since time.Time) ([]access.Seen, error) {
	found, err := tx.SeenPeople(since)
	if err != nil {
		return nil, err
	}
	head := tx.Head()
	claims := claimsSince(site)
	people := make([]access.Seen, 0, len(found))
	for _, p := range found {
		seen := access.Seen{Subject: p.Principal, Email: p.Email, Provider: p.IDP, Time: p.Time.UTC()}
		if p.Decision != nil {
			var r recorded.Record
			if err := json.Unmarshal(p.Decision, &r.Decision); err != nil {
				continue // it was written by another version: the person is known without
			}
			if f := r.Decision.Facts; f != nil {
				seen.Claims = f.ClaimGroups
				if !f.Incomplete && (r.Decision.Lineage == "" || r.Decision.Lineage == head.Lineage) {
					seen.Absent = claims.absent(p.IDP, r.Decision.Config, f)
				}
			}
		}
		people = append(people, seen)
	}
	return people, nil
}

// claimsOf are the values of claims that groups have as members, by provider: and since which revision at the latest, so
// that edges have looked for them in all that was decided from there on.
type claimsOf map[string]map[string]int64

func claimsSince(site *policy.Site) claimsOf {
	claims := claimsOf{}
	for r := range site.Resources(controlplane.KindGroup) {
		for _, m := range r.Spec.(*controlplane.Group).Members {
			if m.IDPGroup == nil || r.Revision == 0 {
				continue
			}
			if claims[m.IDPGroup.IDP] == nil {
				claims[m.IDPGroup.IDP] = map[string]int64{}
			}
			of := claims[m.IDPGroup.IDP]
			if at, ok := of[m.IDPGroup.Name]; !ok || r.Revision < at {
				of[m.IDPGroup.Name] = r.Revision
			}
		}
	}
	return claims
}

// absent are the values that were looked for and not there.
func (c claimsOf) absent(provider string, config int64, f *recorded.Facts) []string {
	var names []string
	for name, since := range c[provider] {
		if since <= config && !slices.Contains(f.ClaimGroups, name) && !slices.Contains(f.ClaimGroupsUnknown, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
