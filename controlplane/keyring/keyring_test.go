package keyring_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
)

const (
	acme   controlplane.UID = "01890000-0000-7000-8000-00000000000a"
	globex controlplane.UID = "01890000-0000-7000-8000-00000000000b"
)

func TestDeploymentKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kek")
	if _, err := keyring.Open(path); !errors.Is(err, keyring.ErrNoKey) {
		t.Errorf("before it is made: got %v, want ErrNoKey", err)
	}
	if err := keyring.Init(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want mode 0600", info.Mode(), err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyring.Init(path); err == nil {
		t.Error("a second Init went through")
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Error("a second Init changed the key")
	}

	one, err := keyring.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	two, err := keyring.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := one.SealDeployment("ca", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := two.OpenDeployment("ca", sealed); err != nil || string(opened) != "secret" {
		t.Errorf("opened by the same key, read again: %q, %v", opened, err)
	}
}

func TestDeploymentKeyFileThatIsNotSafeOrSound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if err := keyring.Init(good); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(path string) error{
		"readable by the group": func(path string) error { return os.WriteFile(path, content, 0o640) },
		"readable by all":       func(path string) error { return os.WriteFile(path, content, 0o604) },
		"a directory":           func(path string) error { return os.Mkdir(path, 0o700) },
		"empty":                 func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"cut short":             func(path string) error { return os.WriteFile(path, content[:len(content)-5], 0o600) },
		"huge":                  func(path string) error { return os.WriteFile(path, make([]byte, 1<<20), 0o600) },
		"something else":        func(path string) error { return os.WriteFile(path, []byte("hunter2 hunter2 hunter2"), 0o600) },
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := write(path); err != nil {
			t.Fatal(err)
		}
		_, err := keyring.Open(path)
		if err == nil {
			t.Errorf("%s: it was opened", name)
		} else if strings.Contains(err.Error(), "hunter2") || errors.Is(err, keyring.ErrNoKey) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSealedBytesOpenInOnePlaceOnly(t *testing.T) {
	t.Parallel()
	keys, err := keyring.Ephemeral()
	if err != nil {
		t.Fatal(err)
	}
	tenant := func(uid controlplane.UID) (*keyring.Tenant, []byte) {
		wrapped, err := keys.NewTenant(uid)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := keys.Tenant(uid, wrapped)
		if err != nil {
			t.Fatal(err)
		}
		return opened, wrapped
	}
	mine, wrapped := tenant(acme)
	theirs, _ := tenant(globex)
	here := keyring.Place{Table: "t", Column: "c", Row: "r"}
	plaintext := []byte("canary-4711")
	sealed, err := mine.Seal(here, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	again, err := mine.Seal(here, plaintext)
	if err != nil || bytes.Equal(sealed, again) {
		t.Errorf("sealed twice alike, or %v", err)
	}
	if opened, err := mine.Open(here, sealed); err != nil || !bytes.Equal(opened, plaintext) {
		t.Errorf("opened: %q, %v", opened, err)
	}
	refused := map[string]error{}
	_, refused["another tenant"] = theirs.Open(here, sealed)
	for name, place := range map[string]keyring.Place{
		"another table": {Table: "x", Column: "c", Row: "r"}, "another column": {Table: "t", Column: "x", Row: "r"},
		"another row": {Table: "t", Column: "c", Row: "x"}, "parts moved": {Table: "tc", Column: "", Row: "r"}, "parts moved on": {Table: "t", Column: "cr", Row: ""},
	} {
		_, refused[name] = mine.Open(place, sealed)
	}
	for i := range sealed {
		edited := bytes.Clone(sealed)
		edited[i] ^= 1
		if _, err := mine.Open(here, edited); err == nil {
			t.Errorf("opened with byte %d edited", i)
		}
	}
	_, refused["another tenant's data key"] = keys.Tenant(globex, wrapped)
	other, err := keyring.Ephemeral()
	if err != nil {
		t.Fatal(err)
	}
	_, refused["another deployment key"] = other.Tenant(acme, wrapped)
	_, refused["a data key as a deployment secret"] = keys.OpenDeployment("dek", wrapped)
	for name, err := range refused {
		if err == nil {
			t.Errorf("%s: it opened", name)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error holds the secret: %v", name, err)
		}
	}
}
