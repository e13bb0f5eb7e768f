package expression

import (
	"net/netip"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"

	"github.com/sallyport-iap/sallyport/edge/policy/country"
	"github.com/sallyport-iap/sallyport/edge/policy/zone"
)

// rules check what types cannot say, and note what the expression reads.
type rules struct {
	report
	groups []string
	reads  []Field
	loops  int // how deep they are nested
	depth  int // and are where walk is
}

func checkRules(checked *ast.AST) *rules {
	r := &rules{report: report{info: checked.SourceInfo()}}
	r.walk(checked.Expr())
	slices.Sort(r.groups)
	r.groups = slices.Compact(r.groups)
	slices.Sort(r.reads)
	r.reads = slices.Compact(r.reads)
	return r
}

func (r *rules) walk(e ast.Expr) {
	switch e.Kind() {
	case ast.LiteralKind:
		switch e.AsLiteral().(type) {
		case types.Bool, types.Int, types.String:
		default:
			r.at(e, "", "there are no values of type %s here", e.AsLiteral().Type().TypeName())
		}
	case ast.IdentKind:
		if f, ok := fieldOf(e); ok {
			r.reads = append(r.reads, f)
			if f == PrincipalGroups {
				r.at(e, `ask "name" in principal.groups`, "principal.groups is no list: it can only be asked for one group by name")
			}
		}
	case ast.SelectKind:
		r.walk(e.AsSelect().Operand())
	case ast.ListKind:
		if e.AsList().Size() == 0 {
			r.at(e, "", "an empty list: nothing is ever in it")
		}
		for _, element := range e.AsList().Elements() {
			r.walk(element)
		}
	case ast.ComprehensionKind:
		r.walk(e.AsComprehension().IterRange())
		r.depth++
		r.loops = max(r.loops, r.depth)
		r.walk(e.AsComprehension().LoopStep())
		r.depth--
	case ast.CallKind:
		r.call(e.AsCall())
	}
}

func (r *rules) call(call ast.CallExpr) {
	args := arguments(call)
	name := call.FunctionName()
	switch {
	case name == operators.In && isField(args[1], PrincipalGroups):
		if id, ok := textLiteral(args[0]); ok {
			r.groups = append(r.groups, id)
		} else {
			r.at(args[0], "", "the name of a group has to be written here: it is checked with the policy")
		}
		r.reads = append(r.reads, PrincipalGroups)
		r.walk(args[0])
		return
	case name == operators.In && args[1].Kind() == ast.ListKind:
		for _, element := range args[1].AsList().Elements() {
			r.compared(args[0], element)
		}
	case name == operators.Equals || name == operators.NotEquals:
		r.compared(args[0], args[1])
		r.compared(args[1], args[0])
	case name == overloads.Matches:
		if pattern, ok := textLiteral(args[1]); !ok {
			r.at(args[1], "", "a pattern has to be written here: it is checked with the policy")
		} else if _, err := compilePattern(pattern); err != nil {
			r.at(args[1], "", "%s", err)
		}
	case name == "inCIDR":
		r.network(args[0], args[1])
	case name == overloads.TypeConvertTimestamp, name == overloads.TypeConvertDuration:
		r.instant(name, args[0])
	case calendar[name] != nil:
		in, ok := textLiteral(args[1])
		if !ok {
			r.at(args[1], "", "a time zone has to be written here: it is checked with the policy")
		} else if _, ok := zone.Load(in); !ok {
			r.at(args[1], didYouMean(zone.Nearest(in)), "%.64q is no time zone such as Europe/Berlin", in)
		}
	}
	for _, arg := range args {
		r.walk(arg)
	}
}

func (r *rules) network(address, network ast.Expr) {
	if !isField(address, SourceIP) {
		r.at(address, "", "the only address there is is source.ip")
	}
	text, ok := textLiteral(network)
	if !ok {
		r.at(network, "", "a network has to be written here: it is checked with the policy")
		return
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		hint := ""
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			hint = didYouMean(netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()).String())
		}
		r.at(network, hint, "%.64q is no network such as 10.0.0.0/8 or 2001:db8::/32", text)
	case prefix.Addr().Is4In6():
		r.at(network, "", "%q is IPv4 written as IPv6; addresses are never seen so", text)
	case prefix != prefix.Masked():
		r.at(network, didYouMean(prefix.Masked().String()), "%q has bits set beyond its length", text)
	}
}

func (r *rules) instant(function string, arg ast.Expr) {
	text, ok := textLiteral(arg)
	if !ok {
		r.at(arg, "", "a %s has to be written here: it is checked with the policy", function)
		return
	}
	if function == overloads.TypeConvertTimestamp {
		_, ok = timeLiteral(arg)
	} else {
		_, ok = durationLiteral(arg)
	}
	if !ok {
		written, _ := signature(function)
		r.at(arg, "it is written "+written, "%.64q is no %s", text, function)
	}
}

// compared checks a literal that a fact is compared with: that the fact can be it.
func (r *rules) compared(fact, with ast.Expr) {
	field, ok := fieldOf(fact)
	text, isText := textLiteral(with)
	if !ok || !isText {
		return
	}
	var hint string
	switch field {
	case PrincipalKind:
		kinds := []string{"person", "machine", "anonymous"}
		if slices.Contains(kinds, text) {
			return
		}
		hint = "it is one of " + strings.Join(kinds, ", ")
	case RequestMethod:
		if text == strings.ToUpper(text) {
			return
		}
		hint = didYouMean(strings.ToUpper(text))
	case SourceCountry:
		if country.Known(text) {
			return
		}
		if hint = didYouMean(country.Meant(text)); hint == "" {
			hint = "countries are codes of ISO 3166-1, such as DE"
		}
	case SourceIP:
		a, err := netip.ParseAddr(text)
		switch {
		case err != nil && strings.Contains(text, "/"):
			hint = "for networks there is inCIDR"
		case err != nil || a.Zone() != "":
			hint = "addresses are such as 192.0.2.1 or 2001:db8::1"
		case a.Unmap().String() != text:
			hint = didYouMean(a.Unmap().String())
		default:
			return
		}
	default:
		return
	}
	r.at(with, hint, "%s is never %.64q", field, text)
}

func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return "did you mean " + name + "?"
}

func fieldOf(e ast.Expr) (Field, bool) {
	if e.Kind() != ast.IdentKind {
		return 0, false
	}
	f, ok := fieldByName[strings.TrimPrefix(e.AsIdent(), ".")]
	return f, ok
}

func isField(e ast.Expr, f Field) bool {
	is, ok := fieldOf(e)
	return ok && is == f
}
