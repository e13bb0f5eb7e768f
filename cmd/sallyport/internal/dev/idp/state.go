package idp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Person is an account of the demo directory.
type Person struct {
	Subject  string   `json:"subject"` // opaque and stable; not the e-mail address
	Username string   `json:"username"`
	Password string   `json:"password"`
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Groups   []string `json:"groups"`
}

// state is what survives a restart, in one 0600 file.
type state struct {
	SigningKey   []byte   `json:"signing_key"` // PKCS #8
	TokenKey     []byte   `json:"token_key"`   // seals codes and access tokens
	ClientSecret string   `json:"client_secret"`
	People       []Person `json:"people"`

	key *rsa.PrivateKey
}

const signingKeyID = "demo-1"

// openState reads the file, or makes it at the first start.
func openState(path string) (*state, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return makeState(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the identity provider's state: %w", err)
	}
	var s state
	if err := json.Unmarshal(content, &s); err != nil {
		return nil, fmt.Errorf("read the identity provider's state %s: %w", path, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(s.SigningKey)
	if err != nil {
		return nil, fmt.Errorf("read the identity provider's state %s: %w", path, err)
	}
	rsaKey, ok := key.(*rsa.PrivateKey)
	if !ok || len(s.TokenKey) != 32 || s.ClientSecret == "" || len(s.People) == 0 {
		return nil, fmt.Errorf("read the identity provider's state %s: incomplete; delete the file to make a new one", path)
	}
	s.key = rsaKey
	return &s, nil
}

func makeState(path string) (*state, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the identity provider's key: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make the identity provider's key: %w", err)
	}
	s := &state{SigningKey: encoded, TokenKey: random(32), ClientSecret: rand.Text(), key: key, People: []Person{
		{Username: "alice", Name: "Alice Anders", Groups: []string{"admins", "engineering"}},
		{Username: "bob", Name: "Bob Brandt", Groups: []string{"engineering"}},
		{Username: "carol", Name: "Carol Cruz", Groups: []string{}},
	}}
	for i := range s.People {
		person := &s.People[i]
		person.Subject, person.Password, person.Email = rand.Text(), rand.Text()[:16], person.Username+"@acme.test"
	}
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the identity provider's state: %w", err)
	}
	// Whole or not at all: a kill in between must not leave half a key.
	unfinished := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".unfinished")
	if err := os.WriteFile(unfinished, content, 0o600); err != nil {
		return nil, fmt.Errorf("write the identity provider's state: %w", err)
	}
	if err := os.Rename(unfinished, path); err != nil {
		return nil, fmt.Errorf("write the identity provider's state: %w", err)
	}
	return s, nil
}

func (s *state) cryptoKey() [32]byte { return [32]byte(s.TokenKey) }

func random(bytes int) []byte {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails (Go 1.24)
	return b
}

func randomID() string { return base64.RawURLEncoding.EncodeToString(random(32)) }
