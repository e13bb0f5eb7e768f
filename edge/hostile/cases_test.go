package hostile_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/edge/policy"
)

// cases are those that this package answers for: the measured table, redirects, paths, identity headers, forwarded headers,
// hosts, framing, and what of HTTP/2, tunnels and methods is about malformed input.
func cases() []string {
	var ids []string
	for _, section := range []struct {
		prefix string
		of     []int
	}{
		{"G%d", numbers(1, 28)},
		{"RD-%02d", []int{1, 2, 3, 5, 6, 8, 11, 13, 14, 15, 16, 17}},
		{"PN-%02d", []int{1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 15, 17, 18, 19}},
		{"HD-%02d", []int{1, 3, 4, 5, 6, 8, 10, 11, 13, 15}},
		{"FW-%02d", []int{1, 2, 4, 6, 7}},
		{"HS-%02d", []int{1, 3, 4, 6, 9, 10, 11}},
		{"SM-%02d", []int{1, 3, 4, 5, 7, 8, 9, 11, 12, 14}},
		{"H2-%02d", []int{2, 4, 9, 10, 11, 15, 16}},
		{"MC-%02d", []int{1, 3, 5, 6, 7}},
	} {
		for _, n := range section.of {
			ids = append(ids, fmt.Sprintf(section.prefix, n))
		}
	}
	return ids
}

func numbers(from, to int) []int {
	var list []int
	for n := from; n <= to; n++ {
		list = append(list, n)
	}
	return list
}

// elsewhere are cases that are no row: which test has them, or why none can.
var elsewhere = map[string]string{
	"G25":   "handshake_test.go TestSlow",
	"HS-06": "handshake_test.go TestSplitHandshake",
	"PN-18": "parsers_test.go TestSecondParsers",
	"FW-02": "../facts/facts_test.go TestTrustRefuses",
	"HS-11": "../../controlplane/rpc/config_test.go TestHosts",
	"SM-14": "../upstream_test.go TestNoRetryOfWhatMayHaveArrived",
	"H2-15": "../upstream_test.go TestResponseIsGuarded",
	"MC-07": "../header/upstream_test.go TestPrivate",
	"RD-14": "absent: no program signs in by a redirect",
}

// TestEveryCaseHasARow fails for a case that nobody answers for.
func TestEveryCaseHasARow(t *testing.T) {
	t.Parallel()
	rows := map[string]int{}
	all := readRows(t)
	for _, r := range all {
		for _, id := range r.ids {
			rows[id]++
		}
	}
	var covered []string
	for _, id := range cases() {
		where := elsewhere[id]
		switch {
		case rows[id] > 0:
			covered = append(covered, fmt.Sprintf("%s: %d", id, rows[id]))
		case where != "":
			covered = append(covered, fmt.Sprintf("%s: %s", id, where))
		}
		file, test, isTest := strings.Cut(where, " ")
		switch {
		case rows[id] == 0 && where == "":
			t.Errorf("%s: no row, and no test elsewhere", id)
		case isTest && !strings.HasPrefix(where, "absent: "):
			text, err := os.ReadFile(file)
			if err != nil || !regexp.MustCompile(`(?m)^func `+test+`\(t \*testing\.T\)`).Match(text) {
				t.Errorf("%s: %s has no test %s (%v)", id, file, test, err)
			}
		}
	}
	for id := range elsewhere {
		if !slices.Contains(cases(), id) {
			t.Errorf("%s is no case", id)
		}
	}
	t.Logf("%d rows for %d cases: %s", len(all), len(cases()), strings.Join(covered, "; "))
}

// TestRowsAreWellFormed wants every row to be of a known case, and no two to send the same.
func TestRowsAreWellFormed(t *testing.T) {
	t.Parallel()
	known := regexp.MustCompile(`^([A-Z][A-Z0-9]?-[0-9]{2}|G[0-9]+)$`)
	seen := map[string]*row{}
	for _, r := range readRows(t) {
		for _, id := range r.ids {
			if !known.MatchString(id) {
				t.Errorf("%s: what case is %q?", r, id)
			}
		}
		for i, a := range r.answers {
			for reason := range strings.SplitSeq(a.reason, "|") {
				if a.handled && !slices.Contains(policy.Reasons(), policy.Reason(reason)) {
					t.Errorf("%s: what reason is %q?", r, reason)
				}
			}
			if i < len(r.answers)-1 && (a.fate != fateOpen || a.torn) {
				t.Errorf("%s: how can there be an answer after one with which the connection ends?", r)
			}
		}
		if r.until != "" && !strings.HasPrefix(r.until, "http/1.1 engine") {
			t.Errorf("%s: until what? %q", r, r.until)
		}
		sent := r.protocol + r.sni + strings.Join(r.send, "\n")
		if same := seen[sent]; same != nil {
			t.Errorf("%s: is sent by %s as well", r, same)
		}
		seen[sent] = r
	}
}
