package home

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/keys"
)

// incoming is an archive in which everything differs from configured.
func incoming(t *testing.T) *Archive {
	t.Helper()
	c, err := config.Parse([]byte(`{"CONNECTION":"other"}`))
	if err != nil {
		t.Fatal(err)
	}
	return &Archive{Config: c, Pair: testPair(t, "b"), Mapper: "new mapper"}
}

func contentsOf(t *testing.T, a *Archive) map[string]string {
	t.Helper()
	conf, err := a.Config.Encode()
	if err != nil {
		t.Fatal(err)
	}
	cert, key := a.Pair.PEM()
	f := map[string]string{configFile: string(conf), certFile: string(cert), keyFile: string(key)}
	if a.Mapper != "" {
		f[mapperFile] = a.Mapper
	}
	return f
}

func TestReplace(t *testing.T) {
	before := configured(t)
	before["state/x.json"], before["logs.log"] = "1", "log"
	h := lay(t, before)
	h.now = fixedClock
	a := incoming(t)
	want := contentsOf(t, a)
	want["state/x.json"], want["logs.log"] = "1", "log"
	for name := range configured(t) {
		want["backups/20250301-120000/"+name] = before[name]
	}
	about := "backups/20250301-120000/" + aboutFile
	for range 2 { // the second time nothing changes, and nothing is kept
		backup, err := h.Replace(a)
		if err != nil {
			t.Fatal(err)
		}
		got := filesBelow(t, h.Dir())
		if !strings.Contains(got[about], `"reason":"import"`) {
			t.Errorf("%s: %q", about, got[about])
		}
		delete(got, about)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if old := h.Path("backups", "20250301-120000"); backup != old && backup != "" {
			t.Errorf("the backup is said to be in %q", backup)
		}
	}
	a.Mapper = ""
	backup, err := h.Replace(a)
	if err != nil || backup != h.Path("backups", "20250301-120000-2") {
		t.Errorf("%q, %v", backup, err)
	}
	if _, err := os.Stat(h.Path(mapperFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a mapper that the archive lacks stayed: %v", err)
	}
}

func TestReplaceInAnEmptyPlace(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	a := incoming(t)
	backup, err := h.Replace(a)
	if err != nil || backup != "" {
		t.Errorf("%q, %v", backup, err)
	}
	if diff := cmp.Diff(contentsOf(t, a), filesBelow(t, h.Dir())); diff != "" {
		t.Error(diff)
	}
}

func TestReplaceRefuses(t *testing.T) {
	before := configured(t)
	h := lay(t, before)
	a := incoming(t)
	for _, pair := range []*keys.Pair{nil, {}, {Certificate: a.Pair.Certificate, Signer: a.Pair.Signer}} {
		a.Pair = pair
		if _, err := h.Replace(a); err == nil || !strings.Contains(err.Error(), "key pair: ") {
			t.Errorf("replaced without keys: %v", err)
		}
		if err := h.SaveKeys(pair); err == nil {
			t.Error("saved without keys")
		}
	}
	a = incoming(t)
	a.Mapper = strings.Repeat("x", maxFile+1)
	if _, err := h.Replace(a); err == nil {
		t.Error("wrote a mapper that could not be read")
	}
	if diff := cmp.Diff(before, filesBelow(t, h.Dir())); diff != "" {
		t.Error(diff)
	}
}

// A step that cannot be done is no reason to stop half-way: everything goes
// back.
func TestReplaceGoesBack(t *testing.T) {
	before := configured(t)
	// What is in the way of lib/ is met after the other files were replaced.
	delete(before, mapperFile)
	before["lib"] = "a file in the way"
	before["backups"] = "another"
	h := lay(t, before)
	a := incoming(t)
	if _, err := h.Replace(a); err == nil || !strings.Contains(err.Error(), h.Dir()) {
		t.Errorf("mapper: %v", err)
	}
	a.Mapper = ""
	if _, err := h.Replace(a); err == nil {
		t.Error("backup: no error")
	}
	if diff := cmp.Diff(before, filesBelow(t, h.Dir())); diff != "" {
		t.Error(diff)
	}
}

// TestReplaceGoesBackFromTheEnd: the former files are under backups/ already
// when a disk says that it could not keep that.
func TestReplaceGoesBackFromTheEnd(t *testing.T) {
	before := configured(t)
	h := lay(t, before)
	want := filesBelow(t, h.Dir())
	after := files{}
	for name, text := range contentsOf(t, incoming(t)) {
		after[name] = []byte(text)
	}
	err := h.exclusively(func(root *os.Root) error {
		old, err := h.current(root, after)
		if err != nil {
			return err
		}
		j, err := h.stage(root, "", old, after)
		if err != nil {
			return err
		}
		return errors.Join(j.forward(root), j.undo(root))
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, filesBelow(t, h.Dir())); diff != "" {
		t.Error(diff)
	}
}

// A replacement is stopped after each of its steps. Open finds all files old
// before the journal is written, and all new afterwards; all old when it was
// going back.
func TestReplaceStoppedAnywhere(t *testing.T) {
	before := configured(t)
	stop := func(t *testing.T, steps func(h *Home, root *os.Root, j *journal) error) map[string]string {
		t.Helper()
		h := lay(t, before)
		h.now = fixedClock
		a := incoming(t)
		a.Mapper = "" // so that a removal is among the steps
		f := files{}
		for name, text := range contentsOf(t, a) {
			f[name] = []byte(text)
		}
		f[mapperFile] = nil
		err := h.exclusively(func(root *os.Root) error {
			old, err := h.current(root, f)
			if err != nil {
				return err
			}
			j, err := h.stage(root, "", old, f)
			if err != nil {
				return err
			}
			return steps(h, root, j)
		})
		if err != nil {
			t.Fatal(err)
		}
		// A reader that was open all the time gets no mixture either.
		c, err := h.Config()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Keys(c); err != nil {
			t.Fatal(err)
		}
		return filesBelow(t, open(t, h.Dir()).Dir())
	}
	after := incoming(t)
	after.Mapper = ""
	allNew := contentsOf(t, after)
	for name, text := range before {
		allNew["backups/20250301-120000/"+name] = text
	}
	n := len(before)
	for k := range n + 2 {
		got := stop(t, func(_ *Home, root *os.Root, j *journal) error {
			for i := range min(k, n) {
				e := j.Files[i]
				if err := put(root, path.Join(stageNew, e.Name), e.Name, e.New); err != nil {
					return err
				}
			}
			if k > n {
				return errors.Join(makeFolder(root, backupsFolder), move(root, stageOld, path.Join(backupsFolder, j.Backup)))
			}
			return nil
		})
		if diff := cmp.Diff(allNew, got); diff != "" {
			t.Errorf("forward, after %d steps: %s", k, diff)
		}
		got = stop(t, func(_ *Home, root *os.Root, j *journal) error {
			for _, e := range j.Files {
				if err := put(root, path.Join(stageNew, e.Name), e.Name, e.New); err != nil {
					return err
				}
			}
			j.Undo = true
			if err := j.write(root); err != nil {
				return err
			}
			for i := range min(k, n) {
				e := j.Files[i]
				if err := put(root, path.Join(stageOld, e.Name), e.Name, e.Old); err != nil {
					return err
				}
			}
			return nil
		})
		if diff := cmp.Diff(before, got); diff != "" {
			t.Errorf("back, after %d steps: %s", k, diff)
		}
	}
	got := stop(t, func(_ *Home, root *os.Root, _ *journal) error { return root.Remove(journalFile) })
	if diff := cmp.Diff(before, got); diff != "" {
		t.Errorf("without a journal: %s", diff)
	}
}

// A journal that this program has not written is not worked off, and the error
// says which file it is.
func TestJournalRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"damaged":            "{",
		"of another file":    `{"Files":[{"Name":"state/x.json","New":true}]}`,
		"leading out":        `{"Files":[{"Name":"../x"}]}`,
		"with a wild backup": `{"Backup":"../../x"}`,
	} {
		dir := t.TempDir()
		layIn(t, dir, configured(t))
		if err := os.MkdirAll(filepath.Join(dir, stageFolder), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, journalFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), journalFile) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
