package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
)

// Where a replacement of several files is prepared.
const (
	stageFolder = ".replace"
	stageNew    = stageFolder + "/new"
	stageOld    = stageFolder + "/old"
	journalFile = stageFolder + "/journal.json"
)

// A journal says how far a replacement is: without one nothing has been
// replaced yet, with one every step may have been done and can be done again.
// It goes forward, or back when a step failed and Undo is set.
type journal struct {
	Files  []entry
	Backup string // name of the folder below backups/ for the former files, or ""
	Undo   bool
}

type entry struct {
	Name     string
	New, Old bool // whether there is a new file, and was an old one
}

func (j *journal) write(root *os.Root) error {
	data, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return writeFile(root, journalFile, data)
}

// recoverReplace does what is left to do of a replacement. The caller has
// exclusive use of the home.
func recoverReplace(root *os.Root, dir string) error {
	j, err := readJournal(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && j.Undo {
		err = j.undo(root)
	} else if err == nil {
		err = j.forward(root)
	}
	if err != nil {
		return fmt.Errorf("finish the interrupted replacement of files in %s: %w", dir, cause(err))
	}
	return nil
}

var (
	replaceable = []string{configFile, certFile, keyFile, mapperFile}
	backupStamp = regexp.MustCompile(`^[0-9]{8}-[0-9]{6}(-[0-9]{1,9})?$`)
)

func readJournal(root *os.Root) (*journal, error) {
	data, err := contents(root, journalFile)
	if err != nil {
		return nil, err
	}
	j := &journal{}
	if err := json.Unmarshal(data, j); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", journalFile, err)
	}
	for _, e := range j.Files {
		if !slices.Contains(replaceable, e.Name) && e.Name != caBundle {
			return nil, fmt.Errorf("%s is damaged: it names the file %q", journalFile, e.Name)
		}
	}
	if j.Backup != "" && !backupStamp.MatchString(j.Backup) {
		return nil, fmt.Errorf("%s is damaged: it names the backup %q", journalFile, j.Backup)
	}
	return j, nil
}

// forward moves the new files into place and the old ones to backups/.
func (j *journal) forward(root *os.Root) error {
	for _, e := range j.Files {
		if err := put(root, path.Join(stageNew, e.Name), e.Name, e.New); err != nil {
			return err
		}
	}
	if j.Backup != "" {
		if err := makeFolder(root, backupsFolder); err != nil {
			return err
		}
		if err := move(root, stageOld, path.Join(backupsFolder, j.Backup)); err != nil {
			return err
		}
	}
	discard(root)
	return nil
}

// undo moves the old files back into place.
func (j *journal) undo(root *os.Root) error {
	if !j.Undo {
		j.Undo = true
		if err := j.write(root); err != nil {
			return err
		}
	}
	if j.Backup != "" { // forward may have come as far as that
		if err := move(root, path.Join(backupsFolder, j.Backup), stageOld); err != nil {
			return err
		}
	}
	for _, e := range j.Files {
		if err := put(root, path.Join(stageOld, e.Name), e.Name, e.Old); err != nil {
			return err
		}
	}
	discard(root)
	return nil
}

// put makes name the staged file, or no file.
func put(root *os.Root, staged, name string, exists bool) error {
	if exists {
		if err := makeFolder(root, path.Dir(name)); err != nil {
			return err
		}
		return move(root, staged, name)
	}
	if err := root.Remove(name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return syncFolder(root, path.Dir(name))
}

// move renames for good. What is not there has been moved before.
func move(root *os.Root, from, to string) error {
	if _, err := root.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := rename(root, from, to); err != nil {
		return err
	}
	return syncFolder(root, path.Dir(to))
}

// discard ends a replacement. The journal goes first: without the files it
// speaks of it would be misunderstood. What cannot be removed now is found
// again: a journal is worked off once more, which changes nothing, and the rest
// is swept by Open.
func discard(root *os.Root) {
	if err := root.Remove(journalFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	_ = syncFolder(root, stageFolder) // fails where the folder is not there
	_ = root.RemoveAll(stageFolder)
}
