package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/doctor"
)

// supportAnswers is what "connector support" was asked.
type supportAnswers struct {
	file       string
	force      bool
	withMapper bool
	leaveOut   []string
	timeout    time.Duration
}

func newSupportCommand(a *app) *cobra.Command {
	var o supportAnswers
	cmd := &cobra.Command{
		Use:   "support",
		Short: "Write one archive with what a support case needs, and no secrets",
		Long: `It holds what doctor finds, the configuration without its secrets, what status
says, versions, a list of the home's files, and the last MiB of each log and of
what systemd's journal has of the service. It works before an installation too.
Before it is written it is searched for every secret that the home knows and for
what looks like a key or a token; when one is found nothing is written, and the
file and the line are named. More on it: connector help support-case.`,
		Example: `  sudo connector support
  sudo connector support --file case-4711.zip --leave-out logs/connector.log`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.support(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "", "`file` to write, - for standard output (default connector-support-HOST-TIME.zip)")
	f.BoolVar(&o.force, "force", false, "write over an existing file")
	f.BoolVar(&o.withMapper, "with-mapper", false, "put the operator's profile mapper in, which may hold secrets of its own")
	f.StringArrayVar(&o.leaveOut, "leave-out", nil, "leave this `file` of the archive out, and say so in it; repeatable")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "checks that have not ended after this `time` have failed")
	return cmd
}

func (a *app) support(ctx context.Context, o supportAnswers) error {
	switch {
	case o.file == "-" && a.json():
		return usagef("--file -: standard output cannot carry the archive and JSON")
	case o.file == "-" && isTerminal(a.stdout):
		return usagef("--file -: standard output is a terminal; name a file, or pipe it somewhere")
	case o.timeout <= 0:
		return usagef("--timeout %s: a check takes some time; try 30s", o.timeout)
	}
	now := time.Now().UTC()
	if o.file == "" {
		o.file = "connector-support-" + fileHost() + "-" + now.Format("20060102-150405") + ".zip"
	}
	if o.file != "-" {
		if err := checkNew(o.file, o.force); err != nil {
			return err
		}
	}
	t, err := a.openTarget(targetFlags{})
	if err != nil {
		return err
	}
	defer t.Close()
	b := newSupportArchive(now)
	if err := a.collect(ctx, b, t, o); err != nil {
		return err
	}
	if err := b.leaveOut(o.leaveOut); err != nil {
		return err
	}
	var s scanner
	b.manifest.Notes = append(b.manifest.Notes, s.learn(a, t)...)
	archive, leaks, err := b.pack(&s)
	if err != nil {
		return err
	}
	if len(leaks) > 0 {
		return &leakError{leaks}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.file == "-" {
		_, err := a.stdout.Write(archive)
		return err
	}
	if err := writeWhole(o.file, archive, o.force); err != nil {
		return err
	}
	return a.saySupport(o.file, len(archive), b)
}

// saySupport says what was written.
func (a *app) saySupport(file string, size int, b *supportArchive) error {
	names, left := []string{}, []string{}
	for _, f := range b.manifest.Files {
		names = append(names, f.Name)
	}
	for _, l := range b.manifest.LeftOut {
		left = append(left, l.Name)
	}
	if a.json() {
		return a.print(map[string]any{"file": file, "size": size, "files": append([]string{manifestFile}, names...), "leftOut": left})
	}
	err := a.text("wrote %s, %d KiB\n  %-48s what is in the archive\n", file, (size+1023)>>10, manifestFile)
	for _, f := range b.manifest.Files {
		err = errors.Join(err, a.text("  %-48s %d bytes\n", f.Name, f.Size))
	}
	for _, l := range b.manifest.LeftOut {
		err = errors.Join(err, a.text("  %-48s left out\n", l.Name))
	}
	for _, note := range b.manifest.Notes {
		a.say("note: %s", note)
	}
	return err
}

// doctorReport runs the checks as "connector doctor" does without flags.
func (a *app) doctorReport(ctx context.Context, t *target, timeout time.Duration) doctor.Document {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	b := thisBuild()
	report := doctor.Run(limited, a.doctorEnv(t), doctor.Checks, t.waivers, nil)
	return report.Document(doctor.Connector{Version: b.Version, OS: b.OS, Arch: b.Arch})
}

// A leakError says that the archive would have shown secrets.
type leakError struct{ leaks []leak }

func (e *leakError) Error() string {
	var said []string
	for _, l := range e.leaks {
		said = append(said, l.String())
	}
	return "write the archive: there are secrets in it, and nothing was written: " + strings.Join(said, "; ")
}

// Hint says how to get an archive all the same.
func (e *leakError) Hint() string {
	var flags []string
	for _, l := range e.leaks {
		if l.File == manifestFile {
			return "a secret that is an ordinary word or a name is in every such archive: give it another value"
		}
		if flag := "--leave-out " + l.File; !slices.Contains(flags, flag) {
			flags = append(flags, flag)
		}
	}
	return "take them out of the files they come from, or: connector support " + strings.Join(flags, " ")
}

// fileHost is this machine's name as a part of a file's.
func fileHost() string {
	name, err := os.Hostname()
	if err != nil {
		return "host"
	}
	name = regexp.MustCompile(`[^A-Za-z0-9.-]+`).ReplaceAllString(name, "-")
	if name = strings.Trim(name, "-."); name == "" {
		return "host"
	}
	return name[:min(len(name), 60)]
}

// checkNew finds out early that a file cannot be written: it would be a pity to
// have looked at everything for nothing.
func checkNew(name string, force bool) error {
	if err := occupied(name, force); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".connector-support-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func occupied(name string, force bool) error {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("write %s: %w", name, err)
	case info.IsDir():
		return fmt.Errorf("write %s: it is a folder", name)
	case !force:
		return &hinted{fmt.Errorf("write %s: it exists already", name), "add --force to write over it"}
	}
	return nil
}

// writeWhole writes a file that only its owner may read: all of it or nothing,
// and over another one only when told so.
func writeWhole(name string, data []byte, force bool) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".connector-support-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = settle(f.Name(), name, force)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), ignoreMissing(os.Remove(f.Name())))
	}
	return nil
}

// settle gives a finished file its name. A link does not replace what somebody
// else has put there meanwhile; some file systems know no links.
func settle(temp, name string, force bool) error {
	if force {
		return os.Rename(temp, name)
	}
	err := os.Link(temp, name)
	switch {
	case err == nil:
		return os.Remove(temp)
	case errors.Is(err, fs.ErrExist):
		return errors.New("it exists already")
	}
	if err := occupied(name, false); err != nil {
		return err
	}
	return os.Rename(temp, name)
}
