package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
)

// TestResult is what a policy test came to. Ids, not names.
type TestResult struct {
	Test    string
	Passed  bool
	Outcome string // as the API spells it; "" if the question could not be asked
	Reason  string
	Policy  string
	Rule    string
	Grant   string
	// Explanation says, of one that failed, what was expected, what came, and why.
	Explanation string
	// FailedBefore says that it failed before a change, too.
	FailedBefore bool
}

// MaxTests is how many policy tests a tenant may have: every write of its configuration runs all of them.
const MaxTests = 2000

// maxExplained is how many failing tests of a run say why, rule by rule: that costs far more than to decide.
const maxExplained = 20

// Run runs all policy tests, in order of ids.
func (s *Site) Run() []TestResult {
	var results []TestResult
	explained := 0
	for r := range s.Resources(controlplane.KindPolicyTest) {
		result := s.run(r, explained < maxExplained)
		if !result.Passed {
			explained++
		}
		results = append(results, result)
	}
	return results
}

// Fails reports whether there is such a policy test and it fails.
func (s *Site) Fails(test string) bool {
	r := s.Resource(controlplane.KindPolicyTest, test)
	return r != nil && !s.run(r, false).Passed
}

// run runs one policy test.
func (s *Site) run(r *controlplane.Resource, explain bool) TestResult {
	result := TestResult{Test: r.ID}
	test := r.Spec.(*controlplane.PolicyTest)
	q, err := s.Ask(s.questionOf(test))
	if err != nil {
		result.Explanation = err.Error()
		return result
	}
	d := s.Decide(q)
	result.Outcome, result.Reason = outcomePrefix+d.Outcome.String(), string(d.Reason)
	result.Policy, result.Rule, result.Grant = d.Policy, d.Rule, d.Grant
	var differences []string
	for _, field := range []struct{ what, want, got string }{
		{"outcome", test.Expect.Outcome, result.Outcome},
		{"reason", test.Expect.Reason, result.Reason},
		{"policy", test.Expect.Policy, result.Policy},
		{"rule", test.Expect.Rule, result.Rule},
		{"grant", test.Expect.Grant, result.Grant},
	} {
		if field.want != "" && field.want != field.got {
			differences = append(differences, fmt.Sprintf("%s %s, expected %s", field.what,
				said(strings.TrimPrefix(field.got, outcomePrefix)), strings.TrimPrefix(field.want, outcomePrefix)))
		}
	}
	if result.Passed = len(differences) == 0; !result.Passed {
		result.Explanation = strings.Join(differences, "; ")
		if explain {
			result.Explanation += s.why(q, d)
		}
	}
	return result
}

// questionOf is what a test asks. It says all there is to know of who asks; a time that it does not say is unknown.
func (s *Site) questionOf(test *controlplane.PolicyTest) *Question {
	what := test.Request
	q := &Question{
		App: what.App, Host: what.Host, Method: what.Method, Path: cmp.Or(what.Path, "/"), SourceIP: what.SourceIP, Country: what.Country,
		Time: instant(what.Time),
	}
	if app, ok := s.App(what.App); ok && len(app.Spec.Hosts) > 0 {
		q.Host = app.Spec.Hosts[0]
	}
	who := test.Principal
	if who == nil {
		return q
	}
	q.Who.ServiceAccount = who.ServiceAccount
	if user := who.User; user != nil {
		q.Who.Person = &Person{
			Provider: user.IDP, Email: user.Email, EmailVerified: true, Groups: user.ClaimGroups, GroupsComplete: true, ACR: user.ACR, AMR: user.AMR,
		}
		if user.AuthAge != nil && !q.Time.IsZero() {
			q.Who.Person.AuthTime = q.Time.Add(-time.Duration(*user.AuthAge))
		}
	}
	return q
}

// whyLines bounds an explanation: the whole of it is for who asks about that one request.
const whyLines = 12

// why is how a decision came about, in lines: the steps, and what each rule lacked or, of the one that decided, had.
func (s *Site) why(q *Asked, d policy.Decision) string {
	if q.Before != nil {
		return fmt.Sprintf("\n%s, before any rule is asked.", d.Reason)
	}
	e := s.Program.Explain(q.App, &q.Request)
	var lines []string
	for _, step := range e.Steps {
		lines = append(lines, step.Text)
	}
	for _, rule := range e.Rules {
		var texts []string
		for _, c := range rule.Clauses {
			if rule.Decisive || c.Truth != policy.True {
				texts = append(texts, c.Text)
			}
		}
		name := "grant " + rule.Grant
		if rule.Grant == "" {
			name = fmt.Sprintf("policy %s, rule %s", rule.Policy, rule.Rule)
		}
		if len(texts) > 0 {
			lines = append(lines, fmt.Sprintf("%s (%s): %s", name, rule.Effect, strings.Join(texts, " ")))
		}
	}
	if more := len(lines) - whyLines; more > 0 {
		lines = append(lines[:whyLines], fmt.Sprintf("… and %d lines more.", more))
	}
	return "\n" + strings.Join(lines, "\n")
}

const outcomePrefix = "OUTCOME_"

func said(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

// CheckTest says what is wrong with a policy test by itself.
func CheckTest(test *controlplane.PolicyTest) []controlplane.Violation {
	var found []controlplane.Violation
	invalid := func(field, format string, args ...any) {
		found = append(found, controlplane.Violation{Field: field, Reason: controlplane.ReasonFieldInvalid, Description: fmt.Sprintf(format, args...)})
	}
	request := test.Request
	switch {
	case request == nil || test.Principal == nil || test.Expect == nil:
		return nil // refused by the API's own rules
	case request.App != "" && request.Host != "":
		invalid("request.host", "is the app's first one, if an app is given")
	case request.App == "" && request.Host == "":
		found = append(found, controlplane.Violation{Field: "request.app", Reason: controlplane.ReasonFieldRequired, Description: "an app or a host is required"})
	}
	if request.Host != "" {
		found = append(found, CheckHost("request.host", request.Host)...)
	}
	if request.Path != "" && !strings.HasPrefix(request.Path, "/") || strings.Contains(request.Path, "?") {
		invalid("request.path", "begins with / and has no query")
	}
	if m := request.Method; m != "" && m != route.WebSocket && route.Method(m) != nil {
		invalid("request.method", "%q is not a method that is let through", m)
	}
	if request.SourceIP != "" {
		if _, err := netip.ParseAddr(request.SourceIP); err != nil {
			invalid("request.source_ip", "%q is not an address", request.SourceIP)
		}
	}
	if user := test.Principal.User; user != nil && user.AuthAge != nil && request.Time == nil {
		invalid("principal.user.auth_age", "is counted back from the request's time, which is not given")
	}
	if reason := test.Expect.Reason; reason != "" && !slices.Contains(policy.Reasons(), policy.Reason(reason)) {
		found = append(found, controlplane.Violation{
			Field: "expect.reason", Reason: controlplane.ReasonFieldInvalid, Description: fmt.Sprintf("there is no reason code %q", reason),
			Suggestion: controlplane.Nearest(reason, reasonCodes()),
		})
	}
	return found
}

func reasonCodes() []string {
	var codes []string
	for _, r := range policy.Reasons() {
		codes = append(codes, string(r))
	}
	return codes
}
