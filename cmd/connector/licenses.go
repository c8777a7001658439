package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// Written by "go run ./cmd/release licenses cmd/connector/licenses.json.gz",
// which "make licenses" runs; TestLicenses fails when that is due.
//
//go:embed licenses.json.gz
var packedLicences []byte

// A licensed module is part of the connector, on at least one system.
type licensed struct {
	Module   string   `json:"module"`
	Version  string   `json:"version"`  // of Go's own library: the program's Go
	Licences []string `json:"licences"` // SPDX names
	Text     string   `json:"text"`
}

// licences returns what the connector is made of, with the licences' texts.
func licences() ([]licensed, error) {
	r, err := gzip.NewReader(bytes.NewReader(packedLicences))
	if err != nil {
		return nil, fmt.Errorf("unpack the licences: %w", err)
	}
	var modules []licensed
	if err := errors.Join(json.NewDecoder(r).Decode(&modules), r.Close()); err != nil {
		return nil, fmt.Errorf("unpack the licences: %w", err)
	}
	for i, m := range modules {
		if m.Module == "std" {
			modules[i].Version = runtime.Version()
		}
	}
	return modules, nil
}

// licenses prints the list of modules, and then the text of each licence once
// with the modules that it covers.
func (a *app) licenses() error {
	modules, err := licences()
	if err != nil {
		return err
	}
	if a.json() {
		return a.print(modules)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "connector is licensed under Apache-2.0. It is made with:\n\n")
	covers := map[string][]string{}
	for _, m := range modules {
		fmt.Fprintf(&out, "%-46s %-42s %s\n", m.Module, m.Version, strings.Join(m.Licences, ", "))
		covers[m.Text] = append(covers[m.Text], m.Module)
	}
	for _, m := range modules {
		if covers[m.Text] == nil {
			continue // said with an earlier one
		}
		fmt.Fprintf(&out, "\n%s\n%s\n\n%s", strings.Repeat("=", 78), strings.Join(covers[m.Text], "\n"), m.Text)
		covers[m.Text] = nil
	}
	return a.text("%s", out.String())
}
