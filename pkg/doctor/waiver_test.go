package doctor

import (
	"strings"
	"testing"
	"time"
)

func TestParseWaiver(t *testing.T) {
	w, err := ParseWaiver("agent.duplicate=on purpose, ask ops@corp.example@2026-12-31")
	want := Waiver{"agent.duplicate", "on purpose, ask ops@corp.example", time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)}
	if err != nil || w != want {
		t.Errorf("%+v, %v", w, err)
	}
	for text, problem := range map[string]string{
		"":                                     "write it as ID=reason@YYYY-MM-DD",
		"agent.duplicate":                      "write it as",
		"agent.duplicate=why":                  "write it as",
		"agent.duplicate@2026-12-31":           "write it as",
		"agent.duplicat=why@2026-12-31":        "no such check",
		"agent=why@2026-12-31":                 "no such check",
		"agent.duplicate= @2026-12-31":         "say why",
		"agent.duplicate=@2026-12-31":          "say why",
		"agent.duplicate=why@2026-02-30":       "is no day",
		"agent.duplicate=why@":                 "is no day",
		"agent.duplicate=why@31.12.2026":       "is no day",
		"agent.duplicate=why@2026-12-31T00:00": "is no day",
	} {
		if _, err := ParseWaiver(text); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%q: %v, want %q", text, err, problem)
		}
	}
}

func TestParseWaivers(t *testing.T) {
	const good = `{"id":"agent.duplicate","reason":"why","until":"2026-12-31"}`
	if w, err := ParseWaivers([]byte("\xef\xbb\xbf[" + good + "]\n")); err != nil || len(w) != 1 || w[0].Reason != "why" {
		t.Errorf("%v, %v", w, err)
	}
	w, err := ParseWaivers([]byte(`[` + good + `,{"id":"x"},{"id":"agent.keys","reason":"why","until":"soon"}]`))
	if len(w) != 1 || err == nil || !strings.Contains(err.Error(), `entry 2: waive "x"`) || !strings.Contains(err.Error(), "entry 3: waive agent.keys") {
		t.Errorf("%v, %v", w, err)
	}
	for _, text := range []string{"", "{}", "[" + good, good, "[" + good + "] []", `[{"ID":1}]`, `[{"id":"agent.keys","why":""}]`} {
		if w, err := ParseWaivers([]byte(text)); err == nil || w != nil {
			t.Errorf("%q: %v, %v", text, w, err)
		}
	}
}

func FuzzParseWaivers(f *testing.F) {
	f.Add([]byte(`[{"id":"agent.duplicate","reason":"why","until":"2026-12-31"}]`), "agent.duplicate=why@2026-12-31")
	f.Add([]byte(`[{"id":"x"}]`), "a=b@c@d")
	f.Fuzz(func(t *testing.T, file []byte, flag string) {
		all, _ := ParseWaivers(file)
		if w, err := ParseWaiver(flag); err == nil {
			all = append(all, w)
		}
		for _, w := range all {
			if find(Checks, w.ID) == nil || strings.TrimSpace(w.Reason) == "" || w.Until.IsZero() || strings.ContainsAny(w.Reason, "\n\x1b") {
				t.Errorf("%+v", w)
			}
		}
	})
}
