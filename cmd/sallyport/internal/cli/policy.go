package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type policyCommand struct {
	Test policyTestCommand `cmd:"" help:"Run the tenant's policy tests, and those of a draft."`
}

type policyTestCommand struct {
	Draft []string `short:"f" sep:"none" placeholder:"FILE" help:"Files as for apply: test what there would be once they were applied."`
}

// Help is what `--help` says beyond the flags.
func (*policyTestCommand) Help() string {
	return `They are the tests that every write is held against. The exit status is 1 if one of them fails.

    sallyport policy test
    sallyport policy test -f draft.yaml              in CI, before it is applied`
}

func (p *policyTestCommand) Run(ctx context.Context, s *session) error {
	client, draft, read, err := s.withDraft(p.Draft)
	if err != nil {
		return err
	}
	if s.target.Tenant == "" {
		return usage("whose policy? Give --tenant, or set SALLYPORT_TENANT")
	}
	response, err := sallyportv1connect.NewPolicyTestServiceClient(client.HTTP, client.URL).RunPolicyTests(ctx, &sallyportv1.RunPolicyTestsRequest{
		Parent: s.parent(), Draft: draft,
	})
	if err != nil {
		return nowhere(refusedDraft(err, s.parent(), read), s.parent(), "")
	}
	if s.scripted() {
		err = s.printValue(response)
	} else {
		p.print(s, response)
	}
	if response.GetFailed() > 0 && err == nil {
		return &process.Exit{Status: 1, Err: fmt.Errorf("%d of %d policy tests fail", response.GetFailed(), response.GetTotal())}
	}
	return err
}

func (p *policyTestCommand) print(s *session, r *sallyportv1.RunPolicyTestsResponse) {
	t := &table{columns: []column{{title: "TEST"}, {title: "RESULT"}, {title: "OUTCOME"}, {title: "REASON"}, {title: "BY"}}}
	for _, result := range r.GetResults() {
		verdict, by := "pass", ""
		if !result.GetPassed() {
			verdict = "FAIL"
		}
		switch {
		case result.GetGrant() != "":
			by = "grant " + result.GetGrant()
		case result.GetRule() != "":
			by = result.GetPolicy() + "/" + result.GetRule()
		}
		for i, c := range []cell{
			whole("TEST", strings.TrimPrefix(result.GetName(), s.parent()+"/policyTests/")), whole("RESULT", verdict),
			whole("OUTCOME", enum(result.GetOutcome())), whole("REASON", result.GetReason()), words("BY", by),
		} {
			t.columns[i].cells = append(t.columns[i].cells, c)
		}
	}
	if len(r.GetResults()) == 0 {
		s.printf("There are no policy tests in %s, at %s.\n", s.parent(), r.GetRevision())
		return
	}
	t.fit()
	t.printWith(s.Stdout, func(i int) []string {
		if result := r.GetResults()[i]; !result.GetPassed() {
			return strings.Split(result.GetExplanation(), "\n")
		}
		return nil
	})
	if more := int(r.GetTotal()) - len(r.GetResults()); more > 0 {
		s.printf("And %d more, which pass or fail: those that fail are first.\n", more)
	}
	if r.GetFailed() == 0 {
		s.printf("All %d policy tests pass, at %s.\n", r.GetTotal(), r.GetRevision())
	}
}
