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

func load(fsys fs.FS, file string) (cases []Case, err error) {
	b := newBuilder(&reader{file: file})
	section := ""
	err = b.lines(fsys, file, func(text string) {
		if title, ok := strings.CutPrefix(text, "## "); ok {
			section = title
			return
		}
		if verb, other, _ := strings.Cut(text, " "); verb == "world" {
			b = newBuilder(b.reader)
			if other != "" {
				b.include(fsys, other)
			}
			return
		}
		if b.add(text) {
			return
		}
		c := b.row(text)
		c.File, c.Line, c.Section = file, b.line, section
		cases = append(cases, c)
	})
	return cases, err
}

// include adds another file's world.
func (b *builder) include(fsys fs.FS, file string) {
	other := newBuilder(&reader{file: file})
	err := other.lines(fsys, file, func(text string) {
		if !strings.HasPrefix(text, "## ") && !other.add(text) {
			other.fail("not a world's line: %s", text)
		}
	})
	if err != nil {
		b.fail("%v", err)
	}
	b.World, b.people = other.World, other.people
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
