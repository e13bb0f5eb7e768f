package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type lintCommand struct {
	Draft  []string `short:"f" sep:"none" placeholder:"FILE" help:"Files as for apply: look at what there would be once they were applied."`
	Strict bool     `help:"Fail if there is any warning."`
}

// Help is what `--help` says beyond the flags.
func (*lintCommand) Help() string {
	return `What is found is valid, and enforced as it is written: a rule that another leaves nothing to do, an operation that
nobody may do, a condition that never holds.

    sallyport lint
    sallyport lint -f draft.yaml --strict            in CI, before it is applied`
}

func (l *lintCommand) Run(ctx context.Context, s *session) error {
	client, draft, read, err := s.withDraft(l.Draft)
	if err != nil {
		return err
	}
	if s.target.Tenant == "" {
		return usage("whose policy? Give --tenant, or set SALLYPORT_TENANT")
	}
	response, err := sallyportv1connect.NewDecisionServiceClient(client.HTTP, client.URL).Lint(ctx, &sallyportv1.LintRequest{Parent: s.parent(), Draft: draft})
	if err != nil {
		return nowhere(refusedDraft(err, s.parent(), read), s.parent(), "")
	}
	if s.scripted() {
		err = s.printValue(response)
	} else {
		l.print(s, response)
	}
	if l.Strict && warned(response) && err == nil {
		return &process.Exit{Status: 1, Err: errors.New("there are warnings")}
	}
	return err
}

func warned(r *sallyportv1.LintResponse) bool {
	for _, f := range r.GetFindings() {
		if f.GetSeverity() == sallyportv1.LintFinding_SEVERITY_WARNING {
			return true
		}
	}
	return false
}

func (l *lintCommand) print(s *session, r *sallyportv1.LintResponse) {
	for _, f := range r.GetFindings() {
		s.printFinding(f)
	}
	if more := int(r.GetTotal()) - len(r.GetFindings()); more > 0 {
		s.printf("And %d more.\n", more)
	}
	if len(r.GetFindings()) == 0 {
		s.printf("Nothing found in %s, at %s.\n", s.parent(), r.GetRevision())
	}
}

func (s *session) printFinding(f *sallyportv1.LintFinding) {
	at := strings.TrimPrefix(f.GetResource(), s.parent()+"/")
	if f.GetField() != "" {
		at += " " + f.GetField()
	}
	s.printf("%-7s  %s: %s (%s)\n         %s\n", strings.ToLower(strings.TrimPrefix(f.GetSeverity().String(), "SEVERITY_")),
		printable(at), printable(f.GetMessage()), f.GetCode(), printable(f.GetAdvice()))
}
