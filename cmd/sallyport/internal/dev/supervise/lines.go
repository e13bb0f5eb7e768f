package supervise

import (
	"bytes"
	"io"
	"sync"
)

// Lines lets several programs write to one place, line by line.
type Lines struct {
	mu sync.Mutex
	to io.Writer
}

// NewLines returns the place.
func NewLines(to io.Writer) *Lines { return &Lines{to: to} }

// Prefix returns a writer for one program: whole lines only, each after "name | ".
func (l *Lines) Prefix(name string) io.Writer {
	return &prefixed{lines: l, prefix: []byte(name + " | ")}
}

const maxLine = 64 << 10 // a longer one is cut into several

type prefixed struct {
	lines  *Lines
	prefix []byte

	mu   sync.Mutex
	rest []byte // of a line that is not whole yet
}

func (p *prefixed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, b...)
	for {
		end := bytes.IndexByte(p.rest, '\n')
		switch {
		case end >= 0:
			end++
		case len(p.rest) >= maxLine:
			end = maxLine
		default:
			return len(b), nil
		}
		if err := p.lines.write(p.prefix, bytes.TrimSuffix(p.rest[:end], []byte("\n"))); err != nil {
			return 0, err
		}
		p.rest = append(p.rest[:0], p.rest[end:]...)
	}
}

func (l *Lines) write(prefix, line []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.to.Write(bytes.Join([][]byte{prefix, line, []byte("\n")}, nil))
	return err
}
