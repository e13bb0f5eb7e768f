package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
)

// Target is whom to talk to, and as whom. It is embedded, so these are flags of every command.
type Target struct {
	Server    string `env:"SALLYPORT_SERVER" group:"For every command:" placeholder:"URL" help:"Control plane, such as https://sallyport.example."`
	Tenant    string `env:"SALLYPORT_TENANT" group:"For every command:" placeholder:"ID" help:"Tenant to work in. Operators leave it out to work on the platform."`
	TokenFile string `env:"SALLYPORT_TOKEN_FILE" group:"For every command:" placeholder:"FILE" help:"File with an API token (spa_…). SALLYPORT_TOKEN may hold the token itself."`
	Operator  bool   `group:"For every command:" help:"Work as the operator of the development environment that runs here."`
}

// maxTokenBytes is far above any token.
const maxTokenBytes = 4 << 10

// devFile is what a running `sallyport dev` leaves for scripts.
const devFile = ".sallyport/dev.json"

type development struct {
	Tenant       string `json:"tenant"`
	ControlPlane struct {
		URL           string `json:"url"`
		AdminToken    string `json:"admin_token"`
		OperatorToken string `json:"operator_token"`
	} `json:"control_plane"`
	SecondTenant struct {
		Tenant     string `json:"tenant"`
		AdminToken string `json:"admin_token"`
	} `json:"second_tenant"`

	path string
}

// resolve fills in what flags and environment leave open from a development environment, if there is one.
func (s *session) resolve() (*api.Client, error) {
	token, err := s.givenToken()
	if err != nil {
		return nil, err
	}
	if s.target.Server == "" {
		dev, err := findDevelopment()
		if err != nil {
			return nil, err
		}
		s.target.Server, s.found = dev.ControlPlane.URL, dev.path
		if s.target.Tenant == "" && !s.target.Operator {
			s.target.Tenant = dev.Tenant
		}
		if token == "" {
			token = dev.token(s.target)
		}
	} else if s.target.Operator {
		return nil, usage("--operator is for the development environment that runs here; elsewhere give the operator's token and no --tenant")
	}
	switch {
	case token == "":
		return nil, errors.New("no token: give --token-file, or set SALLYPORT_TOKEN or SALLYPORT_TOKEN_FILE\nAn admin of the tenant can make one.")
	case !strings.HasPrefix(token, "spa_") && !strings.HasPrefix(token, "spo_"):
		// Also, what is no API token might be another secret, which nobody should be sent.
		return nil, errors.New("the token that was given is no API token: those begin with spa_ (sp_ is a service account's, for apps)")
	}
	return api.New(s.target.Server, token)
}

// givenToken returns the token of the flags or the environment, or "".
func (s *session) givenToken() (string, error) {
	if s.target.TokenFile == "" {
		return strings.TrimSpace(s.Getenv("SALLYPORT_TOKEN")), nil
	}
	f, err := os.Open(s.target.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTokenBytes+1))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	switch {
	case len(data) > maxTokenBytes:
		return "", fmt.Errorf("read the token: %s holds more than a token", s.target.TokenFile)
	case token == "":
		return "", fmt.Errorf("read the token: %s is empty", s.target.TokenFile)
	}
	return token, nil
}

func (d *development) token(t Target) string {
	switch {
	case t.Operator:
		return d.ControlPlane.OperatorToken
	case t.Tenant != "" && t.Tenant == d.SecondTenant.Tenant:
		return d.SecondTenant.AdminToken
	default:
		return d.ControlPlane.AdminToken
	}
}

func findDevelopment() (*development, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	dir := here
	for {
		path, err := filepath.Rel(here, filepath.Join(dir, devFile))
		if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(path)
		if err == nil {
			dev := &development{path: path}
			if err := json.Unmarshal(data, dev); err != nil || dev.ControlPlane.URL == "" {
				// Not what is wrong with it: it is full of tokens.
				return nil, fmt.Errorf("%s cannot be read: start `sallyport dev` again, or give --server", path)
			}
			return dev, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil, errors.New("no control plane: give --server, set SALLYPORT_SERVER, or start `sallyport dev` here")
		}
		dir = parent
	}
}

// parent is the API's name of where the command works.
func (s *session) parent() string {
	if s.target.Tenant == "" {
		return "platform"
	}
	return "tenants/" + s.target.Tenant
}
