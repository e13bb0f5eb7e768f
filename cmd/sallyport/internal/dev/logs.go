package dev

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// maxLog is when a program's log starts anew, keeping the one before: a demo may run for weeks.
const maxLog = 16 << 20

// logs gives each program a file of its own.
type logs struct {
	dir    string
	screen func(name string) io.Writer // nil: files only
}

// open returns where the program's output goes.
func (l logs) open(name string) (io.Writer, error) {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	file := &logFile{path: filepath.Join(l.dir, strings.ReplaceAll(name, " ", "-")+".log")}
	if err := file.begin(); err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	if l.screen == nil {
		return file, nil
	}
	return io.MultiWriter(file, l.screen(name)), nil
}

// logFile is a file that never grows beyond maxLog, and one before it.
type logFile struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int
}

// begin starts a new file; the one of the last start is kept beside it.
func (l *logFile) begin() error {
	if l.file != nil {
		l.file.Close()
	}
	if err := os.Rename(l.path, l.path+".1"); err != nil && !os.IsNotExist(err) {
		return err
	}
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	l.file, l.size = file, 0
	return err
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > maxLog {
		if err := l.begin(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(p)
	l.size += n
	return n, err
}
