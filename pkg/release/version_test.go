package release

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestVersionsInOrder has section 11's example among them.
func TestVersionsInOrder(t *testing.T) {
	t.Parallel()
	order := []string{
		"0.0.0-dev", "0.0.1", "0.9.10", "1.0.0-0.3.7", "1.0.0-9", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
		"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc.1.0", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "10.0.0",
	}
	for i, a := range order {
		for j, b := range order {
			want := 0
			if i != j {
				want = 1
				if i < j {
					want = -1
				}
			}
			if have := version(a).Compare(version(b + "+build.1")); have != want {
				t.Errorf("%s against %s is %d, want %d", a, b, have, want)
			}
		}
		if version(a).String() != a || version("v"+a) != version(a) || version(a).Compare(Version{}) != 1 || (Version{}).Compare(version(a)) != -1 {
			t.Errorf("%s is %s", a, version(a))
		}
	}
}

func TestNoVersions(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "v", "1", "1.2", "1.2.3.4", "01.2.3", "1.02.3", "1.2.-3", "+1.2.3", "1.2.3-", "1.2.3+", "1.2.3-01", "1.2.3-a..b", "1.2.3-a_b",
		"1.2.3-ü", " 1.2.3", "1.2.3 ", "vv1.2.3", "1.2.99999999999999999999", "1.2.3-" + strings.Repeat("a", 60),
	} {
		if v, err := ParseVersion(s); err == nil {
			t.Errorf("%q is taken for %s", s, v)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	program := func(v, from string, channels ...string) Release {
		r := Release{Version: version(v), Channels: channels, Files: []File{{Kind: FileProgram, OS: "linux", Arch: "amd64", Path: v + "/a"}, {Kind: FileDeb, OS: "windows", Arch: "amd64"}}}
		if from != "" {
			r.From = version(from)
		}
		return r
	}
	r := Releases{Releases: []Release{
		program("3.1.0-rc.1", "2.0.0", "beta"), program("3.0.0", "2.0.0", "stable", "beta"), program("2.1.0", "1.0.0", "stable"), program("1.4.0", "", "stable"),
	}}
	for _, test := range []struct {
		q    Query
		want string
		kind Kind
	}{
		{Query{OS: "linux", Arch: "amd64"}, "3.0.0", ""},
		{Query{OS: "linux", Arch: "amd64", Channel: "beta"}, "3.1.0-rc.1", ""},
		{Query{OS: "linux", Arch: "amd64", Channel: AnyChannel}, "3.1.0-rc.1", ""},
		{Query{OS: "linux", Arch: "amd64", Current: version("3.0.0")}, "3.0.0", ""},
		{Query{OS: "linux", Arch: "amd64", Current: version("9.0.0")}, "3.0.0", ""},
		{Query{OS: "linux", Arch: "amd64", Current: version("1.9.0")}, "2.1.0", ""}, // a step on the way
		{Query{OS: "linux", Arch: "amd64", Current: version("0.9.0")}, "1.4.0", ""},
		{Query{OS: "linux", Arch: "amd64", To: version("1.4.0"), Current: version("3.0.0")}, "1.4.0", ""},
		{Query{OS: "linux", Arch: "amd64", To: version("v3.1.0-rc.1")}, "3.1.0-rc.1", ""},
		{Query{OS: "linux", Arch: "amd64", To: version("3.0.0"), Current: version("1.4.0")}, "", KindStep},
		{Query{OS: "linux", Arch: "amd64", Channel: "beta", Current: version("1.4.0")}, "", KindStep},
		{Query{OS: "linux", Arch: "amd64", To: version("2.2.2")}, "", KindVersion},
		{Query{OS: "linux", Arch: "amd64", Channel: "nightly"}, "", KindVersion},
		{Query{OS: "linux", Arch: "386"}, "", KindSystem},
		{Query{OS: "windows", Arch: "amd64", To: version("3.0.0")}, "", KindSystem},
	} {
		one, f, err := r.Choose(test.q)
		if test.kind != "" {
			refused(t, err, test.kind)
			continue
		}
		if err != nil || one.Version.String() != test.want || !slices.Contains(one.Files, f) || f.OS != test.q.OS || f.Kind != FileProgram {
			t.Errorf("%+v: %v, %+v (%v), want %s", test.q, one.Version, f, err, test.want)
		}
	}
	_, _, err := (&Releases{}).Choose(Query{OS: "linux", Arch: "amd64"})
	refused(t, err, KindVersion)
}

// TestReleasesRefusedByForm has what releases may not say.
func TestReleasesRefusedByForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	good := Releases{Version: 7, Expires: today, Releases: []Release{s.release()}}
	payload, err := good.encode()
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(string(payload), `"format"`, `"mirrors": ["x"], "format"`, 1)
	if r, err := parseReleases([]byte(later)); err != nil || len(r.Releases) != 1 {
		t.Errorf("what later versions say besides is no reason to read nothing: %v", err)
	}
	for name, change := range map[string][2]string{
		"format":       {`"format": 1`, `"format": 2`},
		"version":      {`"version": 7`, `"version": 0`},
		"no number":    {`"version": 7`, `"version": 7.5`},
		"release":      {`"1.4.0"`, `"1.4"`},
		"release's v":  {`"1.4.0"`, `"v1.4.0"`},
		"no release":   {`"1.4.0"`, `""`},
		"from later":   {`"notes"`, `"from": "1.4.1", "notes"`},
		"channel":      {`"stable"`, `"Stable!"`},
		"no channel":   {`"stable"`, ``},
		"way out":      {`"path": "1.4.0/`, `"path": "1.4.0/../`},
		"absolute":     {`"path": "1.4.0/`, `"path": "/1.4.0/`},
		"document":     {`"path": "1.4.0/connector-linux-amd64"`, `"path": "2.root.json"`},
		"backslash":    {`"path": "1.4.0/`, `"path": "1.4.0\\`},
		"hidden":       {`"path": "1.4.0/`, `"path": "1.4.0/.`},
		"query":        {`connector-linux-amd64"`, `connector?a"`},
		"size":         {`"size": 200000`, `"size": 0`},
		"huge":         {`"size": 200000`, `"size": 99999999999`},
		"hash":         {s.file().SHA256, s.file().SHA256[2:]},
		"hash's case":  {s.file().SHA256, strings.ToUpper(s.file().SHA256)},
		"kind":         {`"kind": "program"`, `"kind": ""`},
		"no system":    {`"os": "linux"`, `"os": ""`},
		"odd system":   {`"os": "linux"`, `"os": "Linux/.."`},
		"member twice": {`"size"`, `"Size": 1, "size"`},
		"null":         {string(payload), `null`},
		"array":        {string(payload), `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := strings.Replace(string(payload), change[0], change[1], 1)
			if bad == string(payload) {
				t.Fatalf("nothing was changed in %s", payload)
			}
			if r, err := parseReleases([]byte(bad)); err == nil {
				t.Errorf("accepted as %+v: %s", r, bad)
			}
		})
	}
	for name, spoil := range map[string]func(r *Releases){
		"twice":        func(r *Releases) { r.Releases = append(r.Releases, s.release()) },
		"two programs": func(r *Releases) { f := s.file(); f.Path += "x"; r.Releases[0].Files = append(r.Releases[0].Files, f) },
		"file twice": func(r *Releases) {
			f := s.file()
			f.OS = "windows"
			r.Releases[0].Files = append(r.Releases[0].Files, f)
		},
		"many":          func(r *Releases) { r.Releases = make([]Release, maxReleases+1) },
		"many files":    func(r *Releases) { r.Releases[0].Files = make([]File, maxFiles+1) },
		"no date":       func(r *Releases) { r.Releases[0].Date = time.Time{} },
		"many channels": func(r *Releases) { r.Releases[0].Channels = make([]string, maxChannels+1) },
	} {
		r := Releases{Version: 7, Expires: today, Releases: []Release{s.release()}}
		spoil(&r)
		if _, err := r.Document(releasesKey); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}
