package home

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOpenCleansUp(t *testing.T) {
	keep := configured(t)
	keep["notes.tmp"] = "the operator's"
	keep[".hidden.tmp"] = "the operator's"
	keep[".x.0123456789abcdeg.tmp"] = "no hex digits"
	keep["backups/20250301-120000/.config.json.0123456789abcdef.tmp"] = "what is in a backup stays"
	all := map[string]string{
		".config.json.0123456789abcdef.tmp":          "{\"CONN",
		"certs/.cert.key.0123456789abcdef.tmp":       "",
		"lib/.profileMapper.js.0123456789abcdef.tmp": "x",
		"state/.hub.json.0123456789abcdef.tmp":       "x",
		stageNew + "/" + configFile:                  "{}",
		stageOld + "/" + certFile:                    "x",
	}
	for name, text := range keep {
		all[name] = text
	}
	h := lay(t, all)
	if diff := cmp.Diff(keep, filesBelow(t, h.Dir())); diff != "" {
		t.Error(diff)
	}
}

// A write that cannot end well leaves the old file and no other.
func TestWriteFails(t *testing.T) {
	before := map[string]string{"config.json/inside": "a folder in the way", "certs": "a file in the way", "lib/x": ""}
	h := lay(t, before)
	for name, want := range map[string]string{
		configFile: "write " + h.Path(configFile) + ": ",
		certFile:   "write " + h.Path(certFile) + ": ",
	} {
		err := h.write(name, []byte("new"))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), tempSuffix) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff(before, filesBelow(t, h.Dir())); diff != "" {
		t.Error(diff)
	}
	file := open(t, filepath.Join(h.Dir(), "certs"))
	if err := file.write(configFile, nil); err == nil || !strings.Contains(err.Error(), "it is a file, not a folder") {
		t.Errorf("a home that is a file: %v", err)
	}
}

// The home may belong to a service's account, and the writer be an
// administrator: no link that the service made leads a write outside.
func TestWritesStayInside(t *testing.T) {
	outside := t.TempDir()
	victim := filepath.Join(outside, "victim")
	if err := os.WriteFile(victim, []byte("untouched"), 0o644); err != nil {
		t.Fatal(err)
	}
	h := lay(t, map[string]string{"x": ""})
	for name, target := range map[string]string{configFile: victim, "certs": outside, "state-link": outside} {
		if err := os.Symlink(target, h.Path(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.write(configFile, []byte("{}")); err != nil { // the link itself is replaced
		t.Error(err)
	}
	if err := h.SaveKeys(testPair(t, "a")); err == nil {
		t.Error("wrote through a linked folder")
	}
	if err := os.Remove(h.Path("certs")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(h.Path("lib"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, mapper := range map[string]string{"a link to a file": "new", "what a link hides": ""} {
		a := incoming(t)
		a.Mapper = mapper
		if err := os.Symlink(victim, h.Path(mapperFile)); err != nil {
			t.Fatal(err)
		}
		// A copy of the victim in backups/ would give it away.
		if _, err := h.Replace(a); err == nil || !strings.Contains(err.Error(), "read "+h.Path(mapperFile)) {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Remove(h.Path(mapperFile)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]string{"victim": "untouched"}, filesBelow(t, outside)); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Lstat(h.Path(configFile)); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func BenchmarkWrite(b *testing.B) {
	h := open(b, filepath.Join(b.TempDir(), "home"))
	for b.Loop() {
		if err := h.SaveState("x", 1); err != nil {
			b.Fatal(err)
		}
	}
}
