package manifest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// stdin is how a command line names standard input.
const stdin = "-"

// Read reads files, directories of files, and "-" for standard input, as one manifest: see [Decode]. All files are for one
// tenant, whichever of them says so.
func Read(paths []string, input io.Reader, tenant string) (*Manifest, error) {
	all := &Manifest{Tenant: tenant}
	var errs []error
	for _, path := range paths {
		files, err := filesIn(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, file := range files {
			m, err := readFile(file, input, all.Tenant)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			all.Tenant = m.Tenant
			all.Resources = append(all.Resources, m.Resources...)
		}
	}
	if err := errors.Join(append(errs, all.twice()...)...); err != nil {
		return nil, err
	}
	all.In(all.Tenant)
	return all, nil
}

func readFile(file string, input io.Reader, tenant string) (*Manifest, error) {
	if file == stdin {
		return Decode("standard input", input, tenant)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, reason(file, err)
	}
	defer f.Close()
	return Decode(file, f, tenant)
}

// reason says what is wrong with a file without the name of the system call that noticed.
func reason(file string, err error) error {
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		err = failed.Err
	}
	return fmt.Errorf("%s: %w", file, err)
}

func filesIn(path string) ([]string, error) {
	if path == stdin {
		return []string{stdin}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, reason(path, err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, reason(path, err)
	}
	var files []string
	for _, entry := range entries {
		if ext := filepath.Ext(entry.Name()); !entry.IsDir() && (ext == ".yaml" || ext == ".yml") {
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	sort.Strings(files)
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no .yaml files", path)
	}
	return files, nil
}

// twice finds what two files say.
func (m *Manifest) twice() []error {
	var errs []error
	first := map[string]Resource{}
	for _, r := range m.Resources {
		at := r.Kind + " " + r.ID
		if earlier, there := first[at]; there {
			errs = append(errs, &Error{
				File: r.file, Line: r.node.Line, Column: r.node.Column, Path: at,
				Problem: fmt.Sprintf("stands already in %s, line %d", earlier.file, earlier.node.Line),
			})
			continue
		}
		first[at] = r
	}
	return errs
}
