package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		events []string
		want   string
		failed int
	}{
		{
			name: "a test that passed says only what it reports",
			events: []string{
				`{"Action":"output","Package":"x/a","Test":"TestA","Output":"quiet\n"}`,
				`{"Action":"attr","Package":"x/a","Test":"TestA","Key":"p99","Value":"12ms"}`,
				`{"Action":"pass","Package":"x/a","Test":"TestA"}`,
				`{"Action":"pass","Package":"x/a","Elapsed":1.5}`,
			},
			want: "     TestA: p99 = 12ms\nok   x/a (1.5 s, tests: 1)\n1 passed, 0 failed\n",
		},
		{
			name: "a failed test says everything",
			events: []string{
				`{"Action":"output","Package":"x/a","Test":"TestA","Output":"loud\n"}`,
				`{"Action":"fail","Package":"x/a","Test":"TestA"}`,
				`{"Action":"fail","Package":"x/a"}`,
			},
			want:   "FAIL x/a TestA\nloud\nFAIL x/a (0.0 s)\n0 passed, 1 failed\n",
			failed: 1,
		},
		{
			name: "a skipped test has failed",
			events: []string{
				`{"Action":"skip","Package":"x/a","Test":"TestA"}`,
				`{"Action":"pass","Package":"x/a"}`,
			},
			want:   "SKIP x/a TestA\nok   x/a (0.0 s, tests: 1)\n0 passed, 1 failed\n",
			failed: 1,
		},
		{
			name: "a panic fails the package, and shows the test that never ended",
			events: []string{
				`{"Action":"pass","Package":"x/a","Test":"TestA"}`,
				`{"Action":"output","Package":"x/a","Test":"TestB","Output":"panic: boom\n"}`,
				`{"Action":"fail","Package":"x/a"}`,
			},
			want:   "panic: boom\nFAIL x/a (0.0 s)\n1 passed, 1 failed\n",
			failed: 1,
		},
		{
			name: "a build that failed",
			events: []string{
				`{"Action":"build-output","ImportPath":"x/a","Output":"no such thing\n"}`,
				`{"Action":"build-fail","ImportPath":"x/a"}`,
				`{"Action":"fail","Package":"x/a"}`,
			},
			want:   "no such thing\nFAIL x/a (0.0 s)\n0 passed, 1 failed\n",
			failed: 1,
		},
		{
			name:   "a package without tests, and words of the go command",
			events: []string{`{"Action":"skip","Package":"x/a"}`, `go: warning`},
			want:   "go: warning\n0 passed, 0 failed\n",
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var out, log strings.Builder
			failed, err := report(strings.NewReader(strings.Join(tc.events, "\n")+"\n"), &out, &log)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if failed != tc.failed {
				t.Errorf("failed = %d, want %d", failed, tc.failed)
			}
		})
	}
}
