package rpc

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPanics(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	begun := false
	handler := identified(logged(slog.New(slog.NewTextHandler(&log, nil)), recovered(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if begun {
			_, _ = w.Write([]byte("half an ans"))
			w.(http.Flusher).Flush()
		}
		panic("the secret of the house")
	}))))
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	post := func(contentType string) (*http.Response, string, error) {
		response, err := http.Post(server.URL+"/sallyport.v1.AppService/GetApp", contentType, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return response, string(body), err
	}
	response, body, err := post("application/json")
	if err != nil || response.StatusCode != http.StatusInternalServerError || !strings.Contains(body, `"internal error"`) ||
		!strings.Contains(body, response.Header.Get("X-Request-Id")) || strings.Contains(body, "secret") {
		t.Errorf("connect: %d %s %v", response.StatusCode, body, err)
	}
	response, body, err = post("application/grpc-web+proto")
	if err != nil || response.Header.Get("Grpc-Status") != "13" || strings.Contains(response.Header.Get("Grpc-Message")+body, "secret") {
		t.Errorf("gRPC-Web: %v %s %v", response.Header, body, err)
	}
	if !strings.Contains(log.String(), "the secret of the house") || !strings.Contains(log.String(), "recover_test.go") {
		t.Error("the log does not say what happened and where")
	}
	begun = true
	if response, body, err := post("application/json"); err == nil {
		t.Errorf("half an answer is taken for a whole one: %d %q", response.StatusCode, body)
	}
}
