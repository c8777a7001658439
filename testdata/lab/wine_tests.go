package lab

import "strings"

// RunTests runs a test program of Go's in a folder, and returns all that it
// says. When one of its tests fails it says here only what those said that did.
func (w *Windows) RunTests(dir, program string, args ...string) string {
	w.m.t.Helper()
	out, err := w.m.Try(append([]string{"/bin/sh", "-c", `cd "$1" && shift && exec wine "$@"`, "sh", w.Path(dir), program, "-test.v"}, args...)...)
	out = strings.ReplaceAll(out, "\r\n", "\n")
	if err != nil {
		said := failed(out)
		if said == "" {
			said = out // it ended before it could tell
		}
		w.m.t.Fatalf("%v\n%s", err, said)
	}
	return out
}

// failed is what those tests said that failed, of what a verbose run printed.
// Tests that ran beside each other are told apart by the lines that name them.
func failed(out string) string {
	said := map[string][]string{}
	var found []string
	now := ""
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		switch {
		case len(words) > 2 && words[0] == "===":
			now = words[2]
			continue
		case len(words) > 2 && words[0] == "---" && words[1] == "FAIL:":
			found = append(found, line)
			found = append(found, said[words[2]]...)
			continue
		case strings.HasPrefix(line, "panic: "):
			return out[strings.Index(out, line):]
		}
		said[now] = append(said[now], line)
	}
	return strings.Join(found, "")
}
