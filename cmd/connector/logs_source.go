package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"ad-ldap-connector/pkg/home"
)

// A logSource is a log file that is being read.
type logSource struct {
	file  *os.File
	lines *lineReader
}

// open opens a log file of the home, compressed or not.
func (s *logShow) open(name string) (*logSource, error) {
	f, err := s.home.OpenLog(name)
	if err != nil {
		return nil, permitted(err)
	}
	l := &logSource{file: f, lines: newLineReader(f)}
	switch path.Ext(name) {
	case ".gz":
		z, err := gzip.NewReader(f)
		if err != nil {
			l.close()
			return nil, fmt.Errorf("read %s: %w", f.Name(), err)
		}
		l.lines = newLineReader(z)
	case ".zst", ".xz", ".bz2", ".zip":
		l.close()
		return nil, fmt.Errorf("read %s: of compressed logs only .gz is read here", f.Name())
	}
	return l, nil
}

func (l *logSource) close() {
	if l != nil {
		_ = l.file.Close() // it was only read
	}
}

// same reports whether two are the same file, under whatever names.
func (l *logSource) same(other *logSource) bool {
	if other == nil {
		return false
	}
	one, err := l.file.Stat()
	if err != nil {
		return false
	}
	two, err := other.file.Stat()
	return err == nil && os.SameFile(one, two)
}

// before reports whether nothing was written to the file since.
func (l *logSource) before(since time.Time) bool {
	info, err := l.file.Stat()
	return err == nil && info.ModTime().Before(since)
}

// each calls do for every line up to the end. A last line without its end is
// one too, unless more is to come.
func (l *logSource) each(more bool, do func(line string) error) error {
	for {
		line, err := l.lines.next()
		switch {
		case errors.Is(err, io.EOF):
			if more {
				return nil
			}
			if line, ok := l.lines.rest(); ok {
				return do(line)
			}
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", l.file.Name(), err)
		}
		if err := do(line); err != nil {
			return err
		}
	}
}

// followEvery is how often it is looked for new lines.
const followEvery = 200 * time.Millisecond

// goOn shows what is written to live, and to the files that take its place,
// until ctx ends. It returns the file that it was at.
func (s *logShow) goOn(ctx context.Context, live *logSource) (*logSource, error) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		next, err := s.step(live)
		if err != nil {
			return live, err
		}
		if next != nil {
			live.close()
			live = next
			continue
		}
		select {
		case <-ctx.Done():
			return live, nil
		case <-tick.C:
		}
	}
}

// step shows what is new in a file, and returns the one that follows it once it
// was put aside; nil means that it goes on, and that one is waited for where
// there is none.
func (s *logShow) step(l *logSource) (next *logSource, err error) {
	if l == nil {
		next, err := s.open(home.LiveLog)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return next, err
	}
	if err := l.each(true, s.show); err != nil {
		return nil, err
	}
	now, err := s.open(home.LiveLog)
	if errors.Is(err, fs.ErrNotExist) { // it is just being put aside
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if l.same(now) {
		now.close()
		return nil, l.shortened(s)
	}
	if err := l.each(false, s.show); err != nil { // what came before it was put aside
		now.close()
		return nil, err
	}
	// More than one may have been put aside meanwhile.
	if between := s.after(l); between != nil && !between.same(now) {
		now.close()
		return between, nil
	}
	return now, nil
}

// shortened begins a file anew that has become shorter than what was read of
// it: somebody has emptied it.
func (l *logSource) shortened(s *logShow) error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	at, err := l.file.Seek(0, io.SeekCurrent)
	if err != nil || info.Size() >= at {
		return err
	}
	s.app.say("note: %s was emptied", l.file.Name())
	_, err = l.file.Seek(0, io.SeekStart)
	l.lines = newLineReader(l.file)
	return err
}

// after is the file that was begun after l was put aside; nil when there is
// none, or it cannot be told.
func (s *logShow) after(l *logSource) *logSource {
	names, err := s.home.RunLogs()
	if err != nil {
		return nil
	}
	var later *logSource
	for _, name := range slices.Backward(names) {
		f, err := s.open(name)
		if err != nil {
			continue // the others can be shown
		}
		if f.same(l) {
			f.close()
			return later
		}
		later.close()
		later = f
	}
	later.close()
	return nil
}
