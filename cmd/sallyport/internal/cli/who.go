package cli

import (
	"context"
	"strings"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type whoCommand struct {
	App       string `arg:"" help:"An app's id."`
	Operation string `arg:"" help:"One of its operations, by id."`
	circumstances
	listing
}

// listing is how a list is told. It is embedded, so these are flags.
type listing struct {
	Draft   []string `short:"f" sep:"none" placeholder:"FILE" help:"Files as for apply: what would be so once they were applied."`
	Unknown bool     `help:"Also list what hangs on who it is, as on groups of a provider that nobody has seen yet."`
	Limit   int      `default:"1000" placeholder:"N" help:"At most so many."`
}

// Help is what `--help` says beyond the flags.
func (*whoCommand) Help() string {
	return `People are those whom groups, rules, exemptions and grants name and, for who may see activity, those who were seen.
Everybody else is told in classes: anyone, the people of a provider or of a domain, who has a group of a provider. Without
an address, a country or a time, what hangs on them is told as a condition.

    sallyport who wiki admin
    sallyport who --from 10.1.2.3 --at 2026-11-23T03:00:00Z wiki admin
    sallyport who -f draft.yaml wiki admin           once a draft were applied`
}

func (w *whoCommand) Run(ctx context.Context, s *session) error {
	where, err := w.message()
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
	decisions := sallyportv1connect.NewDecisionServiceClient(client.HTTP, client.URL)
	all := &sallyportv1.WhoCanAccessResponse{}
	request := &sallyportv1.WhoCanAccessRequest{
		Parent: s.parent(), App: w.App, Operation: w.Operation, Circumstances: where, Draft: draft, ShowUnknown: w.Unknown,
	}
	for {
		request.PageSize = w.pageSize(len(all.GetPrincipals()))
		page, err := decisions.WhoCanAccess(ctx, request)
		if err != nil {
			return nowhere(refusedDraft(err, s.parent(), read), s.parent(), "")
		}
		all.Principals = append(all.Principals, page.GetPrincipals()...)
		all.Revision, all.NextPageToken, all.Notes = page.GetRevision(), page.GetNextPageToken(), merged(all.GetNotes(), page.GetNotes())
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" || len(all.GetPrincipals()) >= w.Limit {
			break
		}
	}
	if s.scripted() {
		return s.printValue(all)
	}
	var lines [][]cell
	for _, p := range all.GetPrincipals() {
		lines = append(lines, append([]cell{
			whole("WHO", p.GetPrincipal().GetId()), words("PROVIDER", p.GetPrincipal().GetIdentityProvider()),
		}, accessCells(p.GetAccess())...))
	}
	s.printAccess(lines, all.GetNextPageToken() != "", all.GetNotes())
	if len(lines) == 0 {
		s.printf("Nobody, in %s at %s.\n", s.parent(), all.GetRevision())
	}
	return nil
}

// pageSize is how many are still wanted, as far as a page has them.
func (l *listing) pageSize(have int) int32 { return int32(max(1, min(500, l.Limit-have))) }

// merged adds notes that are not there yet: each page has its own.
func merged(notes, more []string) []string {
	for _, note := range more {
		if !strings.Contains("\n"+strings.Join(notes, "\n")+"\n", "\n"+note+"\n") {
			notes = append(notes, note)
		}
	}
	return notes
}

// accessCells say what becomes of it, by or for which rules, and through which groups.
func accessCells(a *sallyportv1.Access) []cell {
	outlook := strings.ToLower(strings.TrimPrefix(a.GetOutlook().String(), "OUTLOOK_"))
	var rules, groups, conditions []string
	for _, r := range a.GetRules() {
		name := r.GetPolicy() + "/" + r.GetRule()
		if r.GetGrant() != "" {
			name = "grant " + r.GetGrant()
		}
		rules = append(rules, name)
		groups = merged(groups, r.GetGroups())
		if r.GetText() != "" {
			conditions = append(conditions, name+": "+r.GetText())
		}
	}
	return []cell{whole("ACCESS", outlook), words("BY", rules...), words("GROUPS", groups...), {title: "", words: conditions}}
}

// printAccess prints a table whose last column is the conditions: sentences, which are on lines of their own.
func (s *session) printAccess(lines [][]cell, more bool, notes []string) {
	t := &table{}
	for i, line := range lines {
		for n, c := range line[:len(line)-1] {
			if i == 0 {
				t.columns = append(t.columns, column{title: c.title})
			}
			t.columns[n].cells = append(t.columns[n].cells, c)
		}
	}
	if len(lines) > 0 {
		t.fit()
		t.printWith(s.Stdout, func(i int) []string { return lines[i][len(lines[i])-1].words })
	}
	if more {
		s.printf("There are more: --limit says how many are listed.\n")
	}
	for _, note := range notes {
		s.printf("Note: %s\n", printable(note))
	}
}
