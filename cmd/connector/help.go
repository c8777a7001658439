package main

import (
	"embed"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

//go:embed guide/*.md guide/metrics/* guide/load-balancer/*
var guides embed.FS

// exitStatuses is what every command's help ends with.
const exitStatuses = `Exit status:
  0 done   1 fault   2 usage   3 a blocking check failed, nothing was changed
  4 only warnings, and --fail-on-warnings   5 undone, the machine is as before
  6 refused by the tenant or the directory   130 interrupted`

// helpTemplate puts what people look for first: one sentence, an example.
const helpTemplate = `{{.Short}}.{{with .Long}}

{{.}}{{end}}

Example:
{{.Example}}

Usage:
  {{if .Runnable}}{{.UseLine}}{{else}}{{.CommandPath}} COMMAND{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 98 | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of all commands:
{{.InheritedFlags.FlagUsagesWrapped 98 | trimTrailingWhitespaces}}{{end}}

` + exitStatuses + `
`

func helpText(root *cobra.Command) {
	root.SetHelpTemplate(helpTemplate)
	root.SetUsageTemplate(helpTemplate)
}

func newHelpCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "help [TOPIC]",
		Short:   "Explain a command or a topic",
		Long:    "Topics:\n" + topicList(),
		Example: "  connector help install\n  connector help exit-codes",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if text, err := guides.ReadFile("guide/" + args[0] + ".md"); err == nil {
					return a.text("%s", text)
				}
				// A guide's files, such as metrics/alerts.yml, go where they are sent.
				if text, err := guides.ReadFile("guide/" + args[0]); err == nil {
					return a.text("%s", text)
				}
			}
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("there is no command or topic %q; topics: %s", strings.Join(args, " "), strings.Join(topics(), ", "))
			}
			found.InitDefaultHelpFlag() // as --help itself does, so that both say the same
			return found.Help()
		},
	}
}

// topics are the guides that the binary carries, because the server where they
// are needed has no browser.
func topics() []string {
	names, _ := fs.Glob(guides, "guide/*.md") // the pattern is constant and well-formed
	for i, n := range names {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(n, "guide/"), ".md")
	}
	slices.Sort(names)
	return names
}

// topicList names the topics in lines that fit.
func topicList() string {
	text, line := "", ""
	for _, name := range topics() {
		if line != "" && len(line)+len(name) > 76 {
			text, line = text+line+",\n", ""
		}
		if line == "" {
			line = "  " + name
		} else {
			line += ", " + name
		}
	}
	return text + line
}
