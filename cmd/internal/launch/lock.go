package launch

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// InUse says that another running process of ours works in that directory.
type InUse struct{ Dir string }

func (e *InUse) Error() string { return e.Dir + " is in use by another running process" }

// Lock takes a directory for this process, or returns *InUse. The kernel gives it back when the process ends, however
// that happens, so a lock is never stale.
func Lock(dir string) (release func(), err error) {
	file, err := os.OpenFile(dir+"/lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &InUse{Dir: dir}
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { file.Close() }, nil
}
