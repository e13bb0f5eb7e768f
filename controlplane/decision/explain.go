package decision

import (
	"context"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// Answer is a decision, and why.
type Answer struct {
	*engine.Explanation                    // nil if no rule was asked
	Refusal             *Refusal           // why none was
	Event               *store.AccessEvent // that was explained, if it was one
	Revision            controlplane.Revision
	Notes               []string
}

// Refusal is why a request comes as far as no rule.
type Refusal struct {
	Reason engine.Reason
	Detail string
}

// Explain answers a question by the policy that is there, or by a draft, if there is one.
func (s *Service) Explain(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, draft *changeset.Set, q *Question) (*Answer, error) {
	site, revision, err := s.site(ctx, caller, scope, draft)
	if err != nil {
		return nil, err
	}
	a, err := q.read(site, s.Now())
	if err != nil {
		return nil, err
	}
	answer := &Answer{Refusal: a.refusal, Revision: revision, Notes: a.notes}
	if a.refusal == nil {
		answer.Explanation = site.Program.Explain(a.app, &a.Request)
	}
	return answer, nil
}

// Title is the reason as a sentence.
func (a *Answer) Title() string {
	reason := a.reason()
	info, _ := reason.Info()
	return info.Title
}

func (a *Answer) reason() engine.Reason {
	switch {
	case a.Refusal != nil:
		return a.Refusal.Reason
	case a.Explanation != nil:
		return a.Reason
	default:
		return engine.Reason(a.Event.Reason)
	}
}
