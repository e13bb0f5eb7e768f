package rpc

import (
	"encoding/base64"
	"encoding/json"

	"github.com/sallyport-iap/sallyport/controlplane"
)

const (
	defaultPage = 50
	maxPage     = 500 // also in the protos
)

// cursor is what a page token holds: where the page before ended, and what was being listed, so that a token is not taken
// for a place in another list. It holds nothing that its holder has not seen.
type cursor struct {
	Of   string `json:"of"`
	Last string `json:"last"`
}

// size returns how many a page holds.
func size(pageSize int32) int {
	if pageSize == 0 {
		return defaultPage
	}
	return min(int(pageSize), maxPage)
}

// after returns where a page of a list begins.
func after(of, pageToken string) (string, error) {
	if pageToken == "" {
		return "", nil
	}
	var c cursor
	data, err := base64.RawURLEncoding.DecodeString(pageToken)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil || c.Of != of || c.Last == "" {
		return "", pageTokenError()
	}
	return c.Last, nil
}

func pageTokenError() error {
	return controlplane.InvalidFields(controlplane.Violation{
		Field: "page_token", Reason: controlplane.ReasonFieldInvalid,
		Description: "is not the next_page_token of such a list; everything but the page size must be as it was",
	})
}

// next cuts a list that was read one longer than its page, and returns the token of the page after it.
func next[T any](of string, page []T, limit int, last func(T) string) ([]T, string) {
	if len(page) <= limit {
		return page, ""
	}
	page = page[:limit]
	return page, pageToken(of, last(page[limit-1]))
}

// pageToken is the token of the page after one; empty if that was the last.
func pageToken(of, last string) string {
	if last == "" {
		return ""
	}
	data, err := json.Marshal(cursor{Of: of, Last: last})
	if err != nil {
		return "" // two strings always marshal
	}
	return base64.RawURLEncoding.EncodeToString(data)
}
