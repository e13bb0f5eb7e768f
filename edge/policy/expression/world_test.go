package expression

import (
	"net/netip"
	"time"
)

// world is facts that a test makes up. What is in no map is unknown.
type world struct {
	texts   map[Field]string
	lists   map[Field][]string
	flags   map[Field]bool
	times   map[Field]time.Time
	address netip.Addr
	groups  map[string]Truth
}

func (w *world) Text(f Field) (string, bool)    { v, ok := w.texts[f]; return v, ok }
func (w *world) List(f Field) ([]string, bool)  { v, ok := w.lists[f]; return v, ok }
func (w *world) Flag(f Field) (v, known bool)   { v, known = w.flags[f]; return v, known }
func (w *world) Time(f Field) (time.Time, bool) { v, ok := w.times[f]; return v, ok }
func (w *world) Address() (netip.Addr, bool)    { return w.address, w.address.IsValid() }

func (w *world) InGroup(id string) Truth {
	if v, ok := w.groups[id]; ok {
		return v
	}
	return Unknown
}

var nobody = &world{}

// alice asks on a Tuesday, 09:30 in Berlin.
func alice() *world {
	now := time.Date(2026, 3, 3, 8, 30, 0, 0, time.UTC)
	return &world{
		texts: map[Field]string{
			PrincipalKind: "person", PrincipalID: "u-1", PrincipalEmail: "alice@example.com", PrincipalDomain: "example.com",
			PrincipalIDP: "okta", PrincipalServiceAccount: "", SessionACR: "phr", RequestMethod: "GET", RequestHost: "wiki.example.com",
			RequestPath: "/api/pages/7", RequestOperation: "pages.read", SourceCountry: "DE",
		},
		lists:   map[Field][]string{SessionAMR: {"pwd", "hwk"}, DevicePosture: {"disk-encrypted", "firewall"}},
		flags:   map[Field]bool{DeviceManaged: true, DeviceCompliant: false},
		times:   map[Field]time.Time{Now: now, SessionAuthTime: now.Add(-2 * time.Hour), DeviceReportedAt: now.Add(-5 * time.Minute)},
		address: netip.MustParseAddr("10.1.2.3"),
		groups:  map[string]Truth{"staff": True, "contractors": False},
	}
}

// fixed is facts that cost nothing to read, for measuring what is not theirs.
type fixed struct{ now time.Time }

var (
	fixedMethods = []string{"pwd", "hwk"}
	fixedPosture = []string{"disk-encrypted", "firewall"}
)

func (*fixed) Text(f Field) (string, bool) {
	switch f {
	case PrincipalDomain:
		return "example.com", true
	case PrincipalIDP:
		return "okta", true
	case SessionACR:
		return "phr", true
	case RequestMethod:
		return "GET", true
	case RequestPath:
		return "/api/pages/7", true
	case SourceCountry:
		return "DE", true
	default:
		return "", true
	}
}

func (*fixed) List(f Field) ([]string, bool) {
	if f == SessionAMR {
		return fixedMethods, true
	}
	return fixedPosture, true
}

func (*fixed) Flag(Field) (v, known bool)     { return true, true }
func (w *fixed) Time(Field) (time.Time, bool) { return w.now, true }
func (*fixed) Address() (netip.Addr, bool)    { return netip.AddrFrom4([4]byte{10, 1, 2, 3}), true }
func (*fixed) InGroup(id string) Truth        { return truthOf(id == "ops") }
