package policy

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// opaPeer decides by OPA: a prepared query over rules whose operation is an equality on the input, which its documentation
// ("Policy performance") says is indexed. The group is a reference that is there or not: said as an equality too it makes
// the index 20 times slower, because it then has a level for each of 200 groups. Inputs are parsed beforehand, and groups
// are already flat.
func opaPeer(c *corpus) (decide func(i int) bool, err error) {
	var text strings.Builder
	text.WriteString("package authz\n\ndefault allow := false\n\nallow if {\n\tgranted\n\tnot refused\n}\n")
	for _, r := range c.rules {
		head, condition := "granted", ""
		if r.effect != "ALLOW" {
			head = "refused"
		}
		if r.network.IsValid() {
			condition = fmt.Sprintf("\tnet.cidr_contains(%q, input.ip)\n", r.network.Masked())
		}
		if r.effect == "REQUIRE" {
			condition = "\tnot " + strings.TrimPrefix(condition, "\t")
		}
		fmt.Fprintf(&text, "\n%s if {\n\tinput.operation == %q\n\tinput.groups.%s\n%s}\n", head, operation(r.operation), group(r.group), condition)
	}
	ctx := context.Background()
	query, err := rego.New(rego.Query("data.authz.allow"), rego.Module("corpus.rego", text.String())).PrepareForEval(ctx)
	if err != nil {
		return nil, err
	}
	inputs := make([]ast.Value, len(c.requests))
	for i, r := range c.requests {
		groups := map[string]any{}
		for _, g := range c.closure(r.person) {
			groups[group(g)] = true
		}
		inputs[i], err = ast.InterfaceToValue(map[string]any{"operation": operation(r.operation), "groups": groups, "ip": r.ip.String()})
		if err != nil {
			return nil, err
		}
	}
	return func(i int) bool {
		found, err := query.Eval(ctx, rego.EvalParsedInput(inputs[i]))
		return err == nil && found.Allowed()
	}, nil
}
