package policy

import (
	"math/rand/v2"
	"testing"
)

// What is said of a request of which little is known holds for the same request
// when more is: who may get in is never said not to, and who is said to get in
// does.
func TestOutlook(t *testing.T) {
	t.Parallel()
	referee := newReferee(t)
	came := map[Truth]int{}
	for world := range uint64(60) {
		dice := rand.New(rand.NewPCG(7, world)).IntN
		tr := newTrial(named{t, world}, dice, referee)
		for range 400 {
			i := tr.dice(len(tr.who))
			q := tr.dice.RandomRequest(tr.who[i])
			d := tr.engine.decide(&q, tr.engine.who[i])
			less := q
			for range tr.dice(6) {
				less = tr.dice.Forget(less, tr.country)
			}
			r := requestOf(&less)
			r.Principal = tr.engine.Resolve(identityOf(&less.Who))
			if tr.dice(4) == 0 {
				r.Country = AnyCountry
			}
			if r.Now.IsZero() {
				r.NotBefore = q.Now // it is that, or later
			}
			is := tr.engine.Outlook(q.App, &r)
			came[is]++
			if is == True && d.Outcome != Allow || is == False && (d.Outcome == Allow || d.Outcome == StepUp) {
				tr.fail(&q, "outlook "+is.String()+" of "+show(&less), decisionOf(d), decisionOf(tr.engine.Decide(q.App, &r)))
			}
			if allowed := tr.engine.Decide(q.App, &r).Outcome == Allow; allowed != (is == True) {
				tr.fail(&less, "outlook "+is.String(), decisionOf(d), decisionOf(tr.engine.Decide(q.App, &r)))
			}
			if explained := tr.engine.Explain(q.App, &r).Outlook(); explained != is {
				tr.fail(&less, "outlook "+is.String()+", explained as "+explained.String(), decisionOf(d), decisionOf(d))
			}
		}
	}
	t.Log(came)
	if came[True] == 0 || came[Unknown] == 0 || came[False] == 0 {
		t.Errorf("not all come out: %v", came)
	}
}
