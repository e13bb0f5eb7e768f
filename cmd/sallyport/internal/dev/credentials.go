package dev

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// credentials are what one start leaves for the next, in one 0600 file. Whoever deletes the file loses nothing but time:
// all of it is made again.
type credentials struct {
	path string

	// Passwords of the database's roles, by role.
	Passwords map[string]string `json:"passwords"`
	// Operator is the operator's API token.
	Operator string `json:"operator"`
	// Admins are the tenants' API tokens, by tenant.
	Admins map[string]string `json:"admins"`
	// Service is the token of the service account.
	Service string `json:"service"`
	// Applied are digests of the demo's files as they were applied last, by name. What people changed since is left alone
	// until a file itself changes.
	Applied map[string]string `json:"applied"`
}

func openCredentials(path string) (*credentials, error) {
	c := &credentials{path: path}
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the credentials of the last start: %w", err)
	}
	if err == nil {
		if err := json.Unmarshal(content, c); err != nil {
			return nil, fmt.Errorf("read the credentials of the last start: %s: %w; delete the file to make new ones", path, err)
		}
	}
	for _, m := range []*map[string]string{&c.Passwords, &c.Admins, &c.Applied} {
		if *m == nil {
			*m = map[string]string{}
		}
	}
	for _, role := range databaseRoles {
		if c.Passwords[role] == "" {
			c.Passwords[role] = rand.Text()
		}
	}
	return c, c.save()
}

func (c *credentials) save() error { return writeJSON(c.path, c) }
