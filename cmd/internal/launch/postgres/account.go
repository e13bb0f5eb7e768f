package postgres

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is as whom the server runs. Postgres refuses to run with effective uid 0.
type account struct {
	name      string
	owner     int // uid on this machine that owns the data; -1: us
	group     int
	namespace bool // inside a user namespace, where our uid 0 has another number
	attr      func() *syscall.SysProcAttr
}

// chooseAccount: a normal user runs the server as themself. Root gives it to the system's postgres or nobody, if that
// account can reach the data. Where it cannot (a checkout under /root, which is 0700) root keeps the files and runs
// the server in a user namespace that shows uid 0 as that account: same access, and a uid that Postgres accepts.
func chooseAccount(dir string) (account, error) {
	if os.Geteuid() != 0 {
		return account{name: "this user", owner: -1, attr: func() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }}, nil
	}
	name, uid, gid, err := unprivileged()
	if err != nil {
		return account{}, err
	}
	reachable, err := searchable(dir, uid, gid)
	if err != nil {
		return account{}, err
	}
	if reachable {
		return account{name: name, owner: uid, group: gid, attr: func() *syscall.SysProcAttr {
			return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		}}, nil
	}
	return account{name: name, owner: 0, group: 0, namespace: true, attr: func() *syscall.SysProcAttr {
		return inNamespace(uid, gid)
	}}, nil
}

func unprivileged() (name string, uid, gid int, err error) {
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(found.Uid)
		gid, errGID := strconv.Atoi(found.Gid)
		if errUID == nil && errGID == nil && uid != 0 {
			return name, uid, gid, nil
		}
	}
	return "", 0, 0, fmt.Errorf("Postgres does not run as root, and this machine has no account postgres or nobody: run as a normal user")
}

// searchable reports whether the account may pass through every directory above dir.
func searchable(dir string, uid, gid int) (bool, error) {
	for at := filepath.Dir(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return false, fmt.Errorf("look at the way to %s: %w", dir, err)
		}
		owner := info.Sys().(*syscall.Stat_t)
		bit := fs.FileMode(0o001)
		switch {
		case int(owner.Uid) == uid:
			bit = 0o100
		case int(owner.Gid) == gid:
			bit = 0o010
		}
		if info.Mode()&bit == 0 {
			return false, nil
		}
		if at == filepath.Dir(at) {
			return true, nil
		}
	}
}

// own gives everything below path to the account, also what an earlier start made as another one.
func (as account) own(path string) error {
	if as.owner < 0 {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("give %s to %s: %w", path, as.name, err)
	}
	if int(info.Sys().(*syscall.Stat_t).Uid) == as.owner {
		return nil
	}
	if !info.IsDir() {
		return os.Lchown(path, as.owner, as.group)
	}
	// Not by path: the account that owns the files could put a link in our way.
	root, err := os.OpenRoot(path)
	if err != nil {
		return fmt.Errorf("give %s to %s: %w", path, as.name, err)
	}
	defer func() { _ = root.Close() }()
	return fs.WalkDir(root.FS(), ".", func(at string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(at, as.owner, as.group)
	})
}

// explain turns the kernel's refusal of a user namespace into what the person can do about it.
func (as account) explain(err error) error {
	if !as.namespace {
		return err
	}
	return fmt.Errorf("Postgres does not run as root; the account %s cannot reach the data directory, and this machine refuses a user namespace (%w): "+
		"run as a normal user, or from a directory that %s may enter", as.name, err, as.name)
}
