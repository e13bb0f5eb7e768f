package cli_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

var update = flag.Bool("update", false, "write what scripts compare with as it is now; look at it before you commit it")

// Each script has a tenant of its name, whose hosts are below its name, and another one, "<name>-other". A pool of the
// script's name serves the first, with upstreams on this machine; nobody serves the other. The environment is that of the
// tenant's owner.
//
// Programs of ours: sallyport, and call SERVICE/METHOD JSON. Commands beside testscript's: keys TENANT waits for those; exits,
// edge, follow, followed, devfile and write are below.
func TestScripts(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	demo, err := filepath.Abs("../../../../deploy/demo")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			name := strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")
			token, err := d.tenant(name, "auth."+name+".localhost")
			if err != nil {
				return err
			}
			other, err := d.tenant(name+"-other", "auth."+name+"-other.localhost")
			if err != nil {
				return err
			}
			if err := errors.Join(d.pool(name, name), d.keysOf(name)); err != nil {
				return err
			}
			client, err := api.New(d.operator.URL, token)
			if err != nil {
				return err
			}
			viewer, err := member(client, "tenants/"+name, "viewer", sallyportv1.AdminRole_ADMIN_ROLE_VIEWER)
			if err != nil {
				return err
			}
			env.Vars = append(env.Vars,
				"SALLYPORT_SERVER="+d.operator.URL, "SALLYPORT_TENANT="+name, "SALLYPORT_TOKEN="+token,
				"NAME="+name, "SERVER="+d.operator.URL, "OWN_TOKEN="+token, "OTHER_TOKEN="+other, "VIEWER_TOKEN="+viewer, "OPERATOR_TOKEN="+d.token, "DEMO="+demo,
				"ELSEWHERE="+d.elsewhere, "TZ=UTC")
			env.Values["edge"], env.Values["followers"] = &edge{}, map[string]*exec.Cmd{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"edge":     d.edgeCommand,
			"keys":     func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(d.keysOf(args[0])) },
			"follow":   follow,
			"followed": followed,
			"devfile":  devfile,
			"write":    write,
		},
	})
}

// exits runs a command that must end with a status: exits 3 sallyport wait c5.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND …")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = failed.ExitCode()
	}
	if got != want {
		ts.Fatalf("it ended with %d, not with %d", got, want)
	}
}

// follow starts a command in the background, and waits for its first word on standard error: follow FILE COMMAND … Its
// output goes to the file.
func follow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: follow FILE COMMAND …")
	}
	output, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir, cmd.Stdout = ts.Getenv("WORK"), output
	for _, name := range []string{"SALLYPORT_SERVER", "SALLYPORT_TENANT", "SALLYPORT_TOKEN", "PATH", "TZ"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	said, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = cmd.Process.Kill() })
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil {
		ts.Fatalf("%v after %q", err, line)
	}
	ts.Value("followers").(map[string]*exec.Cmd)[args[0]] = cmd
}

// followed waits until what writes a file has ended.
func followed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: followed FILE")
	}
	ts.Check(ts.Value("followers").(map[string]*exec.Cmd)[args[0]].Wait())
	ts.Logf("[%s]\n%s", args[0], ts.ReadFile(args[0]))
}

// devfile writes what `sallyport dev` leaves, with everything else that it has besides what we read left out: devfile URL
func devfile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: devfile URL")
	}
	tenant := ts.Getenv("NAME")
	data, err := json.Marshal(map[string]any{
		"tenant":        tenant,
		"control_plane": map[string]any{"url": args[0], "admin_token": ts.Getenv("OWN_TOKEN"), "operator_token": ts.Getenv("OPERATOR_TOKEN"), "pid": 1},
		"second_tenant": map[string]any{"tenant": tenant + "-other", "admin_token": ts.Getenv("OTHER_TOKEN")},
	})
	ts.Check(err)
	ts.Check(os.MkdirAll(ts.MkAbs(".sallyport"), 0o700))
	ts.Check(os.WriteFile(ts.MkAbs(".sallyport/dev.json"), data, 0o600))
}

// write writes a text to a file: write FILE TEXT
func write(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: write FILE TEXT")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(args[1]), 0o600))
}
