package service

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
)

// formerProperties is what is asked of systemd about every service there is.
const formerProperties = "Id,LoadState,ActiveState,UnitFileState,FragmentPath,SourcePath,DropInPaths," +
	"WorkingDirectory,ExecStart,Type,MainPID"

// parseShows reads what "systemctl show" printed of several units: a paragraph
// for each. A unit may have several commands.
func parseShows(out []byte) []shown {
	var all []shown
	for paragraph := range bytes.SplitSeq(out, []byte("\n\n")) {
		s := parseShow(paragraph)
		if s["Id"] == "" {
			continue
		}
		var commands []string
		for line := range strings.Lines(string(paragraph)) {
			if value, ok := strings.CutPrefix(line, "ExecStart="); ok {
				commands = append(commands, commandLine(value))
			}
		}
		s["ExecStart"] = strings.Join(commands, "; ")
		all = append(all, s)
	}
	return all
}

// commandLine is the command in "{ path=P ; argv[]=P a b ; ignore_errors=no ; ...",
// in which systemd escapes nothing.
func commandLine(value string) string {
	_, argv, ok := strings.Cut(value, "argv[]=")
	if !ok {
		return ""
	}
	if end := strings.LastIndex(argv, " ; ignore_errors="); end >= 0 {
		argv = argv[:end]
	}
	return strings.TrimSpace(argv)
}

// unitNames reads the first words of what "systemctl list-units" or
// "list-unit-files" printed. Templates are no units.
func unitNames(out []byte) []string {
	var names []string
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasSuffix(name, ".service") && !strings.Contains(name, "@.") && !strings.HasPrefix(name, "-") {
			names = append(names, name)
		}
	}
	return names
}

var (
	pathInText = regexp.MustCompile(`/[\pL\pN._+@%/~-]+`)
	nodeInText = regexp.MustCompile(`(^|[/\s"'=])node(js)?($|[\s"';])`)
)

// pathsIn are the absolute paths that a text names.
func pathsIn(text string) []string {
	var all []string
	for _, p := range pathInText.FindAllString(text, -1) {
		if p = path.Clean(p); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// runsIn returns the folder, or the file, that wanted says yes to and that a
// service runs in, or runs a program of, and "" if there is none. The script is
// that of a service of another manager, which systemd only starts; cwd is where
// the main process works.
func (s shown) runsIn(script, cwd string, wanted func(string) bool) string {
	if s["Type"] == "oneshot" { // a job, as a backup is
		return ""
	}
	works := strings.TrimLeft(s["WorkingDirectory"], "!-")
	for _, dir := range []string{works, cwd} {
		if path.IsAbs(dir) && wanted(path.Clean(dir)) {
			return path.Clean(dir)
		}
	}
	text := s["ExecStart"] + "\n" + script
	program, _, _ := strings.Cut(s["ExecStart"], " ")
	for _, p := range pathsIn(text) {
		if (p == program || strings.HasSuffix(p, ".js") || nodeInText.MatchString(text)) && wanted(p) {
			return p
		}
	}
	return ""
}

// runs reports whether the unit runs, or is about to.
func (s shown) runs() bool {
	return !slices.Contains([]string{"", "inactive", "failed"}, s["ActiveState"])
}

// startsWithSystem reports whether the unit was enabled, by whatever means.
func (s shown) startsWithSystem() bool {
	return slices.Contains([]string{"enabled", "enabled-runtime", "alias"}, s["UnitFileState"])
}
