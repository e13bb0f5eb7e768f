package cli

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/manifest"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

type explainCommand struct {
	What  string `arg:"" help:"A decision (d_…), a URL, a method, or an app's id."`
	Which string `arg:"" optional:"" help:"The URL, or the operation's id."`
	asker
	circumstances
	Draft []string `short:"f" sep:"none" placeholder:"FILE" help:"Files as for apply: what would be decided once they were applied."`
	All   bool     `help:"Say every clause, also of rules that are about others."`
}

// Help is what `--help` says beyond the flags.
func (*explainCommand) Help() string {
	return `What is left out is unknown: a rule that asks for it does not allow, and does refuse.

    sallyport explain d_01M849GJJYF75RD8T7VPB6TN3R   what an edge decided, by the policy that it had
    sallyport explain --as user:bob@acme.test --idp demo --groups engineering https://wiki.acme.localhost/admin/
    sallyport explain --as serviceAccount:ci POST https://api.acme.localhost/v1/items
    sallyport explain wiki admin                     a stranger, an app and an operation
    sallyport explain -f draft.yaml wiki admin       by a policy that is not applied yet`
}

func (e *explainCommand) Run(ctx context.Context, s *session) error {
	request := &sallyportv1.ExplainRequest{}
	if strings.HasPrefix(e.What, "d_") {
		if e.asks() {
			return usage("what was decided is recorded with its facts: give a decision, or say who asks and where")
		}
		request.About = &sallyportv1.ExplainRequest_DecisionId{DecisionId: e.What}
	} else {
		question, err := e.question()
		if err != nil {
			return err
		}
		request.About = &sallyportv1.ExplainRequest_Question{Question: question}
	}
	client, draft, read, err := s.withDraft(e.Draft)
	if err != nil {
		return err
	}
	if s.target.Tenant == "" {
		return usage("whose policy? Give --tenant, or set SALLYPORT_TENANT")
	}
	request.Parent, request.Draft = s.parent(), draft
	response, err := sallyportv1connect.NewDecisionServiceClient(client.HTTP, client.URL).Explain(ctx, request)
	if err != nil {
		where := s.parent()
		if request.GetDecisionId() != "" {
			where += "/accessEvents/" + request.GetDecisionId()
		}
		return nowhere(refusedDraft(err, s.parent(), read), where, "")
	}
	if s.scripted() {
		return s.printValue(response)
	}
	e.print(s, response)
	return nil
}

// asks reports whether facts of a request are given.
func (e *explainCommand) asks() bool {
	return e.Which != "" || e.asker.given() || e.circumstances.given()
}

// withDraft reads files of resources, if there are any.
func (s *session) withDraft(files []string) (*api.Client, []*anypb.Any, *manifest.Manifest, error) {
	read := &manifest.Manifest{}
	if len(files) > 0 {
		var err error
		if read, err = manifest.Read(files, s.Stdin, s.target.Tenant); err != nil {
			return nil, nil, nil, err
		}
		s.target.Tenant = read.Tenant
	}
	client, err := s.resolve()
	if err != nil {
		return nil, nil, nil, err
	}
	read.In(s.target.Tenant)
	var draft []*anypb.Any
	for _, r := range read.Resources {
		packed, err := anypb.New(r.Message)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("encode %s %s: %w", r.Kind, r.ID, err)
		}
		draft = append(draft, packed)
	}
	return client, draft, read, nil
}

func (e *explainCommand) question() (*sallyportv1.DecisionQuestion, error) {
	q := &sallyportv1.DecisionQuestion{SourceIp: e.From, Country: e.country()}
	switch {
	case strings.Contains(e.Which, "://"):
		q.Method = e.What
	case strings.Contains(e.What, "://") && e.Which == "":
		e.Which = e.What
	case e.Which == "":
		return nil, usage("say a URL, or an app and an operation")
	default:
		q.App, q.Operation = e.What, e.Which
	}
	if q.GetApp() == "" {
		at, err := url.Parse(e.Which)
		if err != nil || at.Hostname() == "" {
			return nil, usage(fmt.Sprintf("%q is no URL", e.Which))
		}
		// As it is written, not as it is read: what an edge makes of it is part of the answer.
		_, rest, _ := strings.Cut(e.Which, "://")
		q.Host, q.Path = at.Hostname(), "/"
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			q.Path = "/" + strings.TrimPrefix(rest[i:], "/")
		}
	}
	var err error
	if q.Time, err = e.time(); err != nil {
		return nil, err
	}
	person, account, err := e.principal()
	switch {
	case person != nil:
		q.Principal = &sallyportv1.DecisionQuestion_Person{Person: person}
	case account != "":
		q.Principal = &sallyportv1.DecisionQuestion_ServiceAccount{ServiceAccount: account}
	}
	return q, err
}

func (e *explainCommand) print(s *session, r *sallyportv1.ExplainResponse) {
	if event := r.GetEvent(); event != nil {
		s.printf("%s  %s %s%s: %s %s\n", event.GetTime().AsTime().Local().Format(instant), event.GetRequest().GetMethod(),
			printable(event.GetRequest().GetHost()), printable(event.GetRequest().GetPath()),
			printable(event.GetDecision().GetOutcome()), printable(event.GetDecision().GetReason()))
	}
	s.printf("%s  %s  %s\n", r.GetOutcome(), r.GetReason(), printable(r.GetTitle()))
	if r.GetApp() != "" {
		operation := r.GetOperation()
		if operation == "" {
			operation = "no operation"
		}
		s.printf("%s: %s, %s. By the policy of %s.\n", printable(r.GetWho()), r.GetApp(), operation, r.GetRevision())
	}
	if len(r.GetGroups()) > 0 {
		s.printf("Groups: %s\n", strings.Join(r.GetGroups(), ", "))
	}
	for _, step := range r.GetSteps() {
		s.printf("  %d. %s\n", step.GetNumber(), printable(step.GetText()))
	}
	others := 0
	for _, rule := range r.GetRules() {
		if !e.All && !rule.GetCounts() && aboutOthers(rule) {
			others++
			continue
		}
		printRule(s, rule)
	}
	if others > 0 {
		s.printf("\n%d more of the app's rules are about other operations: --all says them.\n", others)
	}
	for _, shadow := range r.GetShadow() {
		s.printf("\nIf %s were enforced: %s  %s\n", shadow.GetPolicy(), shadow.GetOutcome(), shadow.GetReason())
	}
	printTold(s, r.GetTold())
	for _, note := range r.GetNotes() {
		s.printf("\nNote: %s\n", printable(note))
	}
}

// aboutOthers are rules of other operations: there may be many, and they say nothing about this one.
func aboutOthers(rule *sallyportv1.RuleVerdict) bool {
	for _, c := range rule.GetClauses() {
		if (c.GetField() == "operations" || c.GetField() == "roles") && c.GetTruth() == sallyportv1.Truth_TRUTH_FALSE {
			return true
		}
	}
	return false
}

func printRule(s *session, rule *sallyportv1.RuleVerdict) {
	name := rule.GetPolicy() + "/" + rule.GetRule()
	if rule.GetGrant() != "" {
		name = "grant " + rule.GetGrant()
	}
	var says []string
	if rule.GetGuardRail() {
		says = append(says, "a guard-rail's")
	}
	if rule.GetShadow() {
		says = append(says, "in shadow mode")
	}
	switch {
	case rule.GetDecisive():
		says = append(says, "decides")
	case rule.GetCounts():
		says = append(says, "counts")
	default:
		says = append(says, "does not count")
	}
	s.printf("\n%s %s: %s\n", strings.TrimPrefix(rule.GetEffect().String(), "EFFECT_"), name, strings.Join(says, ", "))
	for _, c := range rule.GetClauses() {
		s.printf("  %-7s  %s\n", strings.ToLower(strings.TrimPrefix(c.GetTruth().String(), "TRUTH_")), printable(c.GetText()))
	}
}

func printTold(s *session, told *sallyportv1.DecisionAnswer) {
	if told == nil || told.GetOutcome() == "ALLOW" {
		return
	}
	s.printf("\nTold to who asked: %s %s\n", printable(told.GetTitle()), printable(told.GetRemediation()))
	for _, fact := range told.GetFacts() {
		s.printf("  %s\n", printable(fact))
	}
}
