package home

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An entry is one of a hostile archive, which is written as told.
type hostile struct {
	name, text string
	mode       fs.FileMode
	change     func(*zip.FileHeader) // the header as it is written, for lies
	raw        bool                  // the text is the compressed data itself
}

func zipped(t testing.TB, entries ...hostile) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		header.SetMode(e.mode)
		if e.raw {
			header.Method = zip.Store
			header.CRC32 = crc32.ChecksumIEEE([]byte(e.text))
			header.CompressedSize64, header.UncompressedSize64 = uint64(len(e.text)), uint64(len(e.text))
		}
		if e.change != nil {
			e.change(header)
		}
		create := z.CreateHeader
		if e.raw {
			create = z.CreateRaw
		}
		w, err := create(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// good is a plain archive, after which further entries may be put.
func good(t testing.TB, more ...hostile) []hostile {
	t.Helper()
	f := configured(t)
	var entries []hostile
	for _, name := range []string{configFile, mapperFile, keyFile, certFile} {
		entries = append(entries, hostile{name: name, text: f[name]})
	}
	return append(entries, more...)
}

// without leaves out an entry, and instead puts another one in.
func without(entries []hostile, name string, instead ...hostile) []hostile {
	return append(slices.DeleteFunc(entries, func(e hostile) bool { return e.name == name }), instead...)
}

func under(folder string, entries []hostile) []hostile {
	for i := range entries {
		entries[i].name = folder + entries[i].name
	}
	return entries
}

func read(data []byte) (*Archive, error) { return ReadArchive(bytes.NewReader(data), int64(len(data))) }

func TestReadArchive(t *testing.T) {
	f := configured(t)
	folder := hostile{name: "lib/", mode: fs.ModeDir | 0o755}
	for name, tt := range map[string]struct {
		entries []hostile
		notes   int
	}{
		"plain":                     {good(t), 0},
		"with folders":              {good(t, folder), 0},
		"in one folder":             {under("connector/", good(t, folder)), 0},
		"in a folder named data":    {under("data/", good(t)), 1}, // its mapper has another name there
		"with strangers":            {good(t, hostile{name: "README.txt"}, hostile{name: "certs/ca.pem"}), 2},
		"packed by a Mac":           {append(under("connector/", good(t)), hostile{name: "__MACOSX/connector/._config.json"}), 1},
		"with a secret-like nested": {good(t, hostile{name: "old/config.json", text: "{"}), 1},
		"stored":                    {good(t, hostile{name: "stored.bin", text: "x", raw: true}), 1},
	} {
		a, err := read(zipped(t, tt.entries...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cert, key := a.Pair.PEM()
		conf, err := a.Config.Encode()
		if string(cert) != f[certFile] || string(key) != f[keyFile] || string(conf) != f[configFile] || err != nil {
			t.Errorf("%s: not byte for byte", name)
		}
		if a.Mapper != f[mapperFile] && name != "in a folder named data" {
			t.Errorf("%s: mapper is %q", name, a.Mapper)
		}
		if len(a.Notes) != tt.notes {
			t.Errorf("%s: notes %q", name, a.Notes)
		}
	}
}

// The keys may be in the configuration itself.
func TestReadArchiveWithKeysInside(t *testing.T) {
	cert, key := testPair(t, "b").PEM()
	quote := func(b []byte) string { return strings.ReplaceAll(string(b), "\n", `\n`) }
	a, err := read(zipped(t, hostile{name: configFile, text: fmt.Sprintf(`{"AUTH_CERT":"%s","AUTH_CERT_KEY":"%s"}`, quote(cert), quote(key))}))
	if err != nil {
		t.Fatal(err)
	}
	if _, got := a.Pair.PEM(); !bytes.Equal(got, key) {
		t.Error("another key")
	}
}

// A refusal is a hostile or broken archive, and what it gets.
type refusal struct {
	data []byte
	want string
}

func refusals(t *testing.T) map[string]refusal {
	t.Helper()
	otherCert, otherKey := testPair(t, "b").PEM()
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	config := func(text string) []hostile {
		return without(good(t), configFile, hostile{name: configFile, text: text})
	}
	var many []hostile
	for i := range 61 {
		many = append(many, hostile{name: fmt.Sprintf("x%d", i)})
	}
	// Sizes that the headers lie about, in the directory at the end.
	lie := func(size uint32) []byte {
		data := zipped(t, good(t)...)
		i := bytes.Index(data, []byte("PK\x01\x02"))
		binary.LittleEndian.PutUint32(data[i+24:], size)
		return data
	}
	flip := func() []byte {
		data := zipped(t, good(t)...)
		data[bytes.Index(data, []byte(configFile))+len(configFile)+20] ^= 0xff
		return data
	}
	flags := func(bits uint16) func(*zip.FileHeader) {
		return func(h *zip.FileHeader) { h.Flags |= bits }
	}
	return map[string]refusal{
		"authorities are none":  {commented(t, `{"manifest":1,"authorities":"x"}`), "the certificate authorities: there is no certificate"},
		"authorities are a key": {commented(t, `{"manifest":1,"authorities":`+strconv.Quote(string(otherKey))+`}`), "the certificate authorities: number 1 is a"},
		"empty file":            {nil, "it is not a zip file, or is cut short"},
		"no zip":                {[]byte(strings.Repeat("hello ", 100)), "it is not a zip file"},
		"cut short":             {zipped(t, good(t)...)[:2000], "it is not a zip file, or is cut short"},
		"a huge file":           {make([]byte, maxArchive+1), "it is larger than 8 MiB"},
		"empty zip":             {zipped(t), "there is no config.json in it"},
		"up and out":            {zipped(t, good(t, hostile{name: "../evil"})...), `entry "../evil": its name leads out of the archive`},
		"up and out, deep":      {zipped(t, good(t, hostile{name: "lib/../../evil"})...), "its name leads out"},
		"up and stay":           {zipped(t, good(t, hostile{name: "lib/../config.json"})...), "its name leads out"},
		"absolute":              {zipped(t, good(t, hostile{name: "/etc/passwd"})...), "its name is absolute"},
		"backslash":             {zipped(t, good(t, hostile{name: `..\evil`})...), "its name has a backslash"},
		"drive letter":          {zipped(t, good(t, hostile{name: "C:/evil"})...), "its name has a colon"},
		"stream of a file":      {zipped(t, good(t, hostile{name: "config.json:x"})...), "its name has a colon"},
		"doubled slash":         {zipped(t, good(t, hostile{name: "lib//x"})...), "its name is not in its simplest form"},
		"dot":                   {zipped(t, good(t, hostile{name: "./x"})...), "its name is not in its simplest form"},
		"name with a NUL":       {zipped(t, good(t, hostile{name: "x\x00.js"})...), "its name is not plain text"},
		"name with an escape":   {zipped(t, good(t, hostile{name: "\x1b[2Jx"})...), "its name is not plain text"},
		"name is no UTF-8":      {zipped(t, good(t, hostile{name: "x\xff"})...), "its name is not plain text"},
		"no name":               {zipped(t, good(t, hostile{name: ""})...), "its name is empty"},
		"symbolic link":         {zipped(t, without(good(t), keyFile, hostile{name: keyFile, text: "/etc/shadow", mode: fs.ModeSymlink | 0o777})...), `entry "certs/cert.key": it is neither a file nor a folder`},
		"device":                {zipped(t, good(t, hostile{name: "x", mode: fs.ModeDevice | 0o600})...), "it is neither a file nor a folder"},
		"folder without slash":  {zipped(t, good(t, hostile{name: "x", mode: fs.ModeDir | 0o755})...), "it is a folder by its mode or by its name"},
		"twice":                 {zipped(t, good(t, hostile{name: configFile, text: "{}"})...), `entry "config.json": it is there twice`},
		"twice but for case":    {zipped(t, good(t, hostile{name: "CONFIG.json", text: "{}"})...), "it is there twice"},
		"encrypted":             {zipped(t, good(t, hostile{name: "x", text: "x", raw: true, change: flags(1)})...), "it is encrypted"},
		"strange compression":   {zipped(t, good(t, hostile{name: "x", text: "x", raw: true, change: func(h *zip.FileHeader) { h.Method = 14 }})...), "compressed with method 14"},
		"many entries":          {zipped(t, good(t, many...)...), "it has 65 entries, and may have 64"},
		"one huge entry":        {zipped(t, good(t, hostile{name: "x", text: zeros(maxFile + 1)})...), "it unpacks to more than 4 MiB"},
		"bomb":                  {zipped(t, good(t, hostile{name: "x", text: zeros(1 << 20)})...), "it unpacks to more than 100 times its size"},
		"together too large":    {zipped(t, good(t, hostile{name: "x", text: noise(3 << 20)}, hostile{name: "y", text: noise(3 << 20)}, hostile{name: "z", text: text(4 << 20)})...), "it unpacks to more than 8 MiB"},
		"claims to be short":    {lie(10), `entry "config.json": it is damaged`},
		"claims to be longer":   {lie(5000), `entry "config.json": it is damaged`},
		"claims 4 GiB":          {lie(0xfffffffe), "it unpacks to more than 4 MiB"},
		"bits flipped":          {flip(), `entry "config.json": it is damaged`},
		"two connectors":        {zipped(t, append(under("a/", good(t)), under("b/", good(t))...)...), `it holds several connectors: "a", "b"`},
		"no configuration":      {zipped(t, without(good(t), configFile)...), "there is no config.json in it"},
		"no key":                {zipped(t, without(good(t), keyFile)...), "there is no certs/cert.key in it"},
		"no certificate":        {zipped(t, without(good(t), certFile)...), "there is no certs/cert.pem in it"},
		"config.json a folder":  {zipped(t, without(good(t), configFile, hostile{name: configFile + "/", mode: fs.ModeDir | 0o755})...), "there is no config.json in it"},
		"broken configuration":  {zipped(t, config("{\n")...), "config.json: "},
		"another key":           {zipped(t, without(good(t), keyFile, hostile{name: keyFile, text: string(otherKey)})...), "the private key does not belong to the certificate"},
		"another certificate":   {zipped(t, without(good(t), certFile, hostile{name: certFile, text: string(otherCert)})...), "the private key does not belong to the certificate"},
		"key is garbage":        {zipped(t, without(good(t), keyFile, hostile{name: keyFile, text: "x"})...), "read the private key: it is not PEM"},
		"sealed by another":     {zipped(t, config(`{"LDAP_BIND_CREDENTIALS":"`+sealedWith("b")+`"}`)...), "LDAP_BIND_CREDENTIALS and the private key: open a sealed secret: sealed with another key"},
		"certificate is a name": {zipped(t, config(`{"AUTH_CERT":"cert.pem"}`)...), "AUTH_CERT: "},
		"not sealed at all":     {zipped(t, config(`{"LDAP_BIND_CREDENTIALS":"Passw0rd!"}`)...), "LDAP_BIND_CREDENTIALS"},
	}
}

// What each hostile or broken archive gets. The small ones are also a corpus of
// files, which is written with -update.
func TestReadArchiveRefuses(t *testing.T) {
	f := configured(t)
	_, otherKey := testPair(t, "b").PEM()
	corpus := map[string]string{".gitattributes": "* -text\n"}
	for name, tt := range refusals(t) {
		if len(tt.data) < 64<<10 {
			corpus[strings.ReplaceAll(strings.ReplaceAll(name, ",", ""), " ", "-")+".zip"] = string(tt.data)
		}
		a, err := read(tt.data)
		if a != nil || err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if !strings.HasPrefix(err.Error(), "read the archive: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error is %q, want %q", name, err, tt.want)
		}
		for _, secret := range []string{"Passw0rd!", strings.Split(f[keyFile], "\r\n")[3], strings.Split(string(otherKey), "\n")[3]} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error shows a secret", name)
			}
		}
	}
	if *update {
		layIn(t, hostileFolder, corpus)
	}
	there := filesBelow(t, hostileFolder)
	for name := range corpus {
		if _, ok := there[name]; !ok {
			t.Errorf("%s is not in %s: run go test ./pkg/home -run ReadArchiveRefuses -update", name, hostileFolder)
		}
	}
	for name, data := range there {
		if _, err := read([]byte(data)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

const hostileFolder = "../../testdata/hostile"

// commented is a good archive with another comment.
func commented(t testing.TB, comment string) []byte {
	t.Helper()
	f := configured(t)
	data, err := pack(comment, file{configFile, []byte(f[configFile])}, file{keyFile, []byte(f[keyFile])}, file{certFile, []byte(f[certFile])})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// noise does not shrink; text shrinks to about a tenth.
func noise(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return string(b)
}

func text(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "profile.attribute%d = raw_data.attribute%d;\n", i, i*7)
	}
	return b.String()[:n]
}

func FuzzReadArchive(f *testing.F) {
	plain := func(more ...hostile) []hostile { // nothing sealed: that would be slow to open
		return append(without(good(f), configFile, hostile{name: configFile, text: "{}"}), more...)
	}
	f.Add(zipped(f, plain()...))
	f.Add(zipped(f, under("a/", plain())...))
	f.Add(zipped(f, plain(hostile{name: "../x"})...))
	f.Add(zipped(f, hostile{name: "data/config.json", text: "{}"}))
	f.Add(zipped(f))
	f.Add(commented(f, `{"manifest":1,"version":"1","files":{"config.json":"x"}}`))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := read(data)
		if (a == nil) == (err == nil) {
			t.Fatalf("%v and %v", a, err)
		}
		if err != nil {
			return
		}
		if a.Pair == nil || len(a.Mapper) > maxFile {
			t.Fatal("an archive that cannot be used was accepted")
		}
		if _, err := a.Config.Encode(); err != nil {
			t.Fatal(err)
		}
		a.Adapt("node2", "")
	})
}
