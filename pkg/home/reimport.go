package home

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"ad-ldap-connector/pkg/config"
)

// ErrNoImport says that there is nothing that UndoImport could put back.
var ErrNoImport = errors.New("no import has replaced anything here")

// Why files were replaced, as the backup of the former ones has it.
const (
	byImport  = "import"
	aboutFile = "about.json" // beside the former files
)

// An about says what a folder of former files is: it is moved there together
// with them.
type about struct {
	Reason string            `json:"reason"`
	Former map[string]string `json:"former"` // SHA-256 by name; "" for a file that there was not
	Put    map[string]string `json:"put"`    // of what came in their places, likewise
}

func writeAbout(root *os.Root, reason string, old, f files) error {
	sums := func(f files) map[string]string {
		m := map[string]string{}
		for name, data := range f {
			m[name] = ""
			if data != nil {
				m[name] = sumOf(data)
			}
		}
		return m
	}
	text, err := json.Marshal(about{Reason: reason, Former: sums(old), Put: sums(f)})
	if err != nil {
		return err
	}
	return writeFile(root, path.Join(stageOld, aboutFile), text)
}

// An Import is the last one into a home, or its undoing, and can be taken back.
type Import struct {
	Backup     string // the folder of the former files
	Connection string // that the home served before; "" when that cannot be told
	Renewed    bool   // the key pair has been exchanged since

	files files
}

// LastImport finds what UndoImport would put back. The error is an ErrNoImport
// when there is nothing, and another one when the former files are not as they
// were kept. Exchanges of the key pair alone are passed over.
func (h *Home) LastImport() (*Import, error) {
	i, err := h.lastImport()
	if err != nil {
		return nil, fmt.Errorf("look for the last import into %s: %w", h.dir, cause(err))
	}
	return i, nil
}

func (h *Home) lastImport() (*Import, error) {
	if err := h.settle(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(h.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoImport
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	entries, err := fs.ReadDir(root.FS(), backupsFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() || !backupStamp.MatchString(e.Name()) })
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return byAge(b.Name(), a.Name()) })
	for _, e := range entries {
		folder := path.Join(backupsFolder, e.Name())
		text, err := contents(root, path.Join(folder, aboutFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return h.readImport(root, folder, text)
	}
	return nil, ErrNoImport
}

// byAge orders names of backups: those of one second have a number.
func byAge(a, b string) int {
	const stamp = len("20060102-150405")
	number := func(name string) int {
		n, err := strconv.Atoi(strings.TrimPrefix(name[stamp:], "-"))
		if err != nil {
			return 1
		}
		return n
	}
	return cmp.Or(strings.Compare(a[:stamp], b[:stamp]), cmp.Compare(number(a), number(b)))
}

func (h *Home) readImport(root *os.Root, folder string, text []byte) (*Import, error) {
	damaged := func(what string) error { return fmt.Errorf("%s is damaged: %s", h.Path(folder), what) }
	var was about
	if err := json.Unmarshal(text, &was); err != nil || was.Reason != byImport || len(was.Former) == 0 {
		return nil, damaged(aboutFile)
	}
	i := &Import{Backup: h.Path(folder), files: files{}}
	for name, sum := range was.Former {
		if !slices.Contains(replaceable, name) && name != caBundle {
			return nil, damaged(fmt.Sprintf("it names the file %.60q", name))
		}
		i.files[name] = nil
		if sum == "" {
			continue
		}
		data, err := contents(root, path.Join(folder, name))
		if err != nil {
			return nil, damaged(fmt.Sprintf("%s: %v", name, cause(err)))
		}
		if sumOf(data) != sum {
			return nil, damaged(name + " has been changed")
		}
		i.files[name] = append([]byte{}, data...) // an empty file is not no file
	}
	for _, name := range KeyPair {
		data, err := contents(root, name)
		if err == nil && sumOf(data) != was.Put[name] || err != nil && was.Put[name] != "" {
			i.Renewed = true
		}
	}
	if c, err := config.Parse(i.files[configFile]); err == nil {
		i.Connection = c.Tenant.Connection
	}
	return i, nil
}

// UndoImport puts the files back that an import has replaced, all of them or
// none, and takes those away that it has brought. What it replaces is kept in
// the folder backup: it can be undone in its turn.
func (h *Home) UndoImport(i *Import) (backup string, err error) {
	return h.replaceAs(byImport, i.files)
}
