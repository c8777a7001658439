package service

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// plist is the property list of a launchd job that starts with the system and
// is started again whatever ended it, ten seconds later at the earliest:
// launchd knows no growing wait and no watchdog.
func plist(u Unit) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(`<?xml version="1.0" encoding="UTF-8"?>`)
	line("<!-- %s, and again when it is installed or updated. -->", ours)
	line(`<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">`)
	line("<plist version=\"1.0\">\n<dict>")
	text := func(key, value string) { line("\t<key>%s</key>\n\t<string>%s</string>", key, escape(value)) }
	text("Label", u.Name)
	line("\t<key>ProgramArguments</key>\n\t<array>")
	for _, word := range append([]string{u.Program}, u.Args...) {
		line("\t\t<string>%s</string>", escape(word))
	}
	line("\t</array>")
	text("WorkingDirectory", u.Home)
	text("UserName", u.User)
	text("GroupName", u.User)
	line("\t<key>RunAtLoad</key>\n\t<true/>\n\t<key>KeepAlive</key>\n\t<true/>")
	line("\t<key>ThrottleInterval</key>\n\t<integer>10</integer>\n\t<key>ExitTimeOut</key>\n\t<integer>30</integer>")
	line("\t<key>Umask</key>\n\t<integer>%d</integer>", 0o077)
	line("\t<key>HardResourceLimits</key>\n\t<dict>\n\t\t<key>Core</key>\n\t\t<integer>0</integer>\n\t</dict>")
	line("</dict>\n</plist>")
	return b.String()
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}
