package home

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The runtime's own log, and that of the existing connector, which lies in the
// home itself. Neither is part of an archive.
const (
	logsFolder   = "logs"
	logFile      = LiveLog
	olderLogFile = "logs.log"
)

// LiveLog is the log file that is being written, below the home.
const LiveLog = "logs/connector.log"

// LogFile returns the path of the runtime's log file, which it makes if need
// be, with its folder: both for the owner of the home alone. What is there and
// is no ordinary file is refused, also a link: whoever may write to the home
// must not choose which file of the machine a process of another account
// writes to.
func (h *Home) LogFile() (string, error) {
	err := h.exclusively(func(root *os.Root) error {
		if err := makeFolder(root, logsFolder); err != nil {
			return cause(err)
		}
		info, err := root.Lstat(logFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return cause(err)
		case !info.Mode().IsRegular(): // a pipe would block whoever opens it
			return errors.New("it is not a regular file")
		}
		f, err := root.OpenFile(logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return cause(err)
		}
		return cause(errors.Join(f.Chmod(0o600), adopt(root, f), f.Close()))
	})
	if err != nil {
		return "", fmt.Errorf("make %s: %w", h.Path(logFile), err)
	}
	return h.Path(logFile), nil
}

// mostLogs bounds how many log files Logs names: the runtime keeps five.
const mostLogs = 10

// Logs names the log files in the home, with slashes: the runtime's, newest
// last, and that of the existing connector. An error means that there may be
// more.
func (h *Home) Logs() ([]string, error) {
	var names []string
	if _, err := os.Lstat(h.Path(olderLogFile)); err == nil {
		names = append(names, olderLogFile)
	}
	entries, err := h.logEntries()
	if err != nil {
		return names, err
	}
	var own []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "connector") && strings.HasSuffix(e.Name(), ".log") {
			own = append(own, path.Join(logsFolder, e.Name()))
		}
	}
	// A log that was put aside has its day in its name, after a dash, which
	// comes before the dot in the name of the one in use.
	slices.Sort(own)
	return append(names, own[max(0, len(own)-mostLogs):]...), nil
}

// RunLogs names the runtime's own log files, with slashes: those that were put
// aside, also compressed ones, in the order in which they were written, and then
// LiveLog.
func (h *Home) RunLogs() ([]string, error) {
	entries, err := h.logEntries()
	if err != nil {
		return nil, err
	}
	type file struct {
		name  string
		wrote time.Time
	}
	var all []file
	for _, e := range entries {
		name := path.Join(logsFolder, e.Name())
		if !strings.HasPrefix(e.Name(), "connector") || !strings.Contains(e.Name(), ".log") || name == LiveLog {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // it has gone meanwhile, or is no log
		}
		all = append(all, file{name, info.ModTime()})
	}
	slices.SortFunc(all, func(a, b file) int {
		return cmp.Or(a.wrote.Compare(b.wrote), cmp.Compare(a.name, b.name))
	})
	var names []string
	for _, f := range all {
		names = append(names, f.name)
	}
	if _, err := os.Lstat(h.Path(LiveLog)); err == nil {
		names = append(names, LiveLog)
	}
	return names, nil
}

// OpenLog opens a log file to read. It does not follow a link out of the home,
// and hinders nobody who puts the file aside meanwhile.
func (h *Home) OpenLog(name string) (*os.File, error) {
	f, err := h.openFile(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", h.Path(filepath.FromSlash(name)), cause(err))
	}
	return f, nil
}

// logEntries is what is in the folder of logs, if there is one.
func (h *Home) logEntries() ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(h.Path(logsFolder))
	if err == nil {
		return entries, nil
	}
	// Of a file in its place Windows, too, says that there is no such folder.
	if _, look := os.Lstat(h.Path(logsFolder)); errors.Is(look, fs.ErrNotExist) {
		return nil, nil
	}
	return nil, fmt.Errorf("look for logs in %s: %w", h.Path(logsFolder), cause(err))
}
