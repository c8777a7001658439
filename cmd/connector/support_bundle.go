package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

const manifestFile = "manifest.json"

// A supportManifest says what a support archive is and holds.
type supportManifest struct {
	SchemaVersion int           `json:"schemaVersion"`
	Connector     build         `json:"connector"`
	Created       time.Time     `json:"created"`
	Files         []bundledFile `json:"files"`
	LeftOut       []leftOut     `json:"leftOut"`
	Notes         []string      `json:"notes"` // what could not be had, and why
}

type bundledFile struct {
	Name   string `json:"name"`
	Size   int    `json:"size"`
	SHA256 string `json:"sha256"`

	data   []byte
	before int // lines of the file it comes from that are not in data
}

type leftOut struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// A supportArchive is an archive in the making, in memory: it is to be searched
// as a whole before any of it is written. Logs are its bulk, and bounded.
type supportArchive struct{ manifest supportManifest }

func newSupportArchive(now time.Time) *supportArchive {
	return &supportArchive{supportManifest{
		SchemaVersion: 1, Connector: thisBuild(), Created: now.Truncate(time.Second),
		Files: []bundledFile{}, LeftOut: []leftOut{}, Notes: []string{},
	}}
}

func (b *supportArchive) note(format string, args ...any) {
	b.manifest.Notes = append(b.manifest.Notes, fmt.Sprintf(format, args...))
}

// add puts a file in, of whose origin so many lines come before data.
func (b *supportArchive) add(name string, data []byte, before int) {
	sum := sha256.Sum256(data)
	b.manifest.Files = append(b.manifest.Files, bundledFile{name, len(data), hex.EncodeToString(sum[:]), data, before})
}

func (b *supportArchive) addJSON(name string, v any) error {
	data, err := indented(v)
	if err == nil {
		b.add(name, data, 0)
	}
	return err
}

// indented is JSON for people, which < and & do not make illegible.
func indented(v any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return text.Bytes(), err
}

// leaveOut takes files out again, by their names in the archive.
func (b *supportArchive) leaveOut(names []string) error {
	for _, name := range names {
		i := slices.IndexFunc(b.manifest.Files, func(f bundledFile) bool { return f.Name == name })
		if i < 0 {
			if slices.ContainsFunc(b.manifest.LeftOut, func(l leftOut) bool { return l.Name == name }) {
				continue // it was named twice, or is not put in anyway
			}
			var there []string
			for _, f := range b.manifest.Files {
				there = append(there, f.Name)
			}
			return &hinted{usagef("--leave-out %q: no such file would be in the archive", name), "there would be: " + strings.Join(there, ", ")}
		}
		b.manifest.Files = slices.Delete(b.manifest.Files, i, i+1)
		b.manifest.LeftOut = append(b.manifest.LeftOut, leftOut{name, "the operator asked for it"})
	}
	return nil
}

// mostReports bounds how many places with secrets are told.
const mostReports = 20

// pack returns the archive, or where there are secrets in it.
func (b *supportArchive) pack(s *scanner) (archive []byte, leaks []leak, err error) {
	manifest, err := indented(b.manifest)
	if err != nil {
		return nil, nil, err
	}
	all := append([]bundledFile{{Name: manifestFile, data: manifest}}, b.manifest.Files...)
	for _, f := range all {
		leaks = append(leaks, s.scan(f.Name, f.data, f.before)...)
		if len(leaks) >= mostReports {
			break
		}
	}
	if len(leaks) > 0 {
		return nil, leaks, nil
	}
	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	for _, f := range all {
		header := &zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: b.manifest.Created}
		header.SetMode(0o600)
		w, err := z.CreateHeader(header)
		if err != nil {
			return nil, nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, nil, err
	}
	return zipped.Bytes(), nil, nil
}
