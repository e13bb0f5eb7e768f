package simulation

import (
	"bytes"
	"strconv"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/recorded"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// judge decides recorded events by one policy or by two.
type judge struct {
	sides []*side // today's, and the draft's if there is one
	eras  *eras
	// What is remembered, and the keys that are looked up: their room is used again.
	people     memory[*person]
	gaps       memory[gap]
	supposed   memory[*supposed]
	asker, key []byte
	// The era of the event before: most have the same.
	lineage, config []byte
	era             *era
}

func newJudge(sides []*side, room int) *judge {
	return &judge{
		sides: sides, people: memory[*person]{limit: room}, gaps: memory[gap]{limit: maxGaps}, supposed: memory[*supposed]{limit: maxSupposed},
	}
}

// Why events are left out, or cannot be decided.
const (
	whyGap         = "gap"
	whyStreamEnd   = "stream_end"
	whyNoRule      = "no_rule_asked"
	whyUnavailable = "unavailable"
	whyRefused     = "refused"
	whyPreflight   = "preflight"
	whyUnreadable  = "unreadable"
	whyCut         = "facts_cut"
	whyClaims      = "claim_groups_not_recorded"
)

var titles = map[string]string{
	whyGap:         "Records that say that others are missing.",
	whyStreamEnd:   "The ends of what stays open: decided at the beginning, which is counted.",
	whyNoRule:      "Answered before any rule was asked, such as Sallyport's own pages and what is malformed.",
	whyUnavailable: "The edge could not tell who asked, or not decide at all.",
	whyRefused:     "Refused for another reason than a rule.",
	whyPreflight:   "Preflights of browsers, which the app lets through without identity.",
	whyUnreadable:  "Recorded by another version of Sallyport, in a way that this one does not read.",
	whyCut:         "The edge had to cut what it recorded: a path of more than 512 bytes, or many groups.",
	whyClaims:      "What decides is whether the person has a group of the provider that nothing asked for at the time, so it was not recorded.",
}

// judged is an event and what came of it.
type judged struct {
	who      *person
	time     time.Time
	recorded Outcome
	outcome  [2]Outcome // by side
	certain  [2]bool
	same     bool // both sides decide alike, whatever was not recorded
}

// left says why an event is not looked at; "" if it is. What the rules are not the reason of is nothing that rules change.
func left(raw *recorded.Raw) string {
	switch string(raw.Outcome) {
	case `"ALLOW"`:
		if recorded.Text(raw.Method) == "OPTIONS" && raw.Policy == nil && raw.Grant == nil && string(raw.Reason) == `"allow.public"` {
			return whyPreflight
		}
	case `"DENY"`, `"AUTHENTICATE"`, `"STEP_UP"`:
	case `"UNAVAILABLE"`:
		return whyUnavailable
	case `"REFUSED"`:
		if raw.Facts == nil {
			return whyNoRule
		}
		if string(raw.Reason) != `"route.none"` {
			return whyRefused
		}
	default:
		if raw.Gap != nil {
			return whyGap
		}
		return whyUnreadable
	}
	switch {
	case string(raw.Phase) == `"end"`:
		return whyStreamEnd
	case raw.Facts == nil || raw.App == nil:
		return whyNoRule
	}
	return ""
}

// event decides one. If it cannot be decided, why says so.
func (j *judge) event(raw *recorded.Raw) (e judged, why string, err error) {
	when, err := time.Parse(time.RFC3339Nano, recorded.Text(raw.Time))
	if err != nil {
		return e, whyUnreadable, nil //nolint:nilerr // it is counted as such
	}
	era, err := j.eraOf(raw)
	if err != nil {
		return e, "", err
	}
	p, err := j.of(raw, era)
	if err != nil {
		return e, whyUnreadable, nil //nolint:nilerr // it is counted as such
	}
	e.who, e.time = p, when
	e.recorded = Outcome{recorded.Text(raw.Outcome), recorded.Text(raw.Reason), recorded.Text(raw.Policy), recorded.Text(raw.Rule), recorded.Text(raw.Grant)}
	if p.facts.Incomplete {
		return e, whyCut, nil
	}
	q := &engine.Request{
		Host: recorded.Text(raw.Host), Method: recorded.Text(raw.MatchMethod), Path: recorded.Text(raw.Path),
		SourceIP: recorded.Address(recorded.Text(raw.SourceIP)), Country: recorded.Text(raw.Country), Now: when,
	}
	if q.Method == "" {
		q.Method = recorded.Text(raw.Method)
	}
	j.decide(q, p, &e)
	if !e.certain[len(j.sides)-1] && !e.same || !e.certain[0] && !e.same {
		return e, whyClaims, nil
	}
	return e, "", nil
}

func (j *judge) eraOf(raw *recorded.Raw) (*era, error) {
	if j.era != nil && bytes.Equal(j.config, raw.Config) && bytes.Equal(j.lineage, raw.Lineage) {
		return j.era, nil
	}
	config, _ := strconv.ParseInt(recorded.Text(raw.Config), 10, 64) // 0 is none
	found, err := j.eras.of(recorded.Text(raw.Lineage), config)
	if err == nil {
		j.era, j.config, j.lineage = found, bytes.Clone(raw.Config), bytes.Clone(raw.Lineage)
	}
	return found, err
}

func (j *judge) decide(q *engine.Request, p *person, e *judged) {
	var at [2]policy.Target
	var apps [2]string
	allowed := true
	for i, s := range j.sides {
		at[i] = s.Target(*q)
		if at[i].Refused == "" {
			apps[i] = at[i].App
		}
		e.outcome[i] = s.answer(&at[i], p, p.plain[i])
		e.certain[i] = true
		allowed = allowed && e.outcome[i].Outcome == allow
	}
	e.same = len(j.sides) == 2 && e.outcome[0].Outcome == e.outcome[1].Outcome
	if allowed {
		return
	}
	unknowns := j.gap(p, apps)
	switch {
	case len(unknowns) == 0:
		return
	case len(unknowns) > maxUnknowns:
		for i := range j.sides {
			e.certain[i] = e.outcome[i].Outcome == allow
		}
		e.same = false
		return
	}
	ways := j.suppose(p, unknowns).ways
	for n := range ways {
		who := p.way(&ways[n])
		var o [2]Outcome
		for i, s := range j.sides {
			o[i] = s.answer(&at[i], p, who[i])
			e.certain[i] = e.certain[i] && o[i].Outcome == e.outcome[i].Outcome
		}
		e.same = e.same && o[0].Outcome == o[1].Outcome
	}
}
