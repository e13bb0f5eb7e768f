package header

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// Upgrade tells whether a request is a WebSocket handshake (RFC 6455 section
// 4.2.1). Any other wish for another protocol is refused: after "101" bytes
// pass unseen, and h2c would be a tunnel past all policy. Call it before
// [Strip]. The error is a *Refusal.
func Upgrade(method string, h http.Header) (webSocket bool, err error) {
	protocols := h["Upgrade"]
	if len(protocols) == 0 && len(h["Http2-Settings"]) == 0 {
		return false, nil
	}
	key, keyErr := base64.StdEncoding.DecodeString(only(h["Sec-Websocket-Key"]))
	if !strings.EqualFold(only(protocols), "websocket") || len(h["Http2-Settings"]) > 0 || !namesUpgrade(h["Connection"]) ||
		method != "GET" || only(h["Sec-Websocket-Version"]) != "13" || keyErr != nil || len(key) != 16 {
		return false, &Refusal{ReasonUpgrade, "the only upgrade is a well-formed WebSocket handshake"}
	}
	return true, nil
}

// only returns the value of a header that is there exactly once.
func only(lines []string) string {
	if len(lines) != 1 {
		return ""
	}
	return strings.Trim(lines[0], " \t")
}

func namesUpgrade(connection []string) bool {
	for _, line := range connection {
		for option := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(option, " \t"), "upgrade") {
				return true
			}
		}
	}
	return false
}
