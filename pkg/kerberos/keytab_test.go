package kerberos

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

func someKeytab(t testing.TB) []byte {
	t.Helper()
	kt := keytab.New()
	for _, e := range []struct {
		kvno uint8
		kind int32
	}{{3, 18}, {3, 23}, {2, 17}} {
		if err := kt.AddEntry("HTTP/connector.corp.example", "CORP.EXAMPLE", "secret", time.Unix(1_700_000_000, 0), e.kvno, e.kind); err != nil {
			t.Fatal(err)
		}
	}
	data, err := kt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestReadKeytab(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := someKeytab(t)
	keys, err := ReadKeytab(write("good", good))
	key := func(kvno uint32, kind int32) Key {
		return Key{"HTTP/connector.corp.example", "CORP.EXAMPLE", kvno, kind}
	}
	if diff := cmp.Diff([]Key{key(3, 18), key(3, 23), key(2, 17)}, keys); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
	if _, err := ReadKeytab(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a file that is not there: %v", err)
	}
	if _, err := ReadKeytab(dir); err == nil {
		t.Error("a folder was read")
	}
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("HTTP/connector"), "short": good[:len(good)-3], "version": {5, 9, 1, 2}, "one": {5},
		"lie": {5, 2, 0x7f, 0xff, 0xff, 0xff, 0, 1}, "large": make([]byte, maxKeytab+1),
	} {
		if keys, err := ReadKeytab(write(name, data)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, keys, err)
		}
	}
}

func TestKeytabPath(t *testing.T) {
	for value, want := range map[string]string{
		"": DefaultKeytab, "/a/b": "/a/b", "FILE:/a/b": "/a/b", "WRFILE:/a": "/a", "a:b/c": "", "/a:b": "/a:b", "MEMORY:x": "", "some.keytab": "some.keytab",
	} {
		got, err := KeytabPath(func(string) string { return value })
		if got != want || (err != nil) != (want == "") {
			t.Errorf("KRB5_KTNAME=%q: %q, %v; want %q", value, got, err, want)
		}
	}
}

func FuzzKeytab(f *testing.F) {
	good := someKeytab(f)
	f.Add(good)
	f.Add(good[:40])
	f.Add([]byte{5, 1, 0, 0, 0, 4, 1, 2, 3, 4})
	f.Add([]byte{5, 2, 0xff, 0xff, 0xff, 0xfe, 1, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parseKeytab(data)
		if err != nil && keys != nil {
			t.Errorf("%v beside %v", keys, err)
		}
	})
}
