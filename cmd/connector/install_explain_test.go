package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/testdata/lab"
)

// A service that does not start is explained by doctor's first finding, and an
// interruption by nothing.
func TestExplainStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := fmt.Sprintf(`{"LDAP_URL": "ldap://127.0.0.1:%d", "LDAP_BASE": "DC=corp,DC=example", "ANONYMOUS_SEARCH_ENABLED": true, "CONSOLE_ADDR": "127.0.0.1:0"}`, lab.FreePort(t))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{stdout: new(transcript), stderr: new(transcript), home: dir, output: "text"}
	broken := errors.New("it does not start")
	err := a.explainStart(t.Context(), config.Config{}, broken)
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "it does not start; doctor finds ") || hintOf(err) == "" {
		t.Errorf("%v; hint %q", err, hintOf(err))
	}
	if err := a.explainStart(t.Context(), config.Config{}, context.Canceled); !errors.Is(err, context.Canceled) || hintOf(err) != "" {
		t.Errorf("interrupted: %v", err)
	}
}
