package dev

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDevFile(t *testing.T) {
	t.Parallel()
	f := &devFile{path: filepath.Join(t.TempDir(), "dev.json"), log: slog.New(slog.DiscardHandler)}
	pid := func(n int) func(*document) { return func(d *document) { d.PostgresPID = n } }
	f.update(pid(1))
	if _, err := os.Stat(f.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there before everything runs: %v", err)
	}
	if err := f.publish(); err != nil {
		t.Fatal(err)
	}
	f.update(pid(2))
	content, err := os.ReadFile(f.path)
	if err != nil || !bytes.Contains(content, []byte(`"postgres_pid": 2`)) {
		t.Errorf("%s, %v", content, err)
	}
	if info, err := os.Stat(f.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := f.withdraw(); err != nil {
		t.Error(err)
	}
	f.update(pid(3)) // a program that starts again while everything stops
	if _, err := os.Stat(f.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it came back: %v", err)
	}
}

func TestCredentialsSurvive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "credentials.json")
	first, err := openCredentials(path)
	if err != nil {
		t.Fatal(err)
	}
	first.Admins["acme"] = "spa_x"
	if err := first.save(); err != nil {
		t.Fatal(err)
	}
	second, err := openCredentials(path)
	if err != nil {
		t.Fatal(err)
	}
	if second.Admins["acme"] != "spa_x" || second.Passwords[appRole] != first.Passwords[appRole] || len(second.Passwords[appRole]) < 26 {
		t.Errorf("first %+v, second %+v", first, second)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openCredentials(path); err == nil || !strings.Contains(err.Error(), "delete the file") {
		t.Errorf("damaged: %v", err)
	}
}

func TestLogStartsAnewWhenItIsLarge(t *testing.T) {
	t.Parallel()
	l := logs{dir: filepath.Join(t.TempDir(), "log")}
	out, err := l.open("edge eu-1")
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.Repeat([]byte("x"), 1<<20)
	for range 3*maxLog/len(line) + 1 {
		if _, err := out.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"edge-eu-1.log", "edge-eu-1.log.1"} {
		info, err := os.Stat(filepath.Join(l.dir, name))
		if err != nil || info.Size() > maxLog+int64(len(line)) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
