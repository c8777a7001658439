package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/release"
)

// A desk is where a maintainer works: a folder, and a clock.
type desk struct {
	t   *testing.T
	dir string
	now time.Time
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	d.put("passphrase", "correct horse battery\n")
	d.put("dist/connector-linux-amd64", "a program")
	d.put("dist/connector-windows-amd64.exe", "another program")
	d.put("dist/connector_1.4.0_amd64.deb", "a package")
	d.put("dist/SHA256SUMS", "sums")
	d.put("dist/.hidden", "not this")
	return d
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

func (d *desk) put(name, text string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Dir(d.path(name)), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// run runs the command. What has an @ before it is a file of the desk.
func (d *desk) run(line string) (string, error) {
	args := strings.Fields(line)
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "@", d.path("")+string(os.PathSeparator))
	}
	var out bytes.Buffer
	cmd := newCommand(&maintainer{stdin: strings.NewReader(""), stdout: &out, stderr: &out, work: 8, now: func() time.Time { return d.now }})
	cmd.SetArgs(append(args, "--passphrase-file", d.path("passphrase")))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(d.t.Context())
	return out.String(), err
}

func (d *desk) must(line string) string {
	d.t.Helper()
	out, err := d.run(line)
	if err != nil {
		d.t.Fatalf("release %s: %v\n%s", line, err, out)
	}
	return out
}

// refuses checks that a command fails, and says why.
func (d *desk) refuses(line, why string) {
	d.t.Helper()
	out, err := d.run(line)
	if err == nil || !strings.Contains(err.Error(), why) {
		d.t.Errorf("release %s: %v, want %q\n%s", line, err, why, out)
	}
}

func (d *desk) there(name string) bool {
	_, err := os.Stat(d.path(name))
	return err == nil
}

// TestWholeLife makes keys for three people, publishes, is read by a client,
// and changes keys.
func TestWholeLife(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, k := range []string{"a", "b", "c", "r", "r2"} {
		d.must("keys new @" + k)
	}
	d.put("site/.keep", "")
	if out := d.must("root @site --root @a.pub,@b.pub --root @c.pub --root-threshold 2 --releases @r.pub --key @a"); !strings.Contains(out, "1 of the keys that must sign it have, and 2 are needed") {
		t.Errorf("it says %s", out)
	}
	if d.there("site/1.root.json") || !d.there("site/1.root.json.draft") {
		t.Fatal("a root with one signature of two is published")
	}
	d.must("sign @site/1.root.json.draft --key @c")
	if !d.there("site/1.root.json") || d.there("site/1.root.json.draft") {
		t.Fatal("a root with two signatures of two is not published")
	}
	d.put("news.md", "It is faster.")
	d.must("publish @dist @site --version 1.4.0 --from 1.0.0 --notes-file @news.md --key @r")
	d.must("verify @site")

	server := httptest.NewTLSServer(http.FileServer(http.Dir(d.path("site"))))
	t.Cleanup(server.Close)
	root, err := os.ReadFile(d.path("site/1.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	o := release.Options{Root: root, URL: server.URL, HTTP: server.Client(), Now: func() time.Time { return d.now }}
	c, err := release.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Releases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	one, f, err := r.Choose(release.Query{OS: "windows", Arch: "amd64"})
	if err != nil || one.Notes != "It is faster." || one.From.String() != "1.0.0" || len(one.Files) != 4 {
		t.Fatalf("chosen is %+v (%v)", one, err)
	}
	if err := c.Fetch(t.Context(), f, d.path("fetched"), nil); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(d.path("fetched")); err != nil || string(data) != "another program" {
		t.Errorf("fetched is %q (%v)", data, err)
	}

	// Other keys; the releases are signed anew.
	d.must("root @site --root @b.pub --root @c.pub --releases @r2.pub --key @b,@c")
	if _, err := c.Releases(t.Context()); release.KindOf(err) != release.KindSignature {
		t.Errorf("releases of the old key are %v", err)
	}
	d.must("renew @site --key @r2")
	if _, err := c.Releases(t.Context()); err != nil {
		t.Error(err)
	}

	// A bundle of it, and of nothing.
	d.must("bundle @site @carry --version 1.4.0 --os linux")
	b, err := release.OpenBundle(d.path("carry"), o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if r, err := b.Releases(t.Context()); err != nil || len(r.Releases) != 1 || len(r.Releases[0].Files) != 1 {
		t.Errorf("in the bundle are %+v (%v)", r, err)
	}
	d.refuses("bundle @site @carry --version 1.4.0", "exists")
	d.refuses("bundle @site @nothing --version 1.4.0 --os plan9", "none of the releases")
	if d.there("nothing") {
		t.Error("a bundle of nothing is there")
	}

	d.refuses("publish @dist @site --version 1.4.0 --key @r2", "published already")
	d.put("dist/connector-linux-amd64", "changed")
	d.must("withdraw @site 1.4.0 --key @r2")
	d.refuses("publish @dist @site --version 1.4.0 --key @r2", "is another")
	d.refuses("withdraw @site 1.4.0 --key @r2", "no release")
	d.must("publish @dist @site --version 1.4.1 --key @r2")
	d.now = d.now.AddDate(0, 0, 61)
	d.refuses("verify @site", "expired")
	d.must("renew @site --key @r2")
	d.put("site/1.4.1/connector-linux-amd64", "spoilt")
	d.refuses("verify @site", "is not the file")
}

func TestKeysAreLocked(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must("keys new @a")
	data, err := os.ReadFile(d.path("a"))
	if err != nil || !strings.HasPrefix(string(data), "-----BEGIN AGE ENCRYPTED FILE-----") {
		t.Errorf("the key is %q (%v)", data, err)
	}
	if info, err := os.Stat(d.path("a")); err != nil || info.Mode().Perm() != 0o600 && os.PathSeparator == '/' {
		t.Errorf("its mode is %v (%v)", info.Mode(), err)
	}
	if shown := d.must("keys show @a.pub"); len(strings.Fields(shown)[0]) != 64 {
		t.Errorf("shown is %q", shown)
	}
	d.refuses("keys new @a", "exists")
	d.refuses("keys show @a", "no public key")
	d.put("passphrase", "wrong horse battery\n")
	d.put("site/.keep", "")
	d.refuses("root @site --root @a.pub --releases @a.pub --key @a", "unlock")
	d.put("passphrase", "short\n")
	d.refuses("keys new @b", "at least 12")
	if d.there("b") || d.there("site/1.root.json") {
		t.Error("something was written")
	}
}

func TestNothingToPublish(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must("keys new @a")
	d.put("site/.keep", "")
	d.put("empty/README", "no program")
	d.must("root @site --root @a.pub --releases @a.pub --key @a")
	d.refuses("publish @empty @site --version 1.4.0 --key @a", "no program")
	d.refuses("publish @none @site --version 1.4.0 --key @a", "no such file")
	d.refuses("publish @dist @site --version one --key @a", "is no version")
	d.refuses("publish @dist @site --version 1.4.0 --from 2.0.0 --key @a", "which is newer")
	d.refuses("sign @site/1.root.json --key @a", "name a draft")
	if d.there("site/releases.json") {
		t.Error("something was published")
	}
	d.must("publish @dist @site --version 1.4.0") // nobody signed it
	if d.there("site/releases.json") || !d.there("site/releases.json.draft") {
		t.Error("releases without a signature are published")
	}
	d.must("sign @site/releases.json.draft --key @a")
	d.must("verify @site")
}
