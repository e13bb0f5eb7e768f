package launch

import (
	"io"
	"strings"
	"sync"
)

// Tail passes a program's output on and keeps its end, for the error that says why the program ended.
type Tail struct {
	To io.Writer // nil: keep only

	mu   sync.Mutex
	kept []byte
}

const tailBytes = 4096

func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailBytes; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	if t.To == nil {
		return len(p), nil
	}
	return t.To.Write(p)
}

// LastLines returns at most n last lines, joined by "; ".
func (t *Tail) LastLines(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.kept)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}
