package cli

import (
	"context"
	"strings"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type whatCommand struct {
	asker
	circumstances
	listing
}

// Help is what `--help` says beyond the flags.
func (*whatCommand) Help() string {
	return `Without an address, a country or a time, what hangs on them is told as a condition.

    sallyport what --as user:bob@acme.test --idp demo --groups engineering
    sallyport what --as serviceAccount:ci
    sallyport what                                   what is open to strangers`
}

func (w *whatCommand) Run(ctx context.Context, s *session) error {
	where, err := w.message()
	if err != nil {
		return err
	}
	person, account, err := w.principal()
	if err != nil {
		return err
	}
	client, draft, read, err := s.withDraft(w.Draft)
	if err != nil {
		return err
	}
	if s.target.Tenant == "" {
		return usage("whose policy? Give --tenant, or set SALLYPORT_TENANT")
	}
	request := &sallyportv1.WhatCanAccessRequest{Parent: s.parent(), Circumstances: where, Draft: draft, ShowUnknown: w.Unknown}
	switch {
	case person != nil:
		request.Principal = &sallyportv1.WhatCanAccessRequest_Person{Person: person}
	case account != "":
		request.Principal = &sallyportv1.WhatCanAccessRequest_ServiceAccount{ServiceAccount: account}
	}
	decisions := sallyportv1connect.NewDecisionServiceClient(client.HTTP, client.URL)
	all := &sallyportv1.WhatCanAccessResponse{}
	for {
		request.PageSize = w.pageSize(len(all.GetOperations()))
		page, err := decisions.WhatCanAccess(ctx, request)
		if err != nil {
			return nowhere(refusedDraft(err, s.parent(), read), s.parent(), "")
		}
		all.Operations = append(all.Operations, page.GetOperations()...)
		all.Revision, all.NextPageToken, all.Notes = page.GetRevision(), page.GetNextPageToken(), merged(all.GetNotes(), page.GetNotes())
		all.Who, all.Groups = page.GetWho(), page.GetGroups()
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" || len(all.GetOperations()) >= w.Limit {
			break
		}
	}
	if s.scripted() {
		return s.printValue(all)
	}
	s.printf("%s", capitalised(printable(all.GetWho())))
	if len(all.GetGroups()) > 0 {
		s.printf(", in %s", strings.Join(all.GetGroups(), ", "))
	}
	s.printf(". By the policy of %s.\n", all.GetRevision())
	var lines [][]cell
	for _, o := range all.GetOperations() {
		lines = append(lines, append([]cell{whole("APP", o.GetApp()), whole("OPERATION", o.GetOperation())}, accessCells(o.GetAccess())...))
	}
	s.printAccess(lines, all.GetNextPageToken() != "", all.GetNotes())
	if len(lines) == 0 {
		s.printf("Nothing.\n")
	}
	return nil
}

// capitalised leaves addresses as they are.
func capitalised(text string) string {
	if first, _, _ := strings.Cut(text, " "); text == "" || strings.Contains(first, "@") {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
