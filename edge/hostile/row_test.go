package hostile_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A row is one hostile exchange: what is sent, byte for byte, and what must come of it. testdata holds them in this form:
//
//	G1 PN-02: a dot segment, encoded (CVE-2025-47952)
//	  each /public/%2e%2e/admin
//	  each /public/.%2e/admin
//	  ask GET {each}
//	  < 400 request.ambiguous_path closed
//
// The first line names the cases and says what it is about, source included. Then, indented:
//
//	each TEXT           one row for each of these; {each} stands for it
//	sni NAME            the server name of the handshake, "" for none; app1.a.test if not said
//	ask [WHO] METHOD TARGET
//	                    a well-formed request but for its target, as HTTP/1.1 and as HTTP/2: two rows
//	h1                  the next lines are what is sent on an HTTP/1.1 connection
//	> BYTES             … in escaped form; lines are joined without anything between them
//	leave               … and then the client sends nothing more, and says so
//	tcp                 the next lines are what is sent before any handshake
//	h2                  the next lines are frames of stream 1 of an HTTP/2 connection
//	> NAME: VALUE         … a field of the header block, of any shape
//	> DATA BYTES          … a DATA frame
//	> TRAILER NAME: VALUE … a field of the block after the data
//	> OPEN                … the stream is not ended
//	< STATUS REASON FATE
//	                    an answer: its status, the reason in its audit record, and whether the connection goes on (open) or
//	                    ends (closed), or became another (socket). The reason net/http means that the parser refused before
//	                    there was a request to decide on, so there is no record; "-" is that of what is not final. One line for
//	                    each answer.
//	< alert NAME        the handshake fails
//	< reset             the stream is reset (HTTP/2)
//	< torn STATUS REASON
//	                    … after the pipeline had begun, so there is a record, with this reason (or one of several, with "|"
//	                    between), and there may be an answer, with this status: whichever is faster. The connection may go on
//	                    or not
//	< nothing FATE      there is no answer
//	<+ NAME: VALUE      the last answer has this header
//	<- NAME             … and not this one
//	<~ NAME: REGEXP     … and this one, like that from its beginning to its end
//	<body BYTES         … and this body
//	^ METHOD TARGET     a request that the upstream receives, its request line exact. Without a line: not one byte
//	^+ NAME: VALUE      … with this header line, once
//	^- NAME             … without a header that anybody could take for this one
//	^body BYTES         … with this body, framing taken off
//	^cut                … that never becomes complete
//	^? METHOD TARGET    a request that the upstream may have begun to receive, and that never becomes complete
//	until TEXT          what must come of it is another thing, and only TEXT can bring it about; the row says what is so today
//
// Bytes are escaped as in Go, and {x} stands for: {each}, {alice}, {bob}, {carol}, {mallory} (a session cookie's value),
// {ci} (a service token), {N*TEXT} (TEXT N times, # in it being the number), {length} (of what comes after the header).
type row struct {
	file     string
	line     int
	ids      []string
	what     string
	sni      string
	protocol string // h1, h2 or tcp
	send     []string
	leave    bool
	answers  []answer
	upstream []forwarded
	until    string
}

// answer is one answer that is wanted.
type answer struct {
	status  int    // 0: none
	reason  string // of the record; byParser: there is none
	fate    string // open, closed or socket; reset; an alert's name
	torn    bool   // there may be no answer, and any fate
	has     []string
	lacks   []string
	like    []string
	body    string
	handled bool // by the pipeline: it leaves a record
}

// forwarded is one request that an upstream must have received.
type forwarded struct {
	line  string
	has   []string
	lacks []string
	body  string
	cut   bool
	maybe bool
}

const byParser = "net/http"

const (
	fateOpen   = "open"
	fateClosed = "closed"
	fateReset  = "reset"
	fateSocket = "socket"
	fateAlert  = "alert "
)

// name is the row as a subtest's.
func (r *row) name() string {
	return fmt.Sprintf("%d %s %s", r.line, r.protocol, strings.Join(r.ids, " "))
}

func (r *row) String() string {
	return fmt.Sprintf("%s:%d %s %s: %s", r.file, r.line, r.protocol, strings.Join(r.ids, " "), r.what)
}

// readRows reads all of testdata.
func readRows(t testing.TB) []*row {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rows in testdata: %v", err)
	}
	var rows []*row
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, parseRows(t, filepath.Base(file), string(text))...)
	}
	return rows
}

func parseRows(t testing.TB, file, text string) []*row {
	t.Helper()
	var rows []*row
	var c *block
	for i, line := range strings.Split(text+"\n-: end", "\n") {
		body, indented := strings.CutPrefix(line, "  ")
		switch {
		case strings.TrimSpace(line) == "", strings.HasPrefix(strings.TrimSpace(line), "#"):
		case !indented:
			if c != nil {
				rows = append(rows, c.rows()...)
			}
			c = newBlock(t, file, i+1, line)
		case c == nil:
			t.Fatalf("%s:%d: a line of no case", file, i+1)
		default:
			c.at = i + 1
			c.add(body)
		}
	}
	return rows
}

// block is a case as it is written: it makes one row or several.
type block struct {
	t        testing.TB
	at       int
	row      // a draft
	each     []string
	asks     []string
	sections []section
}

type section struct {
	protocol string
	lines    []string
}

func newBlock(t testing.TB, file string, line int, title string) *block {
	ids, what, ok := strings.Cut(title, ": ")
	if !ok || what == "" {
		t.Fatalf("%s:%d: want \"IDS: what it is about\"", file, line)
	}
	return &block{t: t, at: line, row: row{file: file, line: line, ids: strings.Fields(ids), what: what, sni: hostApp1}}
}

func (c *block) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("%s:%d: %s", c.file, c.at, fmt.Sprintf(format, args...))
}

func (c *block) add(line string) {
	c.t.Helper()
	key, rest, _ := strings.Cut(line, " ")
	switch key {
	case "each":
		c.each = append(c.each, rest)
	case "sni":
		c.sni = strings.Trim(rest, `"`)
	case "ask":
		c.asks = append(c.asks, rest)
	case "h1", "h2", "tcp":
		c.sections = append(c.sections, section{protocol: key})
	case "leave":
		c.leave = true
	case ">":
		if len(c.sections) == 0 {
			c.fail("bytes, and neither h1 nor h2")
		}
		s := &c.sections[len(c.sections)-1]
		s.lines = append(s.lines, rest)
	case "<":
		c.answers = append(c.answers, c.answer(rest))
	case "<+":
		a := c.lastAnswer()
		a.has = append(a.has, rest)
	case "<-":
		a := c.lastAnswer()
		a.lacks = append(a.lacks, rest)
	case "<body":
		c.lastAnswer().body = rest
	case "<~":
		a := c.lastAnswer()
		a.like = append(a.like, rest)
	case "^":
		c.upstream = append(c.upstream, forwarded{line: rest})
	case "^?":
		c.upstream = append(c.upstream, forwarded{line: rest, cut: true, maybe: true})
	case "^+":
		f := c.lastForwarded()
		f.has = append(f.has, rest)
	case "^-":
		f := c.lastForwarded()
		f.lacks = append(f.lacks, rest)
	case "^body":
		c.lastForwarded().body = rest
	case "^cut":
		c.lastForwarded().cut = true
	case "until":
		c.until = rest
	default:
		c.fail("what is %q?", line)
	}
}

func (c *block) lastAnswer() *answer {
	if len(c.answers) == 0 {
		c.fail("a header of no answer")
	}
	return &c.answers[len(c.answers)-1]
}

func (c *block) lastForwarded() *forwarded {
	if len(c.upstream) == 0 {
		c.fail("a part of no request")
	}
	return &c.upstream[len(c.upstream)-1]
}

func (c *block) answer(text string) answer {
	words := strings.Fields(text)
	switch {
	case len(words) == 2 && words[0] == "alert":
		return answer{fate: fateAlert + words[1]}
	case len(words) == 1 && words[0] == fateReset:
		return answer{fate: fateReset}
	case len(words) == 3 && words[0] == "torn":
		status, err := strconv.Atoi(words[1])
		if err != nil {
			c.fail("status %q", words[1])
		}
		return answer{torn: true, status: status, reason: words[2], handled: true}
	case len(words) == 2 && words[0] == "nothing":
		return answer{fate: words[1]}
	case len(words) == 3 && (words[2] == fateOpen || words[2] == fateClosed || words[2] == fateSocket):
		status, err := strconv.Atoi(words[0])
		if err != nil {
			c.fail("status %q", words[0])
		}
		return answer{status: status, reason: words[1], fate: words[2], handled: words[1] != byParser && status >= 200 || status == http.StatusSwitchingProtocols}
	}
	c.fail("what answer is %q?", text)
	return answer{}
}

// rows makes what the block stands for.
func (c *block) rows() []*row {
	c.t.Helper()
	sections := c.sections
	for _, ask := range c.asks {
		sections = append(sections, askH1(c, ask), askH2(c, ask))
	}
	if len(sections) == 0 || len(c.answers) == 0 {
		c.fail("a case needs something to send and something to want")
	}
	each := c.each
	if each == nil {
		each = []string{""}
	}
	var rows []*row
	for _, s := range sections {
		if len(s.lines) == 0 {
			c.fail("%s and nothing to send", s.protocol)
		}
		for _, value := range each {
			r := c.row
			r.protocol = s.protocol
			if len(c.each) > 0 {
				r.what += " [" + value + "]"
			}
			put := func(list []string) []string {
				out := make([]string, len(list))
				for i, text := range list {
					out[i] = strings.ReplaceAll(text, "{each}", value)
				}
				return out
			}
			r.send, r.sni = put(s.lines), put([]string{r.sni})[0]
			r.answers = nil
			for _, a := range c.answers {
				a.has = put(a.has)
				r.answers = append(r.answers, a)
			}
			r.upstream = nil
			for _, f := range c.upstream {
				f.line, f.has, f.body = put([]string{f.line})[0], put(f.has), put([]string{f.body})[0]
				r.upstream = append(r.upstream, f)
			}
			rows = append(rows, &r)
		}
	}
	return rows
}

// splitAsk reads "[WHO] METHOD TARGET".
func splitAsk(c *block, ask string) (who, method, target string) {
	who, rest, _ := strings.Cut(ask, " ")
	if !slices.Contains([]string{"alice", "bob", "mallory", "ci"}, who) {
		who, rest = "", ask
	}
	method, target, ok := strings.Cut(rest, " ")
	if !ok {
		c.fail("what is asked with %q?", ask)
	}
	return who, method, target
}

// credential is the header by which somebody is known.
func credential(who string) (name, value string) {
	switch who {
	case "":
		return "", ""
	case "ci":
		return "Authorization", "Bearer {ci}"
	default:
		return "Cookie", "__Host-sp={" + who + "}"
	}
}

func askH1(c *block, ask string) section {
	who, method, target := splitAsk(c, ask)
	lines := []string{method + " " + target + ` HTTP/1.1\r\n`, "Host: " + c.sni + `\r\n`}
	if name, value := credential(who); name != "" {
		lines = append(lines, name+": "+value+`\r\n`)
	}
	return section{"h1", append(lines, `\r\n`)}
}

func askH2(c *block, ask string) section {
	who, method, target := splitAsk(c, ask)
	lines := []string{":method: " + method, ":scheme: https", ":authority: " + c.sni, ":path: " + target}
	if name, value := credential(who); name != "" {
		lines = append(lines, strings.ToLower(name)+": "+value)
	}
	return section{"h2", lines}
}

var (
	repeated = regexp.MustCompile(`\{(\d+)\*([^}]*)\}`)
	named    = regexp.MustCompile(`\{([a-z]+)\}`)
)

// expand makes bytes of what a row writes.
func expand(text string, names map[string]string) (string, error) {
	text = repeated.ReplaceAllStringFunc(text, func(m string) string {
		parts := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[1])
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(parts[2], "#", strconv.Itoa(i)))
		}
		return b.String()
	})
	text = named.ReplaceAllStringFunc(text, func(m string) string {
		if value, ok := names[m[1:len(m)-1]]; ok {
			return value
		}
		return m
	})
	return strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
}
