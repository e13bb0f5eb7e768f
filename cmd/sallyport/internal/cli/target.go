package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-iap/sallyport/cmd/internal/api"
)

// Target is whom to talk to, and as whom. It is embedded, so these are flags of every command.
type Target struct {
	Server    string `env:"SALLYPORT_SERVER" placeholder:"URL" help:"Control plane, such as https://sallyport.example."`
	Tenant    string `env:"SALLYPORT_TENANT" placeholder:"ID" help:"Tenant to work in."`
	TokenFile string `env:"SALLYPORT_TOKEN_FILE" placeholder:"FILE" help:"File with an API token (spa_…). SALLYPORT_TOKEN may hold the token itself."`
	Operator  bool   `help:"Work as the operator of the development environment, on the platform."`
}

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
}

// resolve fills in what flags and environment leave open from a development environment, if there is one.
func (s *session) resolve() (*api.Client, error) {
	token := s.Getenv("SALLYPORT_TOKEN")
	if s.target.TokenFile != "" {
		data, err := os.ReadFile(s.target.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read the token: %w", err)
		}
		token = strings.TrimSpace(string(data))
	}
	if s.target.Server == "" {
		dev, err := findDevelopment()
		if err != nil {
			return nil, err
		}
		s.target.Server = dev.ControlPlane.URL
		if token == "" {
			token = dev.token(s.target)
		}
		if s.target.Tenant == "" && !s.target.Operator {
			s.target.Tenant = dev.Tenant
		}
	}
	if token == "" {
		return nil, errors.New("no token: give --token-file or set SALLYPORT_TOKEN")
	}
	return api.New(s.target.Server, token)
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
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, devFile))
		if err == nil {
			dev := &development{}
			if err := json.Unmarshal(data, dev); err != nil {
				return nil, fmt.Errorf("%s: %w", filepath.Join(dir, devFile), err)
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
