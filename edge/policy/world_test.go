package policy

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// world is a source in the line form of testdata, and who acts in it.
type world struct {
	source Source
	who    map[string]Identity
}

// line is a line of a data file.
type line struct {
	number int
	text   string // without the rule that it pins
	pins   string
}

// readLines returns the lines of a data file that are not comments.
func readLines(t testing.TB, file string) []line {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []line
	scanner := bufio.NewScanner(f)
	for n := 1; scanner.Scan(); n++ {
		text := strings.TrimSpace(scanner.Text())
		if text == "" || text == "#" || strings.HasPrefix(text, "# ") {
			continue
		}
		l := line{number: n, text: text}
		if i := strings.LastIndex(text, " ; "); i >= 0 {
			l.text, l.pins = strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+3:])
		}
		lines = append(lines, l)
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// add understands one line of a world; it is false for any other line.
func (w *world) add(text string) bool {
	verb, rest, _ := strings.Cut(text, " ")
	fields := strings.Fields(rest)
	switch s := &w.source; verb {
	case "provider":
		s.Providers = append(s.Providers, fields...)
	case "account":
		s.ServiceAccounts = append(s.ServiceAccounts, fields...)
	case "app":
		a := App{ID: fields[0]}
		for _, f := range fields[1:] {
			switch id, access, isOperation := strings.Cut(f, ":"); {
			case isOperation:
				a.Operations = append(a.Operations, Operation{ID: id, Access: Access(access)})
			case f == "disabled":
				a.Disabled = true
			case f == "closed":
				a.Closed = true
			}
		}
		s.Apps = append(s.Apps, &a)
	case "group":
		g := Group{ID: fields[0]}
		for _, f := range fields[2:] {
			kind, name, _ := strings.Cut(strings.TrimSuffix(f, ")"), "(")
			var m Member
			switch kind {
			case "user":
				m.User = name
			case "account":
				m.ServiceAccount = name
			case "group":
				m.Group = name
			case "idp":
				m.IDPGroup.IDP, m.IDPGroup.Name, _ = strings.Cut(name, ",")
			}
			g.Members = append(g.Members, m)
		}
		s.Groups = append(s.Groups, &g)
	case "role":
		r := Role{ID: fields[0]}
		for _, f := range fields[2:] {
			switch {
			case f == "[]":
				r.Operations = []string{}
			case Access(f).valid():
				r.Access = append(r.Access, Access(f))
			default:
				r.Operations = append(r.Operations, f)
			}
		}
		s.Roles = append(s.Roles, &r)
	case "policy":
		p := Policy{ID: fields[0]}
		if len(fields) > 1 {
			p.Apps = list(fields[1])
		}
		s.Policies = append(s.Policies, &p)
	case "rule":
		policy, id, _ := strings.Cut(fields[0], ".")
		r, _ := parseRule(strings.TrimPrefix(rest, fields[0]+" "))
		r.ID = id
		i := slices.IndexFunc(s.Policies, func(p *Policy) bool { return p.ID == policy })
		s.Policies[i].Rules = append(s.Policies[i].Rules, r)
	case "who":
		w.who[fields[0]] = parseIdentity(fields[2:])
	default:
		return false
	}
	return true
}

func parseIdentity(fields []string) Identity {
	id := Identity{Kind: Person, GroupsComplete: true}
	for _, f := range fields {
		switch key, value, _ := strings.Cut(f, "="); key {
		case "machine":
			id = Identity{Kind: Machine}
		case "account":
			id.ServiceAccount = value
		case "idp":
			id.IDP = value
		case "mail":
			id.Email = value
		case "verified":
			id.EmailVerified = true
		case "trusted":
			id.EmailVerified, id.EmailDomainOwned = true, true
		case "groups":
			id.Groups = strings.Split(value, ",")
		case "absent":
			id.GroupsAbsent = strings.Split(value, ",")
		case "incomplete":
			id.GroupsComplete = false
		}
	}
	return id
}

// parseRule reads: EFFECT principals operations [cidr= idp= in= from= to= say=
// app=].
func parseRule(text string) (r Rule, app string) {
	app = "api"
	if before, say, ok := strings.Cut(text, ` say=`); ok {
		quoted, _ := strconv.QuotedPrefix(say)
		r.Remediation, _ = strconv.Unquote(quoted)
		text = before + say[len(quoted):]
	}
	fields := strings.Fields(text)
	r.Effect = Effect(fields[0])
	r.Principals = list(fields[1])
	for _, name := range list(fields[2]) {
		if role, ok := strings.CutPrefix(name, "@"); ok {
			r.Roles = append(list(role), r.Roles...)
			if role == "" {
				r.Roles = []string{}
			}
		} else {
			r.Operations = append(r.Operations, name)
		}
	}
	if fields[2] == "[]" {
		r.Operations = []string{}
	}
	for _, f := range fields[3:] {
		switch key, value, _ := strings.Cut(f, "="); key {
		case "cidr":
			r.Conditions.SourceCIDRs = list(value)
		case "idp":
			r.Conditions.IDPs = list(value)
		case "in":
			r.Conditions.MembersOf = list(value)
		case "from":
			r.Conditions.NotBefore = instant(value)
		case "to":
			r.Conditions.NotAfter = instant(value)
		case "app":
			app = value
		}
	}
	return r, app
}

func list(text string) []string {
	switch text {
	case "-", "":
		return nil
	case "[]":
		return []string{}
	}
	return strings.Split(text, ",")
}

func instant(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return at
}

// parseRequest reads: WHO OPERATION [ip=] [at=] [app=].
func (w *world) parseRequest(t testing.TB, text string) (app string, id Identity, r Request) {
	t.Helper()
	fields := strings.Fields(text)
	id, known := w.who[fields[0]]
	if !known && fields[0] != "stranger" {
		t.Fatalf("nobody is called %q", fields[0])
	}
	app = "api"
	r = Request{Operation: strings.TrimPrefix(fields[1], "-"), SourceIP: netip.MustParseAddr("192.0.2.1"), Now: instant("2026-11-23T12:00:00Z")}
	for _, f := range fields[2:] {
		switch key, value, _ := strings.Cut(f, "="); {
		case f == "ip=?":
			r.SourceIP = netip.Addr{}
		case f == "at=?":
			r.Now = time.Time{}
		case key == "ip":
			r.SourceIP = netip.MustParseAddr(value)
		case key == "at":
			r.Now = instant(value)
		case key == "app":
			app = value
		default:
			t.Fatalf("what is %q?", f)
		}
	}
	return app, id, r
}

// withRules puts the rules of a row into policies of their own world.
func (w *world) withRules(text string) Source {
	s := w.source
	s.Policies = nil
	for i, part := range strings.Split(text, " + ") {
		name := fmt.Sprintf("p.r%d", i+1)
		if before, after, ok := strings.Cut(part, ": "); ok && !strings.Contains(before, " ") {
			name, part = before, after
		}
		policy, id, _ := strings.Cut(name, ".")
		r, app := parseRule(part)
		r.ID = id
		j := slices.IndexFunc(s.Policies, func(p *Policy) bool { return p.ID == policy })
		if j < 0 {
			j = len(s.Policies)
			s.Policies = append(s.Policies, &Policy{ID: policy, Apps: []string{app}})
		}
		s.Policies[j].Rules = append(s.Policies[j].Rules, r)
	}
	return s
}

// reversed is the same source written the other way round.
func reversed(s Source) Source {
	s.Policies = slices.Clone(s.Policies)
	slices.Reverse(s.Policies)
	for i := range s.Policies {
		p := *s.Policies[i]
		p.Rules = slices.Clone(p.Rules)
		slices.Reverse(p.Rules)
		s.Policies[i] = &p
	}
	return s
}
