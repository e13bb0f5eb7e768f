package clause

import "time"

// Need is what a step-up has to ask the identity provider for. Its lists belong
// to the program: they are not to be changed.
type Need struct {
	MaxAge time.Duration // sign in at most so long ago; 0: whenever
	ACR    []string      // with one of these authentication context classes
	AMR    []string      // with all of these authentication methods
}

// Add adds what would make a clause of a step-up true. It is settled if just that
// was asked for in this session, and it is still not so: it is not asked for
// again, or a person would be sent to and fro for ever.
func (n *Need) Add(c Clause, f *Facts) (settled bool) {
	switch c := c.(type) {
	case *authAge:
		if n.MaxAge == 0 || c.most < n.MaxAge {
			n.MaxAge = c.most
		}
		return c.settled(f)
	case *acr:
		if n.ACR == nil {
			n.ACR = c.classes
		}
		return c.settled(f)
	case *amr:
		if n.AMR == nil {
			n.AMR = c.methods
		}
		return c.settled(f)
	}
	return false
}
