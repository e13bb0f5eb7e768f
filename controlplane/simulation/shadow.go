package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/recorded"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// ShadowSummary is what a policy in SHADOW mode would have changed.
type ShadowSummary struct {
	Read
	Seen, Unchanged int64
	Gains, Losses   Moves
	Changes         []*Change
}

// shadowed is what a policy in SHADOW mode would have made of a request: sallyport.v1.EventShadow.
type shadowed struct {
	Policy  string `json:"policy"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Rule    string `json:"rule"`
}

// Shadow sums up what edges recorded of a policy in SHADOW mode. It decides nothing: edges have.
func (s *Service) Shadow(ctx context.Context, caller *controlplane.Caller, q Query, id string, tell func(Progress) error) (*ShadowSummary, error) {
	ctx, leave, err := s.begin(ctx, caller, &q)
	if err != nil {
		return nil, err
	}
	defer leave()
	var r *shadowRun
	err = s.DB.Read(ctx, q.Scope.UID, func(tx *store.TenantTx) error {
		r = &shadowRun{
			ShadowSummary: &ShadowSummary{Read: Read{Since: q.Since, Until: q.Until}}, id: id, quoted: []byte(`"` + id + `"`),
			tally: tally{each: q.Examples, left: maxExamples},
		}
		if err := r.Read.all(ctx, tx, &q, tell, r.event); err != nil {
			return err
		}
		site, err := s.Changes.Site(tx)
		if err != nil {
			return err
		}
		spec := site.Resource(controlplane.KindPolicy, id)
		switch {
		case spec == nil && r.Seen == 0:
			return controlplane.NotFoundError()
		case spec == nil:
			r.Notes = append(r.Notes, "The policy is deleted by now.")
		case spec.Spec.(*controlplane.Policy).Mode != "POLICY_MODE_SHADOW":
			r.Notes = append(r.Notes, "The policy is not in SHADOW mode by now.")
		case r.Seen == 0:
			r.Notes = append(r.Notes, "No request came to an operation of the apps that it reaches, since edges have it.")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.Gains.order()
	r.Losses.order()
	orderChanges(r.Changes)
	return r.ShadowSummary, nil
}

type shadowRun struct {
	*ShadowSummary
	id     string
	quoted []byte
	tally  tally
}

func (r *shadowRun) event(id string, raw *recorded.Raw) error {
	if !bytes.Contains(raw.Shadow, r.quoted) || left(raw) != "" {
		return nil
	}
	var all []shadowed
	_ = json.Unmarshal(raw.Shadow, &all) // what is unreadable is of no policy
	for _, one := range all {
		if one.Policy == r.id {
			r.add(id, raw, one)
		}
	}
	return nil
}

func (r *shadowRun) add(id string, raw *recorded.Raw, would shadowed) {
	r.Seen++
	before := Outcome{recorded.Text(raw.Outcome), recorded.Text(raw.Reason), recorded.Text(raw.Policy), recorded.Text(raw.Rule), recorded.Text(raw.Grant)}
	if before.Outcome == would.Outcome || before.Reason == string(engine.RouteNone) && would.Outcome == allow {
		r.Unchanged++ // what no route takes is refused once the rules allow it, as they already do
		return
	}
	after := Outcome{Outcome: would.Outcome, Reason: would.Reason}
	if would.Rule != "" {
		after.Policy, after.Rule = would.Policy, would.Rule
	}
	var who recorded.Principal
	_ = json.Unmarshal(raw.Principal, &who)                        // nobody, if it is unreadable
	at, _ := time.Parse(time.RFC3339Nano, recorded.Text(raw.Time)) // likewise
	e := newExample(id, raw, who, at)
	e.Recorded, e.After = before, &after
	switch {
	case after.Outcome == allow:
		r.tally.move(&r.Gains, e, after)
	case before.Outcome == allow:
		r.tally.move(&r.Losses, e, after)
	default:
		r.tally.change(&r.Changes, before.Outcome, after.Outcome, e)
	}
}

// missing is how many records a gap stands for.
func missing(gap []byte) int64 {
	var of struct {
		From int64 `json:"from,string"`
		To   int64 `json:"to,string"`
	}
	if json.Unmarshal(gap, &of) != nil || of.To < of.From {
		return 0
	}
	return of.To - of.From + 1
}
