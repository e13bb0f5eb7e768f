package access

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane/policy"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// What is a page of what may be open to somebody.
type What struct {
	Operations []OperationAccess
	Next       string // where the next page begins; empty if there is none
	LeftOut    int    // that hang on who it is
}

// OperationAccess is an operation, and what becomes of a request for it.
type OperationAccess struct {
	App, Operation string
	Access         *Access
}

// WhatCan lists a page of what somebody may do, in order of apps and operations.
func WhatCan(ctx context.Context, site *policy.Site, who *engine.Principal, q Query) (*What, error) {
	page := &What{}
	looked := 0
	afterApp, afterOperation, _ := strings.Cut(q.After, "\x00")
	apps := site.Apps()
	start, _ := slices.BinarySearch(apps, afterApp)
	for _, id := range apps[start:] {
		app, _ := site.App(id)
		operations := app.Operations()
		slices.Sort(operations)
		for _, operation := range operations {
			if cmp.Or(strings.Compare(id, afterApp), strings.Compare(operation, afterOperation)) <= 0 {
				continue
			}
			if len(page.Operations) == q.Limit || looked == maxOperations {
				return page, nil
			}
			if looked++; looked%1000 == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			page.Next = id + "\x00" + operation
			r := q.request(app, operation)
			r.Principal = who
			switch a := judge(site, id, &r); {
			case a == nil:
			case a.Outlook == Unknown && !q.ShowUnknown:
				page.LeftOut++
			default:
				page.Operations = append(page.Operations, OperationAccess{id, operation, a})
			}
		}
	}
	page.Next = ""
	return page, nil
}
