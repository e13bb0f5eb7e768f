package policytest

import (
	"fmt"
	"io/fs"
	"strings"
)

// Load reads the cases of some files, in order.
func Load(fsys fs.FS, files ...string) ([]Case, error) {
	var cases []Case
	for _, file := range files {
		found, err := load(fsys, file)
		if err != nil {
			return nil, err
		}
		cases = append(cases, found...)
	}
	return cases, nil
}

// LoadWorld reads a file that is a world, and who acts in it, by name.
func LoadWorld(fsys fs.FS, file string) (*World, map[string]Identity, error) {
	b := newBuilder(&reader{file: file})
	err := b.lines(fsys, file, func(text string) {
		if !b.isWorld(fsys, text) {
			b.fail("not a world's line: %s", text)
		}
	})
	return &b.World, b.people, err
}

func load(fsys fs.FS, file string) (cases []Case, err error) {
	b := newBuilder(&reader{file: file})
	section := ""
	err = b.lines(fsys, file, func(text string) {
		if title, ok := strings.CutPrefix(text, "## "); ok {
			section = title
		} else if !b.isWorld(fsys, text) {
			c := b.row(text)
			c.File, c.Line, c.Section = file, b.line, section
			cases = append(cases, c)
		}
	})
	return cases, err
}

// isWorld understands a line of a world, one that begins another included.
func (b *builder) isWorld(fsys fs.FS, text string) bool {
	verb, file, _ := strings.Cut(text, " ")
	if verb != "world" {
		return b.add(text)
	}
	*b = *newBuilder(b.reader)
	if file != "" {
		w, people, err := LoadWorld(fsys, file)
		if err != nil {
			b.fail("%v", err)
		}
		b.World, b.people = *w, people
	}
	return true
}

// lines calls each for every line that is not empty and no comment.
func (r *reader) lines(fsys fs.FS, file string, each func(text string)) error {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return fmt.Errorf("read a table: %w", err)
	}
	for i, text := range strings.Split(string(data), "\n") {
		text = strings.TrimSpace(text)
		if text == "" || text == "#" || strings.HasPrefix(text, "# ") {
			continue
		}
		r.line = i + 1
		each(text)
		if r.err != nil {
			return r.err
		}
	}
	return nil
}
