package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// The secrets that are planted. None is part of another or of anything else.
const (
	plantedUser  = "Right-Zq7Passw0rd!user"
	plantedWrong = "Wrong-Kx3Passw0rd+user"
	plantedBind  = "Bind-Vy9Passw0rd/account"
	plantedProxy = "proxy-Jw5-credential"
	plantedBogus = "bogusTicketSecretQm8"
)

const plantedLDIF = `dn: DC=corp,DC=test
objectClass: top
objectClass: domain
dc: corp

dn: CN=Mary Smith,DC=corp,DC=test
objectClass: user
objectClass: person
objectCategory: CN=Person,CN=Schema,CN=Configuration,DC=corp,DC=test
cn: Mary Smith
sn: Smith
uid: mary
sAMAccountName: mary
userPassword: ` + plantedUser + `

dn: CN=svc,DC=corp,DC=test
objectClass: user
objectClass: person
objectCategory: CN=Person,CN=Schema,CN=Configuration,DC=corp,DC=test
cn: svc
sn: svc
uid: svc
sAMAccountName: svc
userPassword: ` + plantedBind + `

`

// A hunter looks for secrets in whatever the commands let others see.
type hunter struct {
	t       *testing.T
	secrets map[string]string // by name
	places  int
}

// forms are the ways in which a secret may be written by mistake.
func forms(secret string) map[string]string {
	quoted, err := json.Marshal(secret)
	if err != nil {
		panic(err) // a text always encodes
	}
	all := map[string]string{
		"as it is": secret, "in JSON": strings.Trim(string(quoted), `"`), "quoted": strings.Trim(strconv.Quote(secret), `"`),
		"in hex": hex.EncodeToString([]byte(secret)), "in upper-case hex": strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"in a query": url.QueryEscape(secret), "in a path": url.PathEscape(secret),
		"as bytes": strings.Trim(strings.ReplaceAll(strings.Trim(jsonBytes(secret), "[]"), ",", " "), " "),
	}
	// Within a longer text each of three shifts is possible; the first and last
	// characters then depend on the neighbours.
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			text := e.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
			all["in base64 "+strconv.Itoa(shift)+text[:1]] = text[shift+1 : len(text)-2]
		}
	}
	return all
}

func jsonBytes(s string) string {
	numbers := make([]int, len(s))
	for i, b := range []byte(s) {
		numbers[i] = int(b)
	}
	text, err := json.Marshal(numbers)
	if err != nil {
		panic(err) // numbers always encode
	}
	return string(text)
}

// search fails the test for every secret in a text. It prints no secret's
// surroundings more than it must.
func (h *hunter) search(place, text string) {
	h.t.Helper()
	h.places++
	for name, secret := range h.secrets {
		for form, needle := range forms(secret) {
			if len(needle) < 8 {
				h.t.Fatalf("the secret %s is too short to look for", name)
			}
			if i := strings.Index(text, needle); i >= 0 {
				h.t.Errorf("%s shows the secret %s %s: ...%q", place, name, form, text[max(0, i-80):min(len(text), i+len(needle)+20)])
			}
		}
	}
}

// arguments searches the arguments of all processes of the program.
func (h *hunter) arguments(program string) (found int) {
	h.t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, name := range names {
		exe, err := os.Readlink(filepath.Join(filepath.Dir(name), "exe"))
		if err != nil || exe != program {
			continue
		}
		line, err := os.ReadFile(name)
		if err != nil || len(line) == 0 {
			continue // it has ended
		}
		found++
		h.search("the arguments of a process", string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
	}
	return found
}

// TestAcceptSecrets plants a secret wherever one can be, does all that can be
// done, well and badly, and then looks for the secrets in what was printed,
// logged, and passed as arguments.
func TestAcceptSecrets(t *testing.T) {
	t.Parallel()
	cloud := startCloud(t)
	d, err := sandbox.StartDirectory(sandbox.DirectoryOptions{Traits: sandbox.Traits{ActiveDirectory: true}, LDIF: strings.NewReader(plantedLDIF)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() }) // the test has ended
	ticketSecret := cloud.Ticket()[strings.LastIndex(cloud.Ticket(), "/")+1:]
	h := &hunter{t: t, secrets: map[string]string{
		"ticket": ticketSecret, "user's password": plantedUser, "wrong password": plantedWrong, "bind password": plantedBind,
		"proxy's password": plantedProxy, "wrong ticket": plantedBogus,
	}}

	// The proxy is there for nothing that is asked here: all is on loopback.
	c := newCLI(t, "HTTP_PROXY=http://operator:"+plantedProxy+"@127.0.0.1:1", "HTTPS_PROXY=http://operator:"+plantedProxy+"@127.0.0.1:1", "NO_PROXY=127.0.0.1")
	bind, wrong, right := c.file("bind", plantedBind+"\n"), c.file("wrong", plantedWrong+"\n"), c.file("right", plantedUser+"\n")
	ticket, bogus := c.file("ticket", cloud.Ticket()+"\n"), c.file("bogus", cloud.URL()+"/p/ad/"+plantedBogus+"\n")
	c.file("home/lib/profileMapper.js", "module.exports = function (raw) { return { id: raw.objectGUID, nickname: raw.sAMAccountName }; };\n")
	account := []string{"--ldap-url", d.URL(), "--ldap-base", "DC=corp,DC=test", "--ldap-bind-user", "CN=svc,DC=corp,DC=test", "-v"}
	install := func(ticketFile, passwordFile string, more ...string) {
		args := append([]string{"install", "--no-service", "--non-interactive", "--ticket-file", ticketFile, "--ldap-bind-password-file", passwordFile}, account...)
		for _, output := range []string{"text", "json"} {
			c.run(append(append(args, "-o", output), more...)...)
		}
	}
	authority := []string{"--ca-file", cloud.CAFile()}
	install(ticket, bind)                                                                     // an authority nobody knows
	install(bogus, bind, authority...)                                                        // a ticket nobody knows
	install(ticket, wrong, authority...)                                                      // a password that is wrong
	install(bind, ticket, authority...)                                                       // files mixed up
	install(ticket, bind, append(authority, "--ldap-url", "ldap://127.0.0.1:1")...)           // no directory
	install(ticket, bind, append(authority, "--proxy", "http://o:"+plantedProxy+"@x y:1")...) // a proxy that is none
	install(ticket, bind, append(authority, "--ca-file", bind)...)                            // no authority in the file
	install(ticket, bind, append(authority, "--ldap-base", "DC=nowhere")...)                  // no such base
	install(ticket, bind, append(authority, "--dry-run")...)
	c.must(append(append([]string{"install", "--no-service", "--non-interactive", "--ticket-file", ticket, "--ldap-bind-password-file", bind}, account...), authority...)...)

	conf, err := os.ReadFile(filepath.Join(c.home, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	h.plant(t, c.home, conf)

	c.must("config", "set", "ENABLE_WRITE_BACK", "true")
	node := c.start("run", "-v", "--home", c.home)
	awaitAgent(t, cloud)
	login(t, cloud, "mary", plantedUser, "")
	login(t, cloud, "mary", plantedWrong, "WrongPassword")
	login(t, cloud, "nobody", plantedWrong, "WrongUsername")
	ask(t, cloud, "change_password", sandbox.Request{Username: "nobody", Password: plantedWrong})
	ask(t, cloud, "change_password", sandbox.Request{Username: "svc", Password: plantedWrong + plantedWrong})
	if found := h.arguments(c.program); found < 2 && runtime.GOOS == "linux" {
		t.Errorf("%d processes were looked at, want the connector and its mapper's at least", found)
	}
	logins := []*invocation{
		c.run("login", "mary", "--password-file", right, "--trace", "-v"),
		c.run("login", "mary", "--password-file", wrong, "--trace", "-v", "-o", "json"),
		c.run("login", "nobody", "--password-file", wrong, "-v"),
	}
	for i, want := range []int{exitOK, exitRefused, exitRefused} {
		if got := logins[i].status(); got != want {
			t.Errorf("login %d ended with %d, want %d:\n%s%s", i, got, want, logins[i].stdout, logins[i].stderr)
		}
	}
	for _, args := range [][]string{
		{"status"}, {"status", "-o", "json", "-v"}, {"config", "show"}, {"config", "show", "-o", "json"}, {"config", "validate", "-v"},
		{"config", "get", "PROVISIONING_TICKET"}, {"config", "get", "LDAP_BIND_CREDENTIALS"}, {"config", "get", "TENANT_SIGNING_KEY", "-o", "json"},
		{"config", "get", "HTTP_PROXY"}, {"config", "get", "AUTH_CERT_KEY"}, {"search", "mary", "-v"}, {"version"},
		{"export", "--file", "a.zip"}, {"export", "--plain", "--file", "a.zip", "-v"}, {"export", "--plain", "--file", "a.zip"},
		{"import", "a.zip"}, {"import", ticket, "--yes"}, {"import", "a.zip", "--dry-run", "-v", "-o", "json"},
	} {
		c.run(args...)
	}
	var others []*cli
	c.stdin = plantedBogus
	c.run("config", "set", "PROVISIONING_TICKET", "-") // no URL at all
	c.run("config", "validate")
	c.run("run", "-v")
	for _, address := range []string{"ldap://mary:" + plantedWrong + "@127.0.0.1:1", "mary:" + plantedWrong + "@127.0.0.1"} {
		other := c.environCopy("LDAP_URL=" + address)
		for _, args := range [][]string{{"config", "validate"}, {"run", "-v"}, {"login", "mary", "--password-file", right, "-v"}, {"config", "show"},
			{"install", "--no-service", "--non-interactive", "-v"}} {
			other.run(args...)
		}
		if got := other.run("login", "mary", "--password-file", right).status(); got != exitFault {
			t.Errorf("login with an address that is none ended with %d, want %d", got, exitFault)
		}
		proxied := c.environCopy("HTTPS_PROXY="+address, "NO_PROXY=")
		proxied.run("login", "mary", "--password-file", right, "-v")
		proxied.run("install", "--no-service", "--non-interactive", "-v")
		others = append(others, other, proxied)
	}
	broken := c.environCopy()
	broken.home = filepath.Join(c.dir, "broken")
	for _, text := range []string{
		`{"LDAP_BIND_PASSWORD": "` + plantedBind + `}`, `{"LDAP_BIND_PASSWORD": ` + plantedBind + `}`, `{"LDAP_BIND_PASSWORD": {"a": "` + plantedBind + `"}}`,
		`{"LDAP_BIND_CREDENTIALS": "` + plantedBind + `", "AUTH_CERT": "` + plantedBind + `", "AUTH_CERT_KEY": "` + plantedBind + `"}`, plantedBind,
	} {
		c.file("broken/config.json", text)
		for _, args := range [][]string{{"config", "validate"}, {"run"}, {"config", "show"}, {"install", "--no-service", "--non-interactive", "--ticket-file", ticket}} {
			broken.run(args...)
		}
	}
	others = append(others, broken)
	c.stdin = cloud.Ticket()
	c.run("config", "set", "PROVISIONING_TICKET", "-")
	c.stdin = ""

	// The directory goes, the tenant goes, and the proxy is asked.
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	ask(t, cloud, "authenticate_user", sandbox.Request{Username: "mary", Password: plantedUser})
	c.run("login", "mary", "--password-file", right, "--trace", "-v")
	proxied := c.environCopy("NO_PROXY=")
	proxied.run("install", "--no-service", "--non-interactive", "-v")
	proxied.run("import", "a.zip", "--yes", "-v")
	if err := cloud.Close(); err != nil {
		t.Fatal(err)
	}
	c.run("install", "--no-service", "--non-interactive", "-v")
	lab.Eventually(t, "the connector to miss its hub", func() bool { return strings.Contains(node.stderr.String(), "hub") })
	node.interrupt()
	node.wait(patience)

	said := c.said
	for _, other := range append(others, proxied) {
		said = append(said, other.said...)
	}
	for _, i := range said {
		if testing.Verbose() {
			t.Logf("%d %q %.200q", i.status(), i.args, i.stderr.String())
		}
		h.search("stdout of "+strings.Join(i.args, " "), withoutArchive(i.stdout.String()))
		h.search("stderr of "+strings.Join(i.args, " "), i.stderr.String())
	}
	h.files(c.home)
	if h.places < 80 {
		t.Errorf("only %d places were searched", h.places)
	}
}

// plant adds the secrets that an install has made or learned.
func (h *hunter) plant(t *testing.T, home string, conf []byte) {
	t.Helper()
	for _, key := range []string{"LDAP_BIND_CREDENTIALS"} {
		m := regexp.MustCompile(`"` + key + `": "([^"]+)"`).FindSubmatch(conf)
		if m == nil {
			t.Fatalf("%s is not in the configuration", key)
		}
		h.secrets[key] = string(m[1])
	}
	private, err := os.ReadFile(filepath.Join(home, "certs", "cert.key"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(private))
	h.secrets["private key"] = lines[len(lines)/2]
	// The sandbox's signing key is a public one; it is hidden all the same.
	var c struct {
		Key string `json:"TENANT_SIGNING_KEY"`
	}
	if err := json.Unmarshal(conf, &c); err != nil || c.Key == "" {
		t.Fatalf("TENANT_SIGNING_KEY: %v", err)
	}
	lines = strings.Fields(c.Key)
	h.secrets["signing key"] = lines[len(lines)/2]
}

// withoutArchive drops what is an archive on stdout: it holds secrets, and says
// so.
func withoutArchive(s string) string {
	if strings.HasPrefix(s, "PK") {
		return ""
	}
	return s
}

// files searches what the home keeps besides the files that hold secrets: the
// state is for monitoring to read.
func (h *hunter) files(home string) {
	h.t.Helper()
	err := filepath.WalkDir(filepath.Join(home, "state"), func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() { // a socket of one that runs has nothing in it
			return err
		}
		data, err := os.ReadFile(path)
		h.search(path, string(data))
		return err
	})
	if err != nil {
		h.t.Error(err)
	}
}
