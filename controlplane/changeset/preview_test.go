package changeset_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// previewed wants a preview to say, and to find wrong, what writing does.
func previewed(t *testing.T, s *changeset.Service, items []changeset.Item) {
	t.Helper()
	set := &changeset.Set{Scope: controlplane.Scope{UID: acme, ID: "acme"}, Items: items}
	var previewed, written *policy.Site
	err := s.Preview(t.Context(), owner(), set, func(_ *store.TenantTx, site *policy.Site, _ controlplane.Revision) error {
		previewed = site
		return nil
	})
	dry := *set
	dry.ValidateOnly = true
	dry.Also = nil
	dry.Check = func(tx *store.TenantTx) error {
		all, err := tx.AllResources(policy.Kinds...)
		written = policy.NewSite(all)
		return err
	}
	_, want := s.Apply(t.Context(), owner(), &dry)
	if diff := cmp.Diff(said(want), said(err)); diff != "" {
		t.Fatalf("what is wrong (-written +previewed):\n%s", diff)
	}
	if err == nil {
		if diff := cmp.Diff(written.Source, previewed.Source, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("what it becomes (-written +previewed):\n%s", diff)
		}
	}
}

func said(err error) []controlplane.Violation {
	e, ok := errors.AsType[*controlplane.Error](err)
	if !ok {
		return nil
	}
	return append([]controlplane.Violation{{Reason: e.Reason, Description: e.Message}}, e.Violations...)
}

// Who only asks keeps no writer waiting, nor waits for one.
func TestPreviewTakesNoTurnOfWriters(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	s := tenantOf(t, db)[0]
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // or it would wait for ever
	defer cancel()
	set := &changeset.Set{Scope: controlplane.Scope{UID: acme, ID: "acme"}, Items: []changeset.Item{put(controlplane.KindGroup, "draft", nil, &controlplane.Group{})}}
	err := s.Preview(ctx, owner(), set, func(_ *store.TenantTx, site *policy.Site, _ controlplane.Revision) error {
		if site.Resource(controlplane.KindGroup, "draft") == nil {
			t.Error("the draft is not in its preview")
		}
		_, err := s.Apply(ctx, owner(), &changeset.Set{Scope: set.Scope, Items: []changeset.Item{put(controlplane.KindGroup, "written", nil, &controlplane.Group{})}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.List(ctx, owner(), set.Scope, controlplane.KindGroup, "", "", 10)
	if err != nil || len(found) != 1 || found[0].ID != "written" {
		t.Errorf("there are %v, %v", found, err)
	}
}

// What is wrong a thousand times is not looked into a thousand times.
func TestManyReferencesThatLeadNowhere(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	s := tenantOf(t, db)[0]
	app := &controlplane.App{Hosts: []string{"wiki.acme.test"}, Routes: []controlplane.Route{{Path: "/**", Upstreams: []controlplane.Upstream{{URL: "https://up.example"}}}}}
	if err := apply(t, s, false, put(controlplane.KindApp, "wiki", nil, app), put(controlplane.KindGroup, "people", nil, &controlplane.Group{})); err != nil {
		t.Fatal(err)
	}
	var rules []controlplane.Rule
	for i := range 20 {
		r := controlplane.Rule{ID: fmt.Sprint("r", i), Effect: "EFFECT_ALLOW", Operations: []string{"read"}}
		for range 50 {
			r.Principals = append(r.Principals, "group:peoples")
		}
		rules = append(rules, r)
	}
	err := apply(t, s, true, put(controlplane.KindPolicy, "wiki", nil, &controlplane.Policy{Apps: []string{"wiki"}, Rules: rules}))
	e, ok := errors.AsType[*controlplane.Error](err)
	if !ok || len(e.Violations) != 101 {
		t.Fatalf("got %v", err)
	}
	suggestions := 0
	for _, v := range e.Violations {
		if v.Suggestion == "people" {
			suggestions++
		}
	}
	if suggestions != 10 {
		t.Errorf("%d suggestions were looked for", suggestions)
	}
}
