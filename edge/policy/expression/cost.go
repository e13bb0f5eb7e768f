package expression

import (
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/overloads"
)

// What takes longer than cel-go's estimate has it.
const (
	// matchFactor is units for a byte of the text times an instruction of the pattern. cel-go counts so for a byte of
	// the pattern, but RE2 may go through all of its program at each byte of the text, and "(a?){999}" has 9 bytes.
	matchFactor = cost.StringTraversalCostFactor * cost.RegexStringLengthCostFactor
	// calendarCost is for years without a table: from 2100 on, the rule of the zone is read at each question.
	calendarCost = 10
	// networkCost is for an address that is written and parsed, and a network that is parsed.
	networkCost = 3
)

// prices tells the estimate how large facts can be, and what calls cost.
type prices struct{}

func (prices) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	path := node.Path()
	if len(path) == 0 {
		return nil
	}
	field, ok := fieldByName[path[0]]
	if !ok {
		return nil
	}
	if len(path) > 1 {
		return &cost.SizeEstimate{Max: maxEntry}
	}
	return &cost.SizeEstimate{Max: uint64(variables[field].Max)}
}

// EstimateCallCost leaves to cel-go what it answers with nil.
func (p prices) EstimateCallCost(function, _ string, target *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	if target != nil {
		args = append([]cost.AstNode{*target}, args...)
	}
	fixed := func(units uint64) *cost.CallEstimate {
		return cost.NewCallEstimate(cost.FixedCostEstimate(units), nil)
	}
	switch {
	case function == overloads.Matches:
		pattern, ok := textLiteral(args[1].Expr())
		if !ok {
			return fixed(MaxCost + 1) // checkRules has refused it
		}
		// A text of no bytes is a step too, and so is the end of each.
		steps := cost.EstimateSize(p, args[0]).Add(cost.FixedSizeEstimate(1)).MultiplyByCostFactor(float64(instructions(pattern)) * matchFactor)
		return cost.NewCallEstimate(steps, nil)
	case function == "inCIDR":
		return fixed(networkCost)
	case calendar[function] != nil:
		return fixed(calendarCost)
	}
	return nil
}
