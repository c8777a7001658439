package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// A licensed module is linked into the connector on at least one system. The
// connector has the same type, and reads what this writes.
type licensed struct {
	Module   string   `json:"module"`
	Version  string   `json:"version"`
	Licences []string `json:"licences"` // SPDX names
	Text     string   `json:"text"`
}

// linkedSystems are those whose programs are published.
var linkedSystems = []string{"linux", "windows", "darwin"}

func newLicensesCommand(m *maintainer) *cobra.Command {
	return &cobra.Command{
		Use:   "licenses FILE",
		Short: "Write the licences of all that is linked into the connector, for cmd/connector to embed",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			modules, err := linkedModules(cmd.Context())
			if err != nil {
				return err
			}
			var buf bytes.Buffer
			w := gzip.NewWriter(&buf)
			if err := errors.Join(json.NewEncoder(w).Encode(modules), w.Close()); err != nil {
				return err
			}
			m.say("%d modules, %d octets", len(modules), buf.Len())
			return os.WriteFile(args[0], buf.Bytes(), 0o644) //nolint:gosec // a file of the repository
		},
	}
}

// A linkedPackage is what "go list" says of one.
type linkedPackage struct {
	Dir    string
	Module *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{ Path, Version, Dir string }
	}
}

// linkedModules asks the go command what the connector is made of.
func linkedModules(ctx context.Context) ([]licensed, error) {
	type found struct {
		version, dir string
		packages     []string
	}
	modules := map[string]*found{}
	for _, system := range linkedSystems {
		cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Dir,Module", "ad-ldap-connector/cmd/connector")
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("ask what is linked for %s: %w", system, err)
		}
		for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
			var p linkedPackage
			if err := d.Decode(&p); err != nil {
				return nil, err
			}
			if p.Module == nil || p.Module.Main {
				continue
			}
			if modules[p.Module.Path] == nil {
				modules[p.Module.Path] = &found{version: p.Module.Version, dir: p.Module.Dir}
			}
			modules[p.Module.Path].packages = append(modules[p.Module.Path].packages, p.Dir)
		}
	}
	list := []licensed{}
	for path, f := range modules {
		text, err := licenceTexts(f.dir, f.packages)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, licensed{path, f.version, namesOf(text), text})
	}
	text, err := licenceTexts(runtime.GOROOT(), nil) //nolint:staticcheck // it is the toolchain that runs this
	if err != nil {
		return nil, err
	}
	list = append(list, licensed{"std", "", namesOf(text), text}) // whichever Go it is built with
	slices.SortFunc(list, func(a, b licensed) int { return strings.Compare(a.Module, b.Module) })
	return list, nil
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense|patents)([.-].*)?$`)

// licenceTexts are those of a module, and of folders between it and the
// packages that are linked, which may have others' code in them.
func licenceTexts(dir string, packages []string) (string, error) {
	folders := map[string]bool{dir: true}
	for _, p := range packages {
		for ; p != dir && strings.HasPrefix(p, dir); p = filepath.Dir(p) {
			folders[p] = true
		}
	}
	var names []string
	for f := range folders {
		entries, err := os.ReadDir(f)
		if err != nil {
			return "", err
		}
		for _, e := range entries {
			if e.Type()&fs.ModeType == 0 && licenceFile.MatchString(e.Name()) && !strings.HasSuffix(e.Name(), ".go") {
				names = append(names, filepath.Join(f, e.Name()))
			}
		}
	}
	if len(names) == 0 {
		return "", errors.New("it has no licence")
	}
	slices.Sort(names)
	var text strings.Builder
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		if rel, err := filepath.Rel(dir, name); err == nil && len(names) > 1 {
			fmt.Fprintf(&text, "[%s]\n\n", filepath.ToSlash(rel))
		}
		text.WriteString(strings.ReplaceAll(strings.TrimSpace(string(data)), "\r\n", "\n") + "\n")
	}
	return text.String(), nil
}

// marks are sentences that only one licence has.
var marks = map[string]string{
	"Apache-2.0":     "apache license version 2.0",
	"MIT":            "permission is hereby granted, free of charge, to any person obtaining a copy",
	"ISC":            "permission to use, copy, modify, and/or distribute this software for any purpose",
	"MPL-2.0":        "mozilla public license version 2.0",
	"BSD":            "redistribution and use in source and binary forms",
	"GPL":            "gnu general public license",
	"LGPL":           "gnu lesser general public license",
	"AGPL":           "gnu affero general public license",
	"EPL":            "eclipse public license",
	"Unlicense":      "this is free and unencumbered software released into the public domain",
	"CC0-1.0":        "cc0 1.0 universal",
	"BSL":            "business source license",
	"SSPL":           "server side public license",
	"CC-BY":          "creative commons attribution",
	"Commons-Clause": "commons clause",
}

var space = regexp.MustCompile(`\s+`)

// namesOf recognises licences by their sentences.
func namesOf(text string) []string {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), ",", "") }
	flat := plain(space.ReplaceAllString(text, " "))
	flat = strings.ReplaceAll(flat, "and distribute this software for any", "and/or distribute this software for any")
	names := []string{}
	for name, mark := range marks {
		if !strings.Contains(flat, plain(mark)) {
			continue
		}
		if strings.HasSuffix(name, "GPL") && strings.Contains(flat, marks["MPL-2.0"]) {
			continue // the MPL names the GNU licences, and is none
		}
		if name == "BSD" {
			name = "BSD-2-Clause"
			if strings.Contains(flat, "neither the name") || strings.Contains(flat, "may not be used to endorse") {
				name = "BSD-3-Clause"
			}
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
