package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// window says which recorded requests are looked at.
type window struct {
	Since    string `default:"7d" placeholder:"WHEN" help:"From when: so long ago, such as 7d or 12h, or a time such as 2026-11-23 or 2026-11-23T09:00:00Z."`
	Until    string `placeholder:"WHEN" help:"Until when, likewise. Now, if not given."`
	App      string `placeholder:"ID" help:"Only requests to this app."`
	Max      int32  `placeholder:"N" help:"At most so many recorded requests, the newest. A million, if not given, and at most."`
	Examples int32  `placeholder:"N" help:"Examples of each line, in JSON and YAML: 3, if not given, at most 20."`
	Top      int    `default:"5" placeholder:"N" help:"Lines of each list."`
}

// times reads since and until.
func (w *window) times(now time.Time) (since, until *timestamppb.Timestamp, err error) {
	if w.Max < 0 || w.Examples < 0 || w.Top < 1 {
		return nil, nil, usage("--max, --examples and --top are numbers of things: more than none")
	}
	for _, f := range []struct {
		flag, text string
		at         **timestamppb.Timestamp
	}{{"--since", w.Since, &since}, {"--until", w.Until, &until}} {
		if f.text == "" {
			continue
		}
		at, ok := moment(f.text, now)
		if !ok {
			return nil, nil, usage(fmt.Sprintf("%s %s: say it as 7d, 12h, 2026-11-23 or 2026-11-23T09:00:00Z", f.flag, f.text))
		}
		*f.at = timestamppb.New(at)
	}
	return since, until, nil
}

// moment reads a time, or how long ago it was.
func moment(text string, now time.Time) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, true
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return now.Add(-time.Duration(n) * 24 * time.Hour), err == nil
	}
	ago, err := time.ParseDuration(text)
	return now.Add(-ago), err == nil && ago >= 0
}

type simulateCommand struct {
	window
	Draft  []string `short:"f" sep:"none" placeholder:"FILE" help:"Files as for apply. Without any, today's policy is held against what was decided."`
	FailOn []string `name:"fail-on" placeholder:"WHAT,…" help:"End with status 4 if there are any losses, gains or undecidable requests."`
}

// statusFound is the exit status if there is what --fail-on names.
const statusFound = 4

// Help is what `--help` says beyond the flags.
func (*simulateCommand) Help() string {
	return `Recorded requests are decided again, by the policy of today and by the draft; gains and losses are between these two.
What was not recorded, because nothing asked for it then, is told apart: such requests count as neither.

    sallyport simulate -f draft.yaml                 who would gain, who would lose, by a week of requests
    sallyport simulate -f draft.yaml --since 24h --app wiki --fail-on losses
    sallyport simulate --since 30d                   what would be decided otherwise today

Exit status: 0 done, whatever came out; 4 there is what --fail-on names; others as for every command.`
}

func (c *simulateCommand) Run(ctx context.Context, s *session) error {
	for _, what := range c.FailOn {
		if !slices.Contains([]string{"losses", "gains", "undecidable"}, what) {
			return usage("--fail-on is losses, gains, undecidable, or several of them")
		}
	}
	since, until, err := c.times(time.Now())
	if err != nil {
		return err
	}
	client, draft, read, err := s.withDraft(c.Draft)
	if err != nil {
		return err
	}
	if s.target.Tenant == "" {
		return usage("whose policy? Give --tenant, or set SALLYPORT_TENANT")
	}
	stream, err := sallyportv1connect.NewDecisionServiceClient(client.HTTP, client.URL).Simulate(ctx, &sallyportv1.SimulateRequest{
		Parent: s.parent(), Draft: draft, Since: since, Until: until, App: c.App, MaxEvents: c.Max, Examples: c.Examples,
	})
	var summary *sallyportv1.SimulationSummary
	if err == nil {
		summary, err = last(s, stream, (*sallyportv1.SimulateResponse).GetProgress, (*sallyportv1.SimulateResponse).GetSummary)
	}
	if err != nil {
		return nowhere(refusedDraft(err, s.parent(), read), s.parent(), "")
	}
	if !s.scripted() {
		c.print(s, summary)
	} else if err := s.printValue(summary); err != nil {
		return err
	}
	return c.verdict(summary)
}

func (c *simulateCommand) verdict(r *sallyportv1.SimulationSummary) error {
	numbers := map[string]int64{"losses": r.GetLosses().GetEvents(), "gains": r.GetGains().GetEvents()}
	for _, u := range r.GetUndecidable() {
		numbers["undecidable"] += u.GetEvents()
	}
	for _, what := range c.FailOn {
		if n := numbers[what]; n > 0 {
			return &process.Exit{Status: statusFound, Err: fmt.Errorf("%s: %d", what, n)}
		}
	}
	return nil
}

// last shows how far it is, and returns what comes at the end.
func last[M, S any](s *session, stream *connect.ServerStreamForClient[M], progress func(*M) *sallyportv1.SimulationProgress, summary func(*M) *S) (*S, error) {
	defer stream.Close()
	shown := false
	for stream.Receive() {
		if end := summary(stream.Msg()); end != nil {
			if shown {
				s.progress("\r\x1b[K")
			}
			return end, nil
		}
		if p := progress(stream.Msg()); s.watched() {
			s.progress("\r\x1b[K%s requests, back to %s", thousands(p.GetEvents()), p.GetReached().AsTime().Local().Format(instant))
			shown = true
		}
	}
	if shown {
		s.progress("\n")
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return nil, connect.NewError(connect.CodeUnavailable, errors.New("the answer has no end"))
}

// watched reports whether a person sees Stderr.
func (s *session) watched() bool {
	file, ok := s.Stderr.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (c *simulateCommand) print(s *session, r *sallyportv1.SimulationSummary) {
	by := "the draft, against the policy of " + r.GetRevision()
	if len(c.Draft) == 0 {
		by = "the policy of " + r.GetRevision() + ", against what was decided"
	}
	c.span(s, by, r.GetEvents(), r.GetSince(), r.GetUntil(), r.GetOldest(), r.GetTruncated())
	s.printf("%s decided, %s of them as before.\n", thousands(r.GetDecided()), thousands(r.GetUnchanged()))
	c.moves(s, "LOSSES", "would not be let in any more", r.GetLosses())
	c.moves(s, "GAINS", "would be let in", r.GetGains())
	c.changes(s, "Not let in either way, but answered differently", r.GetChanges())
	if len(r.GetUndecidable()) > 0 {
		s.printf("\nUNDECIDABLE, from what was recorded\n")
		for _, u := range r.GetUndecidable() {
			s.printf("  %9s  %s\n", thousands(u.GetEvents()), printable(u.GetTitle()))
			example(s, u.GetExamples())
		}
	}
	if r.GetDrift() > 0 {
		c.changes(s, "Decided otherwise then than today, whatever the draft", r.GetDrifts())
	}
	if len(r.GetSkipped()) > 0 {
		s.printf("\nLeft out\n")
		for _, k := range r.GetSkipped() {
			s.printf("  %9s  %s\n", thousands(k.GetEvents()), printable(k.GetTitle()))
		}
	}
	for _, note := range r.GetNotes() {
		s.printf("\nNote: %s\n", printable(note))
	}
	if id := firstExample(r); id != "" {
		s.printf("\nWhy, clause by clause: sallyport explain")
		for _, file := range c.Draft {
			s.printf(" -f %s", printable(file))
		}
		s.printf(" %s\n", id)
	}
}

// span says what was looked at.
func (w *window) span(s *session, by string, events int64, since, until, oldest *timestamppb.Timestamp, truncated bool) {
	clock := func(at *timestamppb.Timestamp) string { return at.AsTime().Local().Format(instant) }
	of := ""
	if w.App != "" {
		of = " to " + printable(w.App)
	}
	s.printf("%s recorded requests%s, from %s until %s, by %s.\n", thousands(events), of, clock(since), clock(until), by)
	if truncated {
		s.printf("There are more than that: none before %s was looked at.\n", clock(oldest))
	}
}

func (w *window) moves(s *session, title, what string, m *sallyportv1.SimulationMoves) {
	if m.GetEvents() == 0 {
		s.printf("\n%s  none\n", title)
		return
	}
	requests := "requests"
	if m.GetEvents() == 1 {
		requests = "request"
	}
	s.printf("\n%s  %s %s %s\n", title, thousands(m.GetEvents()), requests, what)
	w.list(s, "by person", m.GetPeople(), func(e *sallyportv1.SimulationEntry) string { return whoever(e.GetPrincipal()) })
	w.list(s, "by operation", m.GetOperations(), func(e *sallyportv1.SimulationEntry) string {
		if e.GetOperation() == "" {
			return e.GetApp() + ", no operation"
		}
		return e.GetApp() + " " + e.GetOperation()
	})
	w.list(s, "by rule", m.GetRules(), func(e *sallyportv1.SimulationEntry) string {
		switch {
		case e.GetGrant() != "":
			return "grant " + e.GetGrant() + "  " + e.GetReason()
		case e.GetPolicy() != "":
			return e.GetPolicy() + "/" + e.GetRule() + "  " + e.GetReason()
		default:
			return "no rule  " + e.GetReason()
		}
	})
}

func (w *window) list(s *session, title string, l *sallyportv1.SimulationList, name func(*sallyportv1.SimulationEntry) string) {
	s.printf("  %s\n", title)
	more, events := l.GetMore(), l.GetMoreEvents()
	for i, e := range l.GetEntries() {
		if i >= w.Top {
			more, events = more+1, events+e.GetEvents()
			continue
		}
		s.printf("  %9s  %s\n", thousands(e.GetEvents()), printable(name(e)))
		if title == "by person" {
			example(s, e.GetExamples())
		}
	}
	if more > 0 {
		s.printf("  %9s  of %s more\n", thousands(events), thousands(more))
	}
}

func (w *window) changes(s *session, title string, changes []*sallyportv1.SimulationChange) {
	if len(changes) == 0 {
		return
	}
	s.printf("\n%s\n", title)
	for _, c := range changes {
		s.printf("  %9s  from %s to %s\n", thousands(c.GetEvents()), printable(c.GetFrom()), printable(c.GetTo()))
		example(s, c.GetExamples())
	}
}

// example says one: the newest.
func example(s *session, examples []*sallyportv1.SimulationExample) {
	if len(examples) == 0 {
		return
	}
	e := examples[0]
	s.printf("             %s  %s\n", e.GetDecisionId(), printable(strings.TrimSpace(fmt.Sprintf("%s  %s %s%s", whoever(e.GetPrincipal()), e.GetMethod(), e.GetHost(), e.GetPath()))))
}

func firstExample(r *sallyportv1.SimulationSummary) string {
	for _, list := range []*sallyportv1.SimulationList{r.GetLosses().GetPeople(), r.GetGains().GetPeople()} {
		for _, e := range list.GetEntries() {
			for _, x := range e.GetExamples() {
				return x.GetDecisionId()
			}
		}
	}
	return ""
}

func whoever(p *sallyportv1.EventPrincipal) string {
	switch {
	case p.GetEmail() != "":
		return p.GetEmail()
	case p.GetSubject() != "":
		return p.GetSubject()
	default:
		return "anonymous"
	}
}

// thousands is a number as people read it.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
