package edgerpc

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/controlplane/report"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// What an edge sends is stored under its own name, in order, as JSON of bounded size, or refused whole.
func FuzzBatch(f *testing.F) {
	for _, b := range []*edgev1.Batch{
		{},
		{Records: []*edgev1.Record{{Seq: 1, Event: &edgev1.Record_Access{Access: &sallyportv1.AccessEvent{Id: "x", Edge: "other", Seq: 7}}}}},
		{Records: []*edgev1.Record{{Seq: 1, Event: &edgev1.Record_Session{Session: &edgev1.SessionEvent{Kind: 3, Sid: "s"}}}, {Seq: 2}}},
	} {
		data, err := proto.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	h := &Handlers{cfg: Config{Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
	edge := report.Edge{UID: "uid", Name: "edgePools/dev/edges/eu-1", Boot: "boot"}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &edgev1.Batch{}
		if proto.Unmarshal(data, m) != nil {
			return
		}
		b, err := h.batch(edge, "tenant", m.Records)
		if err != nil {
			return
		}
		if len(b.Events)+len(b.Sessions) != len(m.Records) {
			t.Errorf("%d records became %d and %d", len(m.Records), len(b.Events), len(b.Sessions))
		}
		var last int64
		for _, e := range b.Events {
			var stored struct{ Edge, Boot string }
			if err := json.Unmarshal(e.Event, &stored); err != nil || stored.Edge != "eu-1" || stored.Boot != edge.Boot {
				t.Errorf("stored %s: %v", e.Event, err)
			}
			if e.Seq <= last || e.Seq > b.ThroughSeq || len(e.Event) > maxRecord || e.ID == "" {
				t.Errorf("seq %d after %d, %d bytes, id %q", e.Seq, last, len(e.Event), e.ID)
			}
			last = e.Seq
		}
		for _, s := range b.Sessions {
			if !report.ValidSID(s.SID) || s.Kind == 0 {
				t.Errorf("session %q of kind %d", s.SID, s.Kind)
			}
		}
	})
}

// Whatever of a record can be made large, who did what and what was decided is stored.
func TestRecordsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	h := &Handlers{cfg: Config{Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
	long := strings.Repeat(`"`, 9000)
	for name, test := range map[string]struct {
		event *sallyportv1.AccessEvent
		kept  bool
	}{
		"a path":          {&sallyportv1.AccessEvent{Request: &sallyportv1.EventRequest{Path: long}}, true},
		"a path to match": {&sallyportv1.AccessEvent{Decision: &sallyportv1.EventDecision{Facts: &sallyportv1.EventFacts{Path: long}}}, true},
		"shadows":         {&sallyportv1.AccessEvent{Decision: &sallyportv1.EventDecision{Shadow: []*sallyportv1.EventShadow{{Policy: long}}}}, true},
		"groups":          {&sallyportv1.AccessEvent{Decision: &sallyportv1.EventDecision{Groups: []string{long}}}, true},
		"claims":          {&sallyportv1.AccessEvent{Decision: &sallyportv1.EventDecision{Facts: &sallyportv1.EventFacts{ClaimGroups: []string{long}}}}, true},
		"something else":  {&sallyportv1.AccessEvent{Route: long}, false},
	} {
		e := test.event
		proto.Merge(e, &sallyportv1.AccessEvent{
			Id: "x", App: "wiki", Principal: &sallyportv1.EventPrincipal{Kind: "user", Subject: "bob"},
			Request: &sallyportv1.EventRequest{Method: "GET"}, Decision: &sallyportv1.EventDecision{Outcome: "ALLOW"},
		})
		facts := e.Decision.Facts != nil
		stored, err := h.accessEvent(report.Edge{}, 7, e)
		if err != nil || len(stored.Event) > maxRecord {
			t.Fatalf("%s: %d bytes, %v", name, len(stored.Event), err)
		}
		got := &sallyportv1.AccessEvent{}
		if err := protojson.Unmarshal(stored.Event, got); err != nil {
			t.Fatal(err)
		}
		kept := got.Gap == nil && got.App == "wiki" && got.GetPrincipal().GetSubject() == "bob" && got.GetRequest().GetMethod() == "GET" &&
			got.GetDecision().GetOutcome() == "ALLOW" && stored.Principal == "bob" && stored.Outcome == "ALLOW"
		if kept != test.kept || got.Seq != 7 || facts && !got.GetDecision().GetFacts().GetIncomplete() {
			t.Errorf("%s: stored %s", name, stored.Event)
		}
	}
}
