package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"ad-ldap-connector/pkg/service"
)

// journalLines bounds what is asked of the journal; of what it tells, the end is
// taken, as of a log file.
const journalLines = 20_000

// addJournals puts in what systemd's journal has of the services of a home.
func (b *supportArchive) addJournals(ctx context.Context, dir string) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	found, err := servicesOf(ctx, dir)
	tool, missing := exec.LookPath("journalctl")
	if err != nil || missing != nil || len(found) == 0 {
		b.note("the service manager's own log, such as the journal of systemd, is not in here")
		return
	}
	for _, name := range found {
		text, more, err := journalOf(ctx, tool, name)
		inside := "logs/journal-" + name + ".txt"
		switch {
		case err != nil:
			b.note("%s", oneLine(err.Error()))
			continue
		case len(text) == 0:
			b.note("the journal shows nothing of %s; root sees all that there is", name)
			continue
		case more:
			b.note("%s is the end of what the journal has", inside)
		}
		b.add(inside, text, 0)
	}
}

// servicesOf names the services that are registered for a home.
func servicesOf(ctx context.Context, dir string) ([]string, error) {
	manager, err := service.System()
	if err != nil {
		return nil, err
	}
	list, err := manager.List(ctx)
	var names []string
	for _, r := range list {
		if r.Home == dir {
			names = append(names, r.Name)
		}
	}
	return names, err
}

// journalOf returns the last lines that the journal has of a unit, and whether
// there may be more. Times are UTC, as in the log file.
func journalOf(ctx context.Context, tool, unit string) (text []byte, more bool, err error) {
	cmd := exec.CommandContext(ctx, tool, "--no-pager", "--quiet", "--utc", "--output=short-iso-precise",
		"--lines="+strconv.Itoa(journalLines), "--unit="+unit+".service")
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0")
	cmd.WaitDelay = time.Second
	out, said := &lastOctets{most: logTail}, &lastOctets{most: 1 << 10}
	cmd.Stdout, cmd.Stderr = out, said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if text := strings.TrimSpace(string(said.whole())); text != "" {
			err = errors.Join(err, errors.New(text))
		}
		return nil, false, fmt.Errorf("read the journal of %s: %w", unit, err)
	}
	text = out.whole()
	return text, out.cut || bytes.Count(text, []byte{'\n'}) >= journalLines, nil
}

// lastOctets keeps the end of what is written to it.
type lastOctets struct {
	most int
	kept []byte
	cut  bool
}

// Write takes everything.
func (l *lastOctets) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p...)
	if over := len(l.kept) - l.most; over > 0 {
		l.cut = true
		if len(l.kept) > 2*l.most {
			l.kept = append(l.kept[:0], l.kept[over:]...)
		}
	}
	return len(p), nil
}

// whole returns what was kept, without the line that was cut at its beginning.
func (l *lastOctets) whole() []byte {
	if !l.cut {
		return l.kept
	}
	end := l.kept[max(0, len(l.kept)-l.most):]
	_, after, _ := bytes.Cut(end, []byte{'\n'})
	return after
}
