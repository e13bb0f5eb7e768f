package expression

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIssues(t *testing.T) {
	t.Parallel()
	for source, want := range map[string][]Issue{
		// Names.
		`principal.emial == "x"`:           {{1, 1, `there is no fact "principal.emial"`, "did you mean principal.email?"}},
		"true &&\n  request.Path == \"/\"": {{2, 3, `there is no fact "request.Path"`, "did you mean request.path?"}},
		`source.address == ""`:             {{1, 1, `there is no fact "source.address"`, "source has ip, country"}},
		`user == ""`:                       {{1, 1, `there is no fact "user"`, "facts are of principal, session, request, source, device, now"}},
		`principal.email.host == ""`:       {{1, 1, `principal.email is a string and has no parts`, ""}},
		`principal.email.startWith("a")`:   {{1, 26, `there is no function "startWith"`, `did you mean string.startsWith("prefix")?`}},
		`incidr(source.ip, "10.0.0.0/8")`:  {{1, 7, `there is no function "incidr"`, `did you mean inCIDR(source.ip, "10.0.0.0/8")?`}},
		`session.amr.filter(m, m == "") == []`: {
			{1, 19, `there is no function "filter"`, "exists and all ask the entries of a list"},
		},
		`has(principal.email)`: {{1, 4, `there is no function "has"`, "a fact that is missing makes the expression unknown by itself"}},
		`session.amr.exists(m)`: {
			{1, 19, "exists wants a name for the entries, and a condition", `it is written list.exists(m, m == "hwk")`},
		},
		`session.amr.exists(now, true)`:      {{1, 19, "now is a fact: give the entries another name", ""}},
		`session.amr.exists(m, n == "")`:     {{1, 23, `there is no fact "n"`, "facts are of principal, session, request, source, device, now"}},
		`{"a": 1} == {"a": 1}`:               {{1, 1, "there are no maps and no messages here", ""}, {1, 13, "there are no maps and no messages here", ""}},
		`google.protobuf.Timestamp{} == now`: {{1, 26, "there are no maps and no messages here", ""}},
		`string(now) == "" && dyn(1) == dyn(2)`: {
			{1, 7, `there is no function "string"`, ""}, {1, 25, `there is no function "dyn"`, ""}, {1, 35, `there is no function "dyn"`, ""},
		},
		// Types.
		`principal.email == 3`:       {{1, 17, `found no matching overload for '==' applied to '(string, int)'`, ""}},
		`"a" < 1 || session.amr > 2`: {{1, 5, `found no matching overload for '<' applied to '(string, int)'`, ""}, {1, 24, `found no matching overload for '>' applied to '(list(string), int)'`, ""}},
		`now.getHours() < 9`:         {{1, 13, `found no matching overload for 'getHours' applied to 'timestamp.()'`, `now.getHours("Europe/Berlin")`}},
		`session.amr[0] == "pwd"`:    {{1, 12, `there is no operator [] here`, "in, exists and all ask the entries of a list"}},
		`"a" in ["a", 1]`:            {{1, 14, `expected type 'string' but found 'int'`, ""}},
		`principal.email`:            {{1, 10, "it is of type string; a rule needs true or false", ""}},
		`1 + 1`:                      {{1, 3, "it is of type int; a rule needs true or false", ""}},
		`(true ? 1 : "a") == 1`:      {{1, 7, "found no matching overload for '?:' applied to '(bool, int, string)'", ""}},
		`size("a") / 2 == 1`:         {{1, 11, "there is no operator / here", ""}},
		`-size("a") == -1`:           {{1, 1, "there is no operator - here", ""}},
		// Syntax.
		`principal.kind = "person"`: {{1, 16, `token recognition error at: '= '`, ""}, {1, 18, `extraneous input '"person"' expecting <EOF>`, ""}},
		`(true`:                     {{1, 6, `missing ')' at '<EOF>'`, ""}},
		`true &&`:                   {{1, 8, `mismatched input '<EOF>'`, ""}},
		``:                          {{0, 0, "it is empty", ""}},
		" \n":                       {{0, 0, "it is empty", ""}},
		"\"\xff\" == \"\"":          {{0, 0, "it is not UTF-8", ""}},
		// What types do not say.
		`principal.email in principal.groups`:      {{1, 10, "the name of a group has to be written here: it is checked with the policy", ""}},
		`principal.groups == principal.groups`:     {{1, 10, "principal.groups is no list: it can only be asked for one group by name", `ask "name" in principal.groups`}, {1, 30, "principal.groups is no list: it can only be asked for one group by name", `ask "name" in principal.groups`}},
		`1.5 == 1.5`:                               {{1, 1, "there are no values of type double here", ""}, {1, 8, "there are no values of type double here", ""}},
		`b"a" == b"a" && null == null && 1u == 2u`: {{1, 1, "there are no values of type bytes here", ""}, {1, 9, "there are no values of type bytes here", ""}, {1, 17, "there are no values of type null_type here", ""}, {1, 25, "there are no values of type null_type here", ""}, {1, 33, "there are no values of type uint here", ""}, {1, 39, "there are no values of type uint here", ""}},
		`principal.idp in []`:                      {{1, 18, "an empty list: nothing is ever in it", ""}},
		`request.path.matches(request.host)`:       {{1, 29, "a pattern has to be written here: it is checked with the policy", ""}},
		`request.path.matches("(a")`:               {{1, 22, "not a pattern of RE2: error parsing regexp: missing closing ): `(a`", ""}},
		`request.path.matches("(?=a)")`:            {{1, 22, "not a pattern of RE2: error parsing regexp: invalid or unsupported Perl syntax: `(?=`", ""}},
		`now.getHours("Berlin") < 9`:               {{1, 14, `"Berlin" is no time zone such as Europe/Berlin`, "did you mean Europe/Berlin?"}},
		`now.getHours("") < 9`:                     {{1, 14, `"" is no time zone such as Europe/Berlin`, ""}},
		`now.getHours("+02:00") < 9`:               {{1, 14, `"+02:00" is no time zone such as Europe/Berlin`, ""}},
		`now.getHours(request.path) < 9`:           {{1, 21, "a time zone has to be written here: it is checked with the policy", ""}},
		`now < timestamp("2026-02-30T00:00:00Z")`:  {{1, 17, `"2026-02-30T00:00:00Z" is no timestamp`, `it is written timestamp("2026-12-31T23:00:00Z")`}},
		`now - now < duration("1 day")`:            {{1, 22, `"1 day" is no duration`, `it is written duration("8h30m")`}},
		`now < timestamp(request.path)`:            {{1, 24, "a timestamp has to be written here: it is checked with the policy", ""}},
		`inCIDR(source.ip, "10.0.0.1/8")`:          {{1, 19, `"10.0.0.1/8" has bits set beyond its length`, "did you mean 10.0.0.0/8?"}},
		`inCIDR(source.ip, "10.0.0.1")`:            {{1, 19, `"10.0.0.1" is no network such as 10.0.0.0/8 or 2001:db8::/32`, "did you mean 10.0.0.1/32?"}},
		`inCIDR(source.ip, "::ffff:10.0.0.0/104")`: {{1, 19, `"::ffff:10.0.0.0/104" is IPv4 written as IPv6; addresses are never seen so`, ""}},
		`inCIDR(source.ip, request.host)`:          {{1, 26, "a network has to be written here: it is checked with the policy", ""}},
		`inCIDR(request.host, "10.0.0.0/8")`:       {{1, 15, "the only address there is is source.ip", ""}},
		`principal.kind == "user"`:                 {{1, 19, `principal.kind is never "user"`, "it is one of person, machine, anonymous"}},
		`source.country in ["DE", "de"]`:           {{1, 26, `source.country is never "de"`, "did you mean DE?"}},
		`source.country != "UK"`:                   {{1, 19, `source.country is never "UK"`, "did you mean GB?"}},
		`source.country == "ZZ"`:                   {{1, 19, `source.country is never "ZZ"`, "countries are codes of ISO 3166-1, such as DE"}},
		`"get" == request.method`:                  {{1, 1, `request.method is never "get"`, "did you mean GET?"}},
		`source.ip == "10.0.0.0/8"`:                {{1, 14, `source.ip is never "10.0.0.0/8"`, "for networks there is inCIDR"}},
		`source.ip == "2001:0db8::1"`:              {{1, 14, `source.ip is never "2001:0db8::1"`, "did you mean 2001:db8::1?"}},
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			e, issues := Compile(source)
			if diff := cmp.Diff(want, issues); diff != "" {
				t.Error(diff)
			}
			if e != nil {
				t.Error("an expression in spite of issues")
			}
		})
	}
}

func TestIssueString(t *testing.T) {
	t.Parallel()
	for want, issue := range map[string]Issue{
		`1:4: m (h)`: {1, 4, "m", "h"},
		`m`:          {0, 0, "m", ""},
	} {
		if got := issue.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
