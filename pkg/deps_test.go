// Package pkg_test holds the house rules that a compiler does not.
package pkg_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "ad-ldap-connector/"

// rooms says which rooms each room opens onto. It is a statement of policy: a
// new arrow is a decision, and is made here first. cmd/connector opens onto all.
var rooms = map[string][]string{
	"identity": {},
	"config":   {},
	"keys":     {},
	"tenant":   {},
	"agent":    {},
	"service":  {},
	// Whom to believe about releases, and fetching them: what is verified is
	// signed by keys and read from bytes that no other room has a part in. The
	// home, which remembers what was seen, and install, which lays the program
	// down, are reached through what cmd/connector hands over.
	"release":   {},
	"directory": {"identity"},
	"profile":   {"identity"},
	"kerberos":  {"identity"},
	// A certificate is another proof than a service ticket, by other keys and
	// with other ways to be wrong: a room of its own.
	"clientcert": {"identity"},
	"hub":        {"identity"},
	"wsfed":      {"identity"},
	"home":       {"config", "keys"},
	"doctor":     {"config"},
	// The console shows the doctor's findings as they come: it knows their form,
	// and has them from a func.
	"console": {"agent", "config", "doctor"},
	"install": {"config", "home", "keys", "service", "tenant"},
	// The pretend tenant and directory know nothing of the rooms that talk to
	// them: whoever wrote both ends of a wire from one piece of code would
	// test that code against itself.
	"sandbox": {},
}

// owners says which rooms alone may use a library, so that it can be replaced
// there. The sandbox stands at the other end of the same wires, and needs the
// frame and filter parsers that belong to them.
var owners = map[string][]string{
	"github.com/go-ldap/ldap/v3":      {"directory", "sandbox"},
	"github.com/go-asn1-ber/asn1-ber": {"directory", "sandbox"},
	"github.com/go-ldap/ldif":         {"sandbox"},
	"github.com/dop251/goja":          {"profile"},
	"github.com/coder/websocket":      {"hub", "sandbox"},
	"github.com/golang-jwt/jwt":       {"hub", "sandbox"},
	"github.com/spf13/cobra":          {}, // cmd/connector only
	"github.com/DeRuina/timberjack":   {}, // cmd/connector only: the rooms log to what they are given
	// cmd/connector only, and of its packages journal alone: others need cgo.
	"github.com/coreos/go-systemd": {},
	// cmd/connector only: the rooms tell what happens, and it counts.
	"github.com/prometheus": {},
	// cmd/connector only, likewise. The messages alone: OpenTelemetry's own
	// exporter brings gRPC with it.
	"go.opentelemetry.io":               {},
	"google.golang.org/protobuf":        {},
	"github.com/AlecAivazis/survey/v2":  {}, // cmd/connector only
	"golang.org/x/net/http/httpproxy":   {}, // cmd/connector only: one dialer for all
	"github.com/gofrs/flock":            {"home"},
	"filippo.io/age":                    {"home"}, // archives are encrypted where they are made and read
	"github.com/zalando/go-keyring":     {"home"}, // the account's keyring is a store of SECRETS
	"github.com/jellydator/ttlcache/v3": {"directory"},
	// The directory has the client side of Kerberos, with which the service
	// account binds; the keys that prove browsers are the other room's.
	"github.com/jcmturner/gokrb5":  {"directory", "kerberos"},
	"github.com/alexbrainman/sspi": {"kerberos"},
	"golang.org/x/crypto/ocsp":     {"clientcert"},
	// The administrator's password, of which a slow hash alone is kept.
	"golang.org/x/crypto/argon2":         {"console"},
	"software.sslmate.com/src/go-pkcs12": {}, // cmd/connector only: it hands a certificate on
	"github.com/shirou/gopsutil/v3":      {"doctor"},
	"github.com/beevik/ntp":              {"doctor"},
	// wsfed writes its XML in canonical form from the start and signs that; the
	// sandbox, which must judge it, has a library that reads and verifies.
	"github.com/russellhaering/goxmldsig": {"sandbox"},
	"github.com/beevik/etree":             {"sandbox"},
}

// pure lists what the rooms without I/O must never import.
var (
	pure     = []string{"identity", "config", "keys"}
	impurity = []string{"net", "net/http", "os", "os/exec", "syscall"}
)

func TestArrowsPointOneWay(t *testing.T) {
	used := map[string]map[string]bool{}
	for name, file := range source(t) {
		room := path.Dir(name)
		allowed, ok := rooms[room]
		if !ok {
			t.Errorf("%s: pkg/%s has no place in the plan of the house", name, room)
			continue
		}
		for _, spec := range file.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			if to, ok := strings.CutPrefix(imp, module+"pkg/"); ok {
				if used[room] == nil {
					used[room] = map[string]bool{}
				}
				used[room][to] = true
				if !slices.Contains(allowed, to) {
					t.Errorf("%s: %s must not import %s", name, room, to)
				}
			}
			if slices.Contains(pure, room) && slices.Contains(impurity, imp) {
				t.Errorf("%s: %s does no I/O and must not import %q", name, room, imp)
			}
			for lib, owner := range owners {
				if strings.HasPrefix(imp, lib) && !slices.Contains(owner, room) {
					t.Errorf("%s: %s belongs to %v", name, lib, owner)
				}
			}
		}
	}
	for room, allowed := range rooms {
		for _, to := range allowed {
			if !used[room][to] {
				t.Errorf("%s may import %s, but does not: remove the arrow", room, to)
			}
		}
	}
}

func TestRoomsAreKept(t *testing.T) {
	doc := map[string]bool{}
	for name, file := range source(t) {
		if text := file.Doc.Text(); strings.HasPrefix(text, "Package "+path.Base(path.Dir(name))+" ") {
			if doc[path.Dir(name)] {
				t.Errorf("%s: the package is described twice", name)
			}
			doc[path.Dir(name)] = true
		}
		if data, _ := os.ReadFile(name); strings.Count(string(data), "\n") > 400 {
			t.Errorf("%s: longer than 400 lines", name)
		}
	}
	for room := range rooms {
		if !doc[room] {
			t.Errorf("pkg/%s: no package comment", room)
		}
	}
}

// source parses every file that is not a test, for all systems at once. It does
// so in this process, where the test cache sees what is read.
func source(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		files[name], err = parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly|parser.ParseComments)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < len(rooms) {
		t.Fatalf("only %v", slices.Collect(maps.Keys(files)))
	}
	return files
}
