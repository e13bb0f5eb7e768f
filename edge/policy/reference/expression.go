package reference

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
)

// environment declares what an expression may name.
func environment() (*cel.Env, error) {
	var options []cel.EnvOption
	for t, names := range map[*cel.Type]string{
		cel.StringType: "principal.kind principal.id principal.email principal.domain principal.idp principal.service_account session.acr " +
			"request.method request.host request.path request.operation source.ip source.country",
		cel.ListType(cel.StringType): "principal.groups session.amr device.posture",
		cel.BoolType:                 "device.managed device.compliant",
		cel.TimestampType:            "session.auth_time device.reported_at now",
	} {
		for name := range strings.FieldsSeq(names) {
			options = append(options, cel.Variable(name, t))
		}
	}
	in := func(ip, network ref.Val) ref.Val {
		a, err := netip.ParseAddr(string(ip.(types.String)))
		p, err2 := netip.ParsePrefix(string(network.(types.String)))
		if err != nil || err2 != nil {
			return types.NewErr("neither address nor network")
		}
		return types.Bool(p.Contains(a.Unmap().WithZone("")))
	}
	return cel.NewEnv(append(options, cel.Function("inCIDR", cel.Overload("in_cidr", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(in))))...)
}

// expression is true or false as CEL says it; whatever else CEL says is unknown.
// A fact that is unknown is a variable that is not there: using it is an error,
// which && and || absorb.
func (j judge) expression(text string) Verdict {
	p, ok := j.programs[text]
	if !ok {
		ast, issues := j.env.Compile(text)
		if issues.Err() != nil {
			panic(issues.Err())
		}
		var err error
		if p, err = j.env.Program(ast); err != nil {
			panic(err)
		}
		if len(j.programs) == 1000 {
			clear(j.programs) // random expressions hardly come twice
		}
		j.programs[text] = p
	}
	value, _, err := p.Eval(j.facts())
	holds, isBool := value.(types.Bool)
	return verdict(err == nil && isBool, bool(holds))
}

func (j judge) facts() map[string]any {
	q, who := j.q, j.q.Who
	person := who.Kind == policytest.Person
	email := folded(who.Email)
	domain := domainOf(&who)
	facts := map[string]any{
		"principal.kind": string(who.Kind), "principal.service_account": who.ServiceAccount,
		"principal.groups": perhaps{j}, "request.operation": q.Operation,
	}
	set := func(known bool, name string, value any) {
		if known && fits(name, value) {
			facts[name] = value
		}
	}
	if who.Kind == policytest.Anonymous {
		facts["principal.kind"] = "anonymous"
	}
	set(who.Subject != "" || who.Kind == policytest.Anonymous, "principal.id", who.Subject)
	vouchedFor := !person || isVouchedFor(&who)
	set(vouchedFor && (!person || email != ""), "principal.email", email)
	set(vouchedFor, "principal.domain", domain)
	set(!person || who.IDP != "", "principal.idp", who.IDP)
	set(person && !who.AuthTime.IsZero(), "session.auth_time", who.AuthTime)
	set(!person || who.ACR != "", "session.acr", who.ACR)
	set(!person || who.AMR != nil, "session.amr", append([]string{}, who.AMR...))
	set(q.Method != "", "request.method", q.Method)
	set(q.Host != "", "request.host", q.Host)
	set(q.Path != "", "request.path", q.Path)
	set(q.SourceIP.IsValid(), "source.ip", q.SourceIP.Unmap().WithZone("").String())
	set(q.Country != "", "source.country", q.Country)
	set(!q.Now.IsZero(), "now", q.Now)
	if d := q.Device; d != nil {
		posture := []string{}
		for name, holds := range d.Posture {
			if holds {
				posture = append(posture, name)
			}
		}
		set(d.Managed != nil, "device.managed", d.Managed != nil && *d.Managed)
		set(d.Compliant != nil, "device.compliant", d.Compliant != nil && *d.Compliant)
		set(d.Posture != nil, "device.posture", posture)
		set(!d.ReportedAt.IsZero(), "device.reported_at", d.ReportedAt)
	}
	return facts
}

// longest is how many bytes a text may have. A list has at most 64 entries of 128 bytes.
var longest = map[string]int{
	"principal.id": 512, "principal.email": 320, "principal.domain": 255, "principal.idp": 64, "session.acr": 256,
	"request.method": 32, "request.host": 255, "request.path": 8192, "source.ip": 64, "source.country": 2,
}

// fits says whether a fact is of a size that expressions are made for.
func fits(name string, value any) bool {
	switch v := value.(type) {
	case string:
		return len(v) <= longest[name]
	case []string:
		return len(v) <= 64 && !slices.ContainsFunc(v, func(entry string) bool { return len(entry) > 128 })
	case time.Time:
		return 1 <= v.UTC().Year() && v.UTC().Year() <= 9999
	}
	return true
}

// perhaps is a list of which only membership can be asked, because membership may
// be unknown.
type perhaps struct{ judge }

var perhapsType = cel.ObjectType("perhaps", traits.ContainerType)

func (p perhaps) Contains(name ref.Val) ref.Val {
	id, _ := name.(types.String)
	if find(p.w.Groups, func(g *policytest.Group) bool { return g.ID == string(id) }) == nil {
		return types.False
	}
	switch p.inGroup(string(id)) {
	case Yes:
		return types.True
	case No:
		return types.False
	}
	return types.NewErr("unknown")
}

// The rest of ref.Val: whatever else is asked of it is unknown.
func (perhaps) Equal(ref.Val) ref.Val                     { return types.NewErr("unknown") }
func (perhaps) ConvertToType(ref.Type) ref.Val            { return types.NewErr("unknown") }
func (perhaps) ConvertToNative(reflect.Type) (any, error) { return nil, errors.New("unknown") }
func (perhaps) Type() ref.Type                            { return perhapsType }
func (perhaps) Value() any                                { return nil }
