package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// inFileOnly are messages that never reach the system's log.
var inFileOnly = []string{"lines are missing here; the log on stderr has them", "the log goes on here"}

// TestEventsAreTheRecords checks the table of ids against the records that the
// source makes.
func TestEventsAreTheRecords(t *testing.T) {
	known := map[string]bool{}
	ids := map[uint32]bool{someWarning: true, someError: true, someNews: true}
	guide := printed(t, "help", "logging")
	for _, e := range events {
		if known[e.message] || ids[e.id] || e.id > 1000 {
			t.Errorf("%d %q: twice, or too high", e.id, e.message)
		}
		known[e.message], ids[e.id] = true, true
		if line := fmt.Sprintf("  %d  %s", e.id, e.message); !strings.Contains(strings.Join(strings.Fields(guide), " "), strings.Join(strings.Fields(line), " ")) {
			t.Errorf("the guide does not have %q", line)
		}
	}
	made := recordsOf(t, ".", "../../pkg/agent", "../../pkg/hub", "../../pkg/directory", "../../pkg/profile", "../../pkg/wsfed", "../../pkg/kerberos", "../../pkg/console")
	for _, message := range inFileOnly {
		if !made[message] {
			t.Errorf("%q is made nowhere", message)
		}
		delete(made, message)
	}
	for message := range made {
		if !known[message] {
			t.Errorf("%q has no id", message)
		}
	}
	for message := range known {
		if !made[message] {
			t.Errorf("%q is made nowhere", message)
		}
	}
}

// recordsOf returns the constant messages of warnings and errors, and all that
// may become one.
func recordsOf(t *testing.T, folders ...string) map[string]bool {
	t.Helper()
	made := map[string]bool{}
	add := func(x ast.Expr) {
		if lit, ok := x.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			made[text] = true
		}
	}
	for _, folder := range folders {
		names, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", folder, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, data, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					called := ""
					switch f := n.Fun.(type) {
					case *ast.SelectorExpr:
						called = f.Sel.Name
					case *ast.Ident:
						called = f.Name
					}
					// Log's and NewRecord's level depends; say is given what logs.
					if at, ok := map[string]int{"Warn": 0, "Error": 0, "say": 1, "Log": 2, "NewRecord": 2}[called]; ok && at < len(n.Args) {
						add(n.Args[at])
					}
				case *ast.KeyValueExpr:
					if key, ok := n.Key.(*ast.Ident); ok && key.Name == "unauthorized" {
						add(n.Value)
					}
				}
				return true
			})
		}
	}
	return made
}

func TestEventID(t *testing.T) {
	for _, tt := range []struct {
		n    note
		want uint32
	}{
		{note{event: "auth0: Agent rejected.", level: slog.LevelError}, 210},
		{note{event: "what nobody knows", level: slog.LevelError}, someError},
		{note{event: "what nobody knows", level: slog.LevelWarn}, someWarning},
		{note{event: "what nobody knows"}, someNews},
	} {
		if got := eventID(tt.n); got != tt.want {
			t.Errorf("%q: %d, want %d", tt.n.event, got, tt.want)
		}
	}
}
