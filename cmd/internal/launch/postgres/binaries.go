package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// ErrNotInstalled says that the machine has no Postgres server.
var ErrNotInstalled = errors.New("no Postgres server found: install it (Debian, Ubuntu: apt-get install postgresql), " +
	"or set SALLYPORT_PG_BIN to the directory that holds initdb and postgres")

// FindBinaries returns the directory that holds initdb and postgres: the explicit one if it is not empty, else that of
// the newest version among the places where systems install it.
func FindBinaries(explicit string) (string, error) {
	if explicit != "" {
		if !holdsServer(explicit) {
			return "", fmt.Errorf("%s does not hold initdb and postgres", explicit)
		}
		return filepath.Abs(explicit)
	}
	var found []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
		"/usr/pgsql-*/bin",          // the RPMs of postgresql.org
		"/usr/local/pgsql/bin",      // built from source
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/bin",
	} {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("look for Postgres: %w", err)
		}
		slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
		found = append(found, dirs...)
	}
	if i := slices.IndexFunc(found, holdsServer); i >= 0 {
		return found[i], nil
	}
	return "", ErrNotInstalled
}

func holdsServer(dir string) bool {
	for _, program := range []string{"initdb", "postgres"} {
		info, err := os.Stat(filepath.Join(dir, program))
		if err != nil || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// version is the number in a directory such as /usr/lib/postgresql/15/bin or /usr/pgsql-17/bin; 0 if there is none.
func version(bin string) int {
	parent := filepath.Base(filepath.Dir(bin))
	digits := len(parent)
	for digits > 0 && parent[digits-1] >= '0' && parent[digits-1] <= '9' {
		digits--
	}
	n, err := strconv.Atoi(parent[digits:])
	if err != nil {
		return 0
	}
	return n
}
