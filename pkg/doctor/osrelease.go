package doctor

import (
	"strings"
	"time"
)

// parseOSRelease reads /etc/os-release: lines of KEY=value, the value quoted as
// in a shell. What it does not understand it leaves out.
func parseOSRelease(data []byte) System {
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		values[key] = unquote(value)
	}
	s := System{Name: values["PRETTY_NAME"], ID: strings.ToLower(values["ID"]), Version: values["VERSION_ID"]}
	if s.ID == "" {
		s.ID = "linux" // as os-release(5) says
	}
	if s.Name == "" {
		s.Name = "Linux"
	}
	if day, err := time.Parse(time.DateOnly, values["SUPPORT_END"]); err == nil {
		s.Ends = day
	}
	return s
}

// unquote undoes a shell's quotes around one word.
func unquote(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '\'' {
		return s
	}
	quote, s := s[0], s[1:len(s)-1]
	if quote == '\'' {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
