package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// event is a line of `go test -json`: see `go doc test2json`, and `go help buildjson` for ImportPath.
type event struct {
	Action     string
	Package    string
	Test       string
	Elapsed    float64 // seconds
	Output     string
	Key, Value string // of an attr
	ImportPath string // of what was built; then Package is empty
}

type test struct{ pkg, name string }

type reporter struct {
	out, log io.Writer

	output   map[test][]string // of what has not ended yet
	tests    map[string]int    // by package
	failures map[string]int    // by package

	passed, failed int
}

func (r *reporter) read(events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				// Not an event: what the go command says itself, for one that it found no such package.
				fmt.Fprintf(r.out, "%s", line)
			} else {
				r.event(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *reporter) event(e event) {
	id := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		fmt.Fprint(r.log, e.Output)
		r.output[id] = append(r.output[id], e.Output)
	case "attr":
		fmt.Fprintf(r.out, "     %s: %s = %s\n", e.Test, e.Key, e.Value)
	case "pass", "fail", "skip":
		if e.Test != "" {
			r.testEnded(id, e)
		} else {
			r.packageEnded(e)
		}
		delete(r.output, id)
	}
}

func (r *reporter) testEnded(id test, e event) {
	r.tests[e.Package]++
	if e.Action == "pass" {
		r.passed++
		return
	}
	r.failed++
	r.failures[e.Package]++
	fmt.Fprintf(r.out, "%s %s %s\n", strings.ToUpper(e.Action), e.Package, e.Test)
	fmt.Fprint(r.out, strings.Join(r.output[id], ""))
}

func (r *reporter) packageEnded(e event) {
	switch {
	case e.Action == "fail" && r.failures[e.Package] == 0:
		// It did not build, it panicked, or it ran out of time: tests that were running then never end.
		r.failed++
		for id, lines := range r.output {
			if id.pkg == e.Package {
				fmt.Fprint(r.out, strings.Join(lines, ""))
			}
		}
		fallthrough
	case e.Action == "fail":
		fmt.Fprintf(r.out, "FAIL %s (%.1f s)\n", e.Package, e.Elapsed)
	case r.tests[e.Package] > 0:
		fmt.Fprintf(r.out, "ok   %s (%.1f s, tests: %d)\n", e.Package, e.Elapsed, r.tests[e.Package])
	}
}
