package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// baselineRows is how many failures of the existing connector were recorded.
const baselineRows = 29

var (
	neverDownRow  = regexp.MustCompile(`(?m)^(\d+)\. \S.*\n   before  \S.*\n   here    \S.*\n   tests   (.*)$`)
	neverDownTest = regexp.MustCompile(`^Test[A-Za-z0-9]+$`)
)

// TestNeverDownNamesItsTests: each row of the guide names tests that exist, and
// all rows and drills are there.
func TestNeverDownNamesItsTests(t *testing.T) {
	guide := printed(t, "help", "never-down")
	rows := neverDownRow.FindAllStringSubmatch(guide, -1)
	if len(rows) != baselineRows {
		t.Errorf("%d rows are whole, want %d", len(rows), baselineRows)
	}
	known := map[string]map[string]bool{}
	for i, row := range rows {
		if row[1] != strconv.Itoa(i+1) {
			t.Errorf("row %s comes as number %d", row[1], i+1)
		}
		named := 0
		for _, part := range strings.Split(row[2], "; ") {
			room, tests, ok := strings.Cut(part, ": ")
			if !ok {
				t.Errorf("row %s: %q names no room", row[1], part)
				continue
			}
			if known[room] == nil {
				known[room] = testsOf(t, room)
			}
			for name := range strings.FieldsSeq(tests) {
				if named++; !neverDownTest.MatchString(name) || !known[room][name] {
					t.Errorf("row %s: there is no test %s in %s", row[1], name, room)
				}
			}
		}
		if named == 0 {
			t.Errorf("row %s names no test", row[1])
		}
	}
	for _, d := range allDrills() {
		if !regexp.MustCompile(`\b` + d.name + `\b`).MatchString(guide) {
			t.Errorf("the drill %s is not in the guide", d.name)
		}
	}
}

// testsOf are the test functions of a folder, on whatever system they run.
func testsOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(folder), "*_test.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s has no tests: %v", folder, err)
	}
	found := map[string]bool{}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				found[f.Name.Name] = true
			}
		}
	}
	return found
}
