package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ad-ldap-connector/pkg/doctor"
)

// helpColumns is the widest line of any help: it must fit a server's console.
const helpColumns = 100

// printed runs the command in this process and returns what it prints.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := newCommand(&app{stdin: strings.NewReader(""), stdout: &out, stderr: &out})
	cmd.SetArgs(args)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("connector %s: %v", strings.Join(args, " "), err)
	}
	return out.String()
}

// walk visits a command and all below it.
func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		walk(sub, visit)
	}
}

// TestHelp checks the help of every command that people see: one sentence, an
// example that is one of this command, all flags explained, the exit statuses
// at the end, and no line that wraps.
func TestHelp(t *testing.T) {
	seen := 0
	walk(newCommand(&app{}), func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		seen++
		path := strings.Fields(cmd.CommandPath())[1:]
		t.Run(strings.Join(append([]string{"connector"}, path...), " "), func(t *testing.T) {
			if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") || strings.Contains(cmd.Short, "\n") {
				t.Errorf("Short is %q, want one sentence without its full stop", cmd.Short)
			}
			if first := cmd.Short[:1]; first != strings.ToUpper(first) {
				t.Errorf("Short is %q, want it to begin in upper case", cmd.Short)
			}
			if !strings.Contains(cmd.Example, cmd.CommandPath()) && cmd.Name() != "connector" {
				t.Errorf("Example is %q, want %q in it", cmd.Example, cmd.CommandPath())
			}
			cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
				if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
					t.Errorf("--%s says %q", f.Name, f.Usage)
				}
			})
			text := printed(t, append(path, "--help")...)
			if !strings.HasPrefix(text, cmd.Short+".\n") {
				t.Errorf("the help begins %.80q", text)
			}
			if !strings.HasSuffix(text, exitStatuses+"\n") {
				t.Errorf("the help does not end with the exit statuses: %q", text[max(0, len(text)-120):])
			}
			narrow(t, text)
			if again := printed(t, append([]string{"help"}, path...)...); again != text {
				t.Errorf("help by name is another:\n%s", again)
			}
		})
	})
	if seen < 15 {
		t.Errorf("only %d commands", seen)
	}
}

// TestGuides checks the topics that the binary carries.
func TestGuides(t *testing.T) {
	if len(topics()) == 0 {
		t.Fatal("no topics")
	}
	for _, name := range topics() {
		t.Run(name, func(t *testing.T) {
			text := printed(t, "help", name)
			if !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") {
				t.Error("it does not end with one line end")
			}
			narrow(t, text)
			if !strings.Contains(printed(t, "help", "help"), name) {
				t.Error("the help does not name this topic")
			}
		})
	}
	for _, status := range []string{"0", "1", "2", "3", "4", "5", "6", "130"} {
		if !strings.Contains(printed(t, "help", "exit-codes"), "  "+status+" ") {
			t.Errorf("exit-codes does not explain %s", status)
		}
	}
}

var pageCall = regexp.MustCompile(`(?m)^ {4,}(sudo )?connector .*$`)

// TestGuidesAreTrue checks that the commands and flags the guides and examples
// name exist.
func TestGuidesAreTrue(t *testing.T) {
	root := newCommand(&app{})
	root.InitDefaultHelpCmd() // as execution does
	texts := map[string]string{}
	for _, name := range topics() {
		texts["guide "+name] = printed(t, "help", name)
	}
	for _, c := range doctor.Checks {
		page := printed(t, "doctor", "--explain", string(c.ID)) // its prose is indented, its commands more so
		texts["page on "+string(c.ID)] = strings.Join(pageCall.FindAllString(page, -1), "\n")
		texts["command of "+string(c.ID)] = "  " + c.Command
	}
	walk(root, func(cmd *cobra.Command) { texts["example of "+cmd.CommandPath()] = cmd.Example })
	calls := 0
	for from, text := range texts {
		text = strings.ReplaceAll(text, "\\\n", " ")
		for line := range strings.Lines(text) {
			_, call, ok := strings.Cut(line, " connector ") // no path that ends so
			if !ok || !strings.HasPrefix(line, "  ") {
				continue // prose, not a command to type
			}
			calls++
			call, _, _ = strings.Cut(call, "#")
			call, _, _ = strings.Cut(call, "|")
			call, _, _ = strings.Cut(call, " > ")
			cmd, rest, err := root.Find(strings.Fields(call))
			if err != nil {
				t.Errorf("%s: %q: %v", from, strings.TrimSpace(line), err)
				continue
			}
			if cmd.Name() == "help" {
				printed(t, strings.Fields(call)...) // which fails when there is no such topic
			}
			if cmd == root && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
				t.Errorf("%s: %q names no command", from, strings.TrimSpace(line))
			}
			for _, word := range rest {
				name, isFlag := strings.CutPrefix(word, "--")
				name, _, _ = strings.Cut(name, "=")
				if isFlag && name != "help" && cmd.Flag(name) == nil {
					t.Errorf("%s: %q: %s has no --%s", from, strings.TrimSpace(line), cmd.CommandPath(), name)
				}
			}
		}
	}
	if calls < 20 {
		t.Errorf("only %d calls were found", calls)
	}
}

func narrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > helpColumns {
			t.Errorf("a line of %d columns: %q", n, line)
		}
		if strings.TrimRight(line, " \t") != line || strings.Contains(line, "\t") {
			t.Errorf("a line with blanks at its end, or a tab: %q", line)
		}
	}
}
