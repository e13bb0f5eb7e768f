package systemtest

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// storesGone: nobody is signed out because a store hangs, dies or comes back empty; people sign in meanwhile; and who
// signed out before or meanwhile stays out.
func storesGone(t *testing.T, d *demo, c *crowd) {
	before, gone := d.member(t, "alice", 0)
	before.leaves(t, d.document(t), 0, "wiki", "everything")

	t.Run("hanging", func(t *testing.T) {
		doc := d.document(t)
		for _, at := range doc.Edges {
			pause(t, at.RedisPID)
		}
		for range 3 {
			c.signedIn(t, d, "stores stopped")
		}
		whileWithoutStores(t, d, gone)
		d.restartEdges(t)
		for range 2 {
			c.signedIn(t, d, "edges are new, stores stopped")
		}
		whileWithoutStores(t, d, gone)
		for _, at := range doc.Edges {
			resume(t, at.RedisPID)
		}
		c.signedIn(t, d, "stores go on")
	})
	t.Run("killed", func(t *testing.T) {
		doc := d.document(t)
		for _, at := range doc.Edges {
			if err := syscall.Kill(at.RedisPID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		c.signedIn(t, d, "stores killed")
		whileWithoutStores(t, d, gone)
		d.eventually(t, "new stores", 20*time.Second, func() error {
			for i, at := range d.document(t).Edges {
				if at.RedisPID == doc.Edges[i].RedisPID {
					return errStill
				}
			}
			return nil
		})
		for range 3 {
			c.signedIn(t, d, "stores are new and empty")
		}
		gone.dead(t, d, "stores are new and empty")
	})
}

// whileWithoutStores checks what has to work and what has to stay over.
func whileWithoutStores(t *testing.T, d *demo, gone cookies) {
	t.Helper()
	gone.dead(t, d, "signed out before the stores went")
	for edge := range d.document(t).Edges {
		began := time.Now()
		somebody, copied := d.member(t, "alice", edge)
		t.Logf("signed in on %d hosts without a store in %s", len(hosts), time.Since(began).Round(time.Millisecond))
		copied.alive(t, d, "signed in without a store")
		if a := somebody.leaves(t, d.document(t), edge, "api", "everything"); !strings.Contains(a.Body, "Signed out everywhere") {
			t.Errorf("without stores a sign-out does not say everywhere: %s", a.Body)
		}
		copied.dead(t, d, "signed out without a store")
	}
}

// pause stops a process as a machine does that hangs. It goes on at the end of the test at the latest.
func pause(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
}

func resume(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// controlPlaneGone: who is signed in works on, others sign in, and the sign-out page promises no more than it can keep.
func controlPlaneGone(t *testing.T, d *demo, c *crowd) {
	alice, stolen := d.member(t, "alice", 0)
	stolen.alive(t, d, "before")
	doc := d.document(t)
	if err := syscall.Kill(doc.ControlPlane.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// Whoever sits on its ports keeps it down for as long as this test needs.
	var occupied []net.Listener
	for _, flag := range []string{"--control-plane-port", "--control-plane-sync-port", "--control-plane-health-port"} {
		d.eventually(t, "port of the killed control plane", 5*time.Second, func() error {
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", d.ports[flag]))
			if err == nil {
				occupied = append(occupied, listener)
			}
			return err
		})
	}
	free := func() {
		for _, listener := range occupied {
			_ = listener.Close()
		}
	}
	t.Cleanup(free)

	c.signedIn(t, d, "control plane killed")
	for edge := range doc.Edges {
		_, copied := d.member(t, "bob", edge)
		copied.alive(t, d, "signed in without a control plane")
	}
	began := time.Now()
	a := alice.leaves(t, doc, 0, "wiki", "everything")
	if !strings.Contains(a.Body, "Signed out here; elsewhere as soon as it can be reached.") || strings.Contains(a.Body, "everywhere") {
		t.Errorf("the page promises what it cannot keep: %s", a.Body)
	}
	t.Logf("signed out here, and said so, after %s", time.Since(began).Round(time.Millisecond))
	client := d.browser(t)
	for host, cookie := range stolen {
		if err := isDead(t, client, doc, 0, host, cookie); err != nil {
			t.Errorf("where it was signed out: %v", err)
		}
	}

	free()
	began = time.Now()
	d.eventually(t, "end of the session at the other edge", 30*time.Second, func() error {
		for host, cookie := range stolen {
			if err := isDead(t, client, doc, 1, host, cookie); err != nil {
				return err
			}
		}
		return nil
	})
	t.Logf("signed out at the other edge, too, %s after the control plane could start", time.Since(began).Round(time.Millisecond))
	for _, at := range doc.Edges {
		flush(t, at.RedisAddr)
	}
	d.restartEdges(t)
	stolen.dead(t, d, "after all was forgotten")
}
