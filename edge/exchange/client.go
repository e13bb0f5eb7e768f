package exchange

import (
	"net/http"
	"strconv"
	"strings"
)

// Client is what kind of program asks, which decides how an answer of ours is said.
type Client int

// The kinds. A program that was sent to a login page is a bug, so the zero value is the program.
const (
	API        Client = iota // problem+json
	Navigation               // a person's browser fetching a page: redirects and pages
	Browser                  // a person's browser doing something else: pages, never redirects
	GRPC                     // trailers-only answers
)

// Classify tells what kind of program asks.
func Classify(method string, h http.Header, webSocket bool) Client {
	if strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "application/grpc") {
		return GRPC
	}
	if webSocket || len(h["Authorization"]) > 0 || len(h["Upgrade"]) > 0 {
		return API
	}
	mode, dest := h.Get("Sec-Fetch-Mode"), h.Get("Sec-Fetch-Dest")
	if mode == "" && dest == "" && h.Get("Sec-Fetch-Site") == "" {
		return byMethod(method, acceptsHTML(h["Accept"]))
	}
	return byMethod(method, mode == "navigate" && dest == "document")
}

func byMethod(method string, page bool) Client {
	switch {
	case !page:
		return API
	case method == http.MethodGet:
		return Navigation
	default:
		return Browser
	}
}

// acceptsHTML reports whether text/html is named with a weight above zero. "*/*" is what programs send.
func acceptsHTML(lines []string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			fields := strings.Split(part, ";")
			if !strings.EqualFold(strings.TrimSpace(fields[0]), "text/html") {
				continue
			}
			return weight(fields[1:]) > 0
		}
	}
	return false
}

func weight(parameters []string) float64 {
	for _, p := range parameters {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				return 0
			}
			return q
		}
	}
	return 1
}
