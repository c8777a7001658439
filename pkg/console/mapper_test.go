package console

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
)

// A fakeMapper is a script and its history.
type fakeMapper struct {
	mu      sync.Mutex
	text    string
	former  []string
	profile string
}

func (m *fakeMapper) options() Options {
	return Options{Health: func() []agent.Health { return nil }, Mapper: &Mapper{
		Read: func() (Script, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			return Script{Text: m.text, Name: "lib/profileMapper.js", Timeout: 10 * time.Second, Memory: 128}, nil
		},
		Try: func(_ context.Context, text, user string) (Trial, error) {
			switch {
			case strings.Contains(text, "syntax"):
				return Trial{}, errors.New("load this script: SyntaxError (1:1)")
			case user == "":
				return Trial{}, nil
			case strings.Contains(text, "throws"):
				return Trial{Now: m.profile, ThenErr: "run this script: Error: " + xssCorpus[0]}, nil
			}
			return Trial{Now: m.profile, Then: m.profile, ThenTook: time.Millisecond, Diff: []MemberDiff{{xssCorpus[0], xssCorpus[1], xssCorpus[2]}}}, nil
		},
		Save: func(_ context.Context, text, over string) (string, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if over != m.text {
				return "", ErrChanged
			}
			m.former, m.text = append(m.former, m.text), text
			return "", nil
		},
		History: func() (list []Former, err error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for i := range m.former {
				list = append(list, Former{ID: string(rune('a' + i)), Until: time.Now(), Note: xssCorpus[0]})
			}
			return list, nil
		},
		Former: func(id string) (string, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if id != "a" || len(m.former) == 0 {
				return "", notFound()
			}
			return m.former[0], nil
		},
		Entry: func(_ context.Context, login string) (*Entry, error) {
			if login == "nobody" {
				return nil, nil
			}
			return hostileEntry(), nil
		},
	}}
}

var overInPage = regexp.MustCompile(`name="over" value="([^"]+)"`)

// TestMapper tries, saves, meets another who has saved, and looks back.
func TestMapper(t *testing.T) {
	t.Parallel()
	m := &fakeMapper{text: "module.exports = one;\n// </textarea><script>alert(1)</script>\n", profile: hostileProfile(t)}
	v := newVisitor(t, m.options())
	_, body := v.get("/profile-mapper")
	checkEscaped(t, body)
	edit := func(body, script, user, action string) (int, string) {
		code, body := v.post("/profile-mapper", url.Values{"script": {script}, "user": {user}, "action": {action}, "over": {overInPage.FindStringSubmatch(body)[1]}})
		checkEscaped(t, body)
		return code, body
	}
	first := body
	if code, body := edit(body, "syntax", "", "save"); code != 422 || !strings.Contains(body, "SyntaxError (1:1)") || !strings.Contains(body, "\nsyntax</textarea>") {
		t.Errorf("what does not compile: %d", code)
	}
	if code, body := edit(body, "throws", "mary", "save"); code != 422 || !strings.Contains(body, "does not work for mary") {
		t.Errorf("what does not work: %d", code)
	}
	if code, body := edit(body, "two", "", "try"); code != 200 || !strings.Contains(body, "It compiles") {
		t.Errorf("what compiles: %d", code)
	}
	if code, body := edit(body, "two", "mary", "try"); code != 200 || !strings.Contains(body, "Members that differ") {
		t.Errorf("what works: %d", code)
	}
	if len(m.former) > 0 {
		t.Fatal("it was saved")
	}
	_, body = v.get("/profile-mapper")
	if code, _ := edit(body, "two\r\nlines", "mary", "save"); code != 303 || m.text != "two\nlines" {
		t.Fatalf("saving: %d, the script is %q", code, m.text)
	}
	// The first page is older than that.
	code, body := edit(first, "three", "", "save")
	if code != 422 || !strings.Contains(body, `id="conflicts"`) || !strings.Contains(body, "two") || !strings.Contains(body, "three</textarea>") || m.text != "two\nlines" {
		t.Errorf("another has saved: %d", code)
	}
	if code, _ := edit(body, "three", "", "save"); code != 303 || m.text != "three" {
		t.Errorf("saving over it: %d, the script is %q", code, m.text)
	}
	_, body = v.get("/profile-mapper/former?id=a")
	if !strings.Contains(body, "module.exports = one;") {
		t.Errorf("the former script: %s", body)
	}
	checkEscaped(t, body)
	if _, body = v.get("/profile-mapper?former=a"); !strings.Contains(body, "module.exports = one;") {
		t.Error("the former script is not in the editor")
	}
	if code, _ := v.get("/profile-mapper/former?id=../x"); code != 404 {
		t.Errorf("no such script: %d", code)
	}
	if code, _ := v.post("/profile-mapper", url.Values{"script": {strings.Repeat("x", 3*longestScript+usualBody)}}); code != 413 {
		t.Errorf("a large script: %d", code)
	}
	if code, body := v.post("/profile-mapper/names", url.Values{"user": {"mary"}}); code != 200 || !strings.Contains(body, `"displayName"`) || strings.Contains(body, "<script>") {
		t.Errorf("the names: %d %s", code, body)
	}
	if code, body := v.post("/profile-mapper/names", url.Values{"user": {"nobody"}}); code != 422 || !strings.Contains(body, "User not found.") {
		t.Errorf("nobody's names: %d %s", code, body)
	}
}

// TestDiffLines: what is taken away and what comes gives the two texts.
func TestDiffLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ from, to, want string }{
		{"", "", ""},
		{"a\nb\nc\n", "a\nb\nc\n", ""},
		{"a\nb\nc\n", "a\nx\nc\n", " a|-b|+x| c"},
		{"", "a\nb", "+a|+b"},
		{"a\nb", "", "-a|-b"},
		{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", " 7| 8| 9|+10"},
		{"x\n1\n2\n3\n4\n5\n6\n7\n8\ny\n", "X\n1\n2\n3\n4\n5\n6\n7\n8\nY\n", "-x|+X| 1| 2| 3|@...| 6| 7| 8|-y|+Y"},
	} {
		var got []string
		for _, l := range diffLines(tt.from, tt.to) {
			got = append(got, l.Kind+l.Text)
		}
		if s := strings.Join(got, "|"); s != tt.want {
			t.Errorf("%q to %q: %s, want %s", tt.from, tt.to, s, tt.want)
		}
	}
	large := strings.Repeat("a\n", 3*mostCompared)
	if got := diffLines("x\n"+large+"y", "z\n"+strings.ReplaceAll(large, "a", "b")+"w"); len(got) != 6*mostCompared+4 {
		t.Errorf("large texts: %d lines", len(got))
	}
}
