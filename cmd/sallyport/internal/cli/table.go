package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// table is a collection as a person reads it: a line for each resource. All of it is in JSON and YAML.
type table struct{ columns []column }

// column has a cell for each resource. Its width is what its cells and its title take, or less, where they can be cut.
type column struct {
	title string
	cells []cell
	width int
}

// cell is what a table says of a resource in a column: words, of which as many are said as there is room for.
type cell struct {
	title string
	words []string
	whole bool // cutting it would make it useless, as with an id
	prose bool // it is only for people, and is cut before anything else is
}

const (
	// lineWidth is what a table has room for: the half of a wide screen, or a window of a laptop.
	lineWidth = 100
	// leastWidth is what is left at least of what can be cut.
	leastWidth = 10
	gap        = 2
	// widest is as much as any one value gets where there is no table to fit.
	widest = 48
	// instant is a time of a line, in the reader's zone.
	instant = time.DateTime
)

// newTable makes the table of a collection: who it is, what it says, who manages it, and when it changed. A column in
// which nothing stands is left out.
func newTable(at place, items []resource, now time.Time) *table {
	t := &table{}
	for i, item := range items {
		line := slices.Concat([]cell{whole("ID", at.id(text(item, "name")))}, says(item.Interface(), now), written(item.Interface(), now))
		for n, c := range line {
			if i == 0 {
				t.columns = append(t.columns, column{title: c.title})
			}
			t.columns[n].cells = append(t.columns[n].cells, c)
		}
	}
	t.columns = slices.DeleteFunc(t.columns, column.empty)
	t.fit()
	return t
}

// written is what all resources say that people write; others, such as sessions, say nothing of this.
func written(r any, now time.Time) []cell {
	w, ok := r.(interface {
		GetManagedBy() string
		GetRevision() string
		GetUpdateTime() *timestamppb.Timestamp
	})
	if !ok {
		return nil
	}
	return []cell{words("MANAGED BY", w.GetManagedBy()), whole("REVISION", w.GetRevision()), when("UPDATED", w.GetUpdateTime(), now)}
}

func (c column) empty() bool {
	return !slices.ContainsFunc(c.cells, func(c cell) bool { return c.text() != "" })
}

// fit makes lines as wide as there is room for: at the cost of prose, and then of whichever column takes most.
func (t *table) fit() {
	total := -gap
	for i := range t.columns {
		c := &t.columns[i]
		c.width = utf8.RuneCountInString(c.title)
		for _, cell := range c.cells {
			c.width = max(c.width, utf8.RuneCountInString(cell.text()))
		}
		total += c.width + gap
	}
	for ; total > lineWidth; total-- {
		c := t.cuttable(func(c cell) bool { return c.prose })
		if c == nil {
			c = t.cuttable(func(c cell) bool { return !c.whole })
		}
		if c == nil {
			return // there is nothing left to cut: an id is said whole, or it is of no use
		}
		c.width--
	}
}

// cuttable is the widest column of a sort that can be cut.
func (t *table) cuttable(sort func(cell) bool) *column {
	var most *column
	for i := range t.columns {
		if c := &t.columns[i]; sort(c.cells[0]) && c.width > max(leastWidth, len(c.title)) && (most == nil || c.width > most.width) {
			most = c
		}
	}
	return most
}

func (t *table) print(w io.Writer) { t.printWith(w, func(int) []string { return nil }) }

// printWith prints, below each line, what else is said of it.
func (t *table) printWith(w io.Writer, below func(line int) []string) {
	var titles []string
	for _, c := range t.columns {
		titles = append(titles, c.title)
	}
	t.line(w, titles)
	for i := range t.columns[0].cells {
		var texts []string
		for _, c := range t.columns {
			texts = append(texts, c.cells[i].within(c.width))
		}
		t.line(w, texts)
		for _, text := range below(i) {
			fmt.Fprintf(w, "    %s\n", printable(text))
		}
	}
}

func (t *table) line(w io.Writer, texts []string) {
	var line strings.Builder
	for i, c := range t.columns {
		fmt.Fprintf(&line, "%-*s", c.width+gap, texts[i])
	}
	fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
}

func words(title string, all ...string) cell {
	c := cell{title: title}
	for _, word := range all {
		c.words = append(c.words, printable(word))
	}
	return c
}

func whole(title, word string) cell {
	c := words(title, word)
	c.whole = true
	return c
}

func prose(title, text string) cell {
	c := words(title, text)
	c.prose = true
	return c
}

func (c cell) text() string { return strings.Join(c.words, ", ") }

// within is as many of the words as fit, and how many more there are.
func (c cell) within(width int) string {
	all := c.text()
	switch {
	case all == "":
		return "-"
	case utf8.RuneCountInString(all) <= width || c.whole:
		return all
	}
	for n := len(c.words) - 1; n > 0; n-- {
		more := fmt.Sprintf(" +%d", len(c.words)-n)
		some := strings.Join(c.words[:n], ", ")
		if utf8.RuneCountInString(some+more) <= width || n == 1 {
			return cut(some, width-len(more)) + more
		}
	}
	return cut(all, width)
}

func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width-1)]) + "…"
}

// shorten makes a text fit on a line among others: one line, not too wide, nothing that a terminal would obey.
func shorten(s string) string { return cut(printable(s), widest) }

// when is a time as far as it is away.
func when(title string, at *timestamppb.Timestamp, now time.Time) cell {
	if at == nil {
		return whole(title, "")
	}
	return whole(title, away(at.AsTime().Sub(now)))
}

func away(d time.Duration) string {
	ahead := d > 0
	d = d.Abs()
	text := fmt.Sprintf("%dd", d/(24*time.Hour))
	switch {
	case d < 2*time.Minute:
		text = fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		text = fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		text = fmt.Sprintf("%dh", d/time.Hour)
	}
	if ahead {
		return "in " + text
	}
	return text + " ago"
}
