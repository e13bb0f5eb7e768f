package dev

import (
	"encoding/json"
	"fmt"
	"os"
)

// writeFile writes a file that only we may read, whole or not at all.
func writeFile(path string, content []byte) error {
	unfinished := path + ".unfinished"
	// Not with what an earlier, killed start left: its mode could be another.
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.WriteFile(unfinished, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(unfinished, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func writeJSON(path string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return writeFile(path, append(content, '\n'))
}
