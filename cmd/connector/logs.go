package main

import (
	"context"
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/home"
)

// logsAnswers is what "connector logs" was asked.
type logsAnswers struct {
	follow bool
	since  string
	lines  int
	cut    bool // lines was asked for

	request string        // only lines of this one
	level   string        // what a running connector is to log; "" = as it does
	until   time.Duration // how long it is to

	wanted func(logLine) bool  // which lines; nil: all
	put    func(logLine) error // where they go; nil: to stdout
}

func newLogsCommand(a *app) *cobra.Command {
	var o logsAnswers
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Show the connector's log",
		Long: `It shows the log file in the home, with those that were put aside as far as they
are needed, also where LOG_FORMAT changed in the middle. A service's log is also in
systemd's journal, with what systemd says of the service itself, or in the Event
Log of Windows: connector help logging. With -o json each line is an object: time,
level, message, attributes; damaged where the connector did not write it so.

With --level a running connector logs more, or less, for a while, without a
restart or another configuration. It takes root or the connector's account.`,
		Example: `  sudo connector logs --follow
  sudo connector logs --since 1h -o json | jq 'select(.level == "error")'
  sudo connector logs --request 4XB2LDPRFHP4ELFL
  sudo connector logs --level debug --for 15m --follow`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.cut = cmd.Flags().Changed("lines")
			if cmd.Flags().Changed("for") && o.level == "" {
				return usagef("--for is of no use without --level")
			}
			return a.logs(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with what comes, until Ctrl-C")
	f.StringVar(&o.since, "since", "", "all lines since this `time`: 90m or 7d ago, 2026-01-31, or 2026-01-31T15:04:05Z")
	f.IntVarP(&o.lines, "lines", "n", 200, "the last `N` lines, unless --since or --request says which")
	f.StringVar(&o.request, "request", "", "lines about the request of this `ID`, which the tenant knows as its pid")
	f.StringVar(&o.level, "level", "", "have the running connector log `debug|info|warn|error`, or default: as configured again")
	f.DurationVar(&o.until, "for", 15*time.Minute, "how long --level holds, at most a day")
	return cmd
}

func (a *app) logs(ctx context.Context, o logsAnswers) error {
	if o.lines < 0 {
		return usagef("--lines %d is less than none", o.lines)
	}
	since, err := parseSince(o.since, time.Now())
	if err != nil {
		return err
	}
	h, err := a.openHome()
	if err != nil {
		return err
	}
	if o.level != "" {
		if err := a.askLevel(h, o, time.Now()); err != nil || !o.follow {
			return err
		}
	}
	s := &logShow{app: a, home: h, since: since, last: -1, request: o.request, which: o.wanted, put: o.put}
	if o.since == "" && o.request == "" || o.cut {
		s.last = o.lines
	}
	live, err := s.open(home.LiveLog)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer func() { live.close() }()
	err = s.former(live, o.follow)
	if o.follow && (err == nil || errors.Is(err, fs.ErrNotExist)) {
		if err != nil {
			a.say("note: %s; waiting for it", oneLine(err.Error()))
		}
		live, err = s.goOn(ctx, live)
	}
	if s.damaged > 0 && !a.json() {
		a.say("note: %d lines are not as the connector writes them; they are shown with the rest", s.damaged)
	}
	return err
}

var days = regexp.MustCompile(`^(\d{1,5})d$`)

// parseSince returns the moment that --since means, zero for none.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if m := days.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		return now.AddDate(0, 0, -n), err
	}
	if d, err := time.ParseDuration(strings.TrimPrefix(text, "-")); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.UTC); err == nil { // as the file has it
			return at, nil
		}
	}
	return time.Time{}, usagef("--since %q is no time; try 1h, 7d, 2026-01-31, or 2026-01-31T15:04:05Z", text)
}

// A logShow shows log files.
type logShow struct {
	app   *app
	home  *home.Home
	since time.Time
	last  int // how many lines there are to be; negative: all

	request string // only lines about this one; "" = all
	which   func(logLine) bool
	put     func(logLine) error

	recent  bool // whether the line before was late enough
	damaged int
}

// former shows what is there: the files that were put aside, then live, which
// is nil when there is none. A file that cannot be read is told, and the others
// are shown all the same.
func (s *logShow) former(live *logSource, follow bool) error {
	names, err := s.home.RunLogs()
	if err != nil {
		return permitted(err)
	}
	if len(names) == 0 && live == nil {
		return &noLogError{s.home.Path(home.LiveLog)}
	}
	var faults []error
	var files []*logSource
	defer func() {
		for _, f := range files {
			f.close()
		}
	}()
	for _, name := range names {
		f, err := s.open(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it was put aside or removed just now
		case err != nil:
			faults = append(faults, err)
		case f.same(live), f.before(s.since):
			f.close()
		default:
			files = append(files, f)
		}
	}
	all := files
	if live != nil {
		all = append(slices.Clone(files), live)
	}
	if s.last >= 0 {
		return errors.Join(append(faults, s.showLast(all, live, follow))...)
	}
	for _, f := range all {
		if err := f.each(follow && f == live, s.show); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// showLast shows the last lines of files. It begins with the newest, and reads
// no more of them than it must; live it reads to its end.
func (s *logShow) showLast(files []*logSource, live *logSource, follow bool) error {
	if !s.since.IsZero() || s.request != "" || s.which != nil { // a line without a time needs what is before it
		var last tail
		var faults []error
		for _, f := range files {
			faults = append(faults, f.each(follow && f == live, func(line string) error {
				if s.wanted(line) {
					last.add(line, s.last)
				}
				return nil
			}))
		}
		return errors.Join(append(faults, last.each(s.last, s.print))...)
	}
	var faults []error
	var tails []tail
	left := s.last
	for _, f := range slices.Backward(files) {
		if left == 0 && f != live {
			break
		}
		var last tail
		faults = append(faults, f.each(follow && f == live, func(line string) error { last.add(line, left); return nil }))
		tails = append(tails, last)
		left -= min(left, len(last))
	}
	left = s.last
	for i := range tails {
		tails[i] = tails[i][max(0, len(tails[i])-left):]
		left -= len(tails[i])
	}
	for _, last := range slices.Backward(tails) {
		faults = append(faults, last.each(len(last), s.print))
	}
	return errors.Join(faults...)
}

// A tail is the last lines of a file, and some before them.
type tail []string

// add adds a line, and forgets those that are not among the last most.
func (t *tail) add(line string, most int) {
	if *t = append(*t, line); len(*t) > most+1000 {
		*t = slices.Delete(*t, 0, len(*t)-most)
	}
}

// each calls do for the last most lines.
func (t tail) each(most int, do func(string) error) error {
	for _, line := range t[max(0, len(t)-most):] {
		if err := do(line); err != nil {
			return err
		}
	}
	return nil
}

// wanted reports whether a line is one that was asked for.
func (s *logShow) wanted(line string) bool {
	if !s.late(line) {
		return false
	}
	if s.request == "" && s.which == nil {
		return true
	}
	l := parseLogLine(line)
	return (s.request == "" || l.Attributes["request"] == s.request) && (s.which == nil || s.which(l))
}

// late reports whether a line is of the time that was asked for. One without a
// time goes with the line before it.
func (s *logShow) late(line string) bool {
	if s.since.IsZero() {
		return true
	}
	if l := parseLogLine(line); l.Time != nil {
		s.recent = !l.Time.Before(s.since.Truncate(time.Second)) // the file has whole seconds
	}
	return s.recent
}

func (s *logShow) show(line string) error {
	if !s.wanted(line) {
		return nil
	}
	return s.print(line)
}

func (s *logShow) print(line string) error {
	l := parseLogLine(line)
	if l.Damaged {
		s.damaged++
	}
	if s.put != nil {
		return s.put(l)
	}
	if s.app.json() {
		return s.app.line(l)
	}
	return s.app.text("%s\n", visible(l.text))
}

// A noLogError says that there is no log file.
type noLogError struct{ file string }

func (e *noLogError) Error() string { return "show the log: there is no " + e.file }

func (*noLogError) Unwrap() error { return fs.ErrNotExist }

// Hint says where else a log may be.
func (*noLogError) Hint() string {
	return `"connector run" makes it; --home names another home; with OVERRIDE_CONFIG=false there is no file: connector help logging`
}

// permitted adds advice to an error of one who may not read.
func permitted(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &hinted{err, "run this as root, or as the account that the connector runs under"}
	}
	return err
}
