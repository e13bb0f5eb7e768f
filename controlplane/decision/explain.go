package decision

import (
	"context"
	"errors"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// Answer is a decision, and why.
type Answer struct {
	*engine.Explanation                    // nil if no rule was asked
	Before              *engine.Decision   // what is answered instead
	Detail              string             // why, in words
	Event               *store.AccessEvent // that was explained, if it was one
	Revision            controlplane.Revision
	Notes               []string

	found bool // the policy of then
}

// Explain answers a question by the policy that is there, or by a draft, if there is one.
func (s *Service) Explain(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, draft *changeset.Set, q *policy.Question) (*Answer, error) {
	site, revision, err := s.site(ctx, caller, scope, draft)
	if err != nil {
		return nil, err
	}
	if q.Time.IsZero() {
		q.Time = s.Now()
	}
	a, err := site.Ask(q)
	if err != nil {
		return nil, placed(err, "question")
	}
	answer := &Answer{Before: a.Before, Detail: a.Detail, Revision: revision, Notes: a.Notes}
	if a.Before == nil {
		answer.Explanation = site.Program.Explain(a.App, &a.Request)
	}
	return answer, nil
}

// placed says of a question that cannot be asked which field of a request is at fault.
func placed(err error, field string) error {
	if wrong, ok := errors.AsType[*policy.QuestionError](err); ok {
		violation := wrong.Violation
		violation.Field = strings.TrimPrefix(field+"."+wrong.Field, ".")
		return controlplane.InvalidFields(violation)
	}
	return err
}

// Title is the reason as a sentence.
func (a *Answer) Title() string {
	reason := a.reason()
	info, _ := reason.Info()
	return info.Title
}

func (a *Answer) reason() engine.Reason {
	switch {
	case a.Before != nil:
		return a.Before.Reason
	case a.Explanation != nil:
		return a.Reason
	default:
		return engine.Reason(a.Event.Reason)
	}
}
