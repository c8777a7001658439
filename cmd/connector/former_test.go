package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/scrypt"

	"ad-ldap-connector/pkg/sandbox"
)

// A former is the existing connector as far as a tenant can tell: it starts from
// the four files of an installation, reads them by code of its own, as that one
// does, and speaks the protocol as it was recorded (testdata/hub).
type former struct {
	t        *testing.T
	conf     formerConfig
	key      *rsa.PrivateKey
	der      []byte
	password string // of the service account
	client   *http.Client
	answered atomic.Int32
	stop     context.CancelFunc
	done     chan struct{}
}

// formerConfig has the types that the existing connector takes for granted: what
// is of another one in the file does not parse.
type formerConfig struct {
	Ticket      string          `json:"PROVISIONING_TICKET"`
	URL         string          `json:"LDAP_URL"`
	Base        string          `json:"LDAP_BASE"`
	User        string          `json:"LDAP_BIND_USER"`
	Credentials string          `json:"LDAP_BIND_CREDENTIALS"`
	Server      string          `json:"SERVER_URL"`
	Groups      *bool           `json:"GROUPS"`
	WriteBack   bool            `json:"ENABLE_WRITE_BACK"`
	Unicode     bool            `json:"ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD"`
	Cache       json.Number     `json:"GROUPS_CACHE_SECONDS"`
	Properties  []string        `json:"GROUP_PROPERTIES"`
	Issuer      json.RawMessage `json:"WSFED_ISSUER"`
}

// startFormer starts the existing connector on files, by their names, and
// returns when the hub has accepted it.
func startFormer(t *testing.T, cloud *sandbox.Cloud, files map[string]string) *former {
	t.Helper()
	f := &former{t: t, done: make(chan struct{}), client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: cloud.CAPool()}}}}
	if err := json.Unmarshal([]byte(files["config.json"]), &f.conf); err != nil {
		t.Fatalf("the existing connector cannot read config.json: %v", err)
	}
	cert, rest := pem.Decode([]byte(files["certs/cert.pem"]))
	key, more := pem.Decode([]byte(files["certs/cert.key"]))
	if cert == nil || key == nil || cert.Type != "CERTIFICATE" || key.Type != "RSA PRIVATE KEY" || len(bytes.TrimSpace(rest)) > 0 || len(bytes.TrimSpace(more)) > 0 {
		t.Fatal("the existing connector cannot read the key pair")
	}
	var err error
	if f.key, err = x509.ParsePKCS1PrivateKey(key.Bytes); err != nil {
		t.Fatal(err)
	}
	f.der = cert.Bytes
	if f.password, err = formerOpen(files["certs/cert.key"], f.conf.Credentials); err != nil {
		t.Fatalf("the existing connector cannot open LDAP_BIND_CREDENTIALS: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	conn, signing := f.begin(ctx)
	go func() {
		defer close(f.done)
		f.serve(ctx, conn, signing)
	}()
	t.Cleanup(f.end)
	return f
}

// end closes the link, as a process that is killed does.
func (f *former) end() {
	f.stop()
	<-f.done
	f.client.CloseIdleConnections()
}

// formerOpen is section "credentials, version 2" written out: scrypt of the
// key's text, AES-256-CBC, PKCS#7.
func formerOpen(key, stored string) (string, error) {
	parts := strings.Split(stored, ".")
	if len(parts) != 4 || parts[0] != "$2$" {
		return "", errors.New("it is not of version 2")
	}
	var raw [3][]byte
	for i := range raw {
		var err error
		if raw[i], err = hex.DecodeString(parts[i+1]); err != nil {
			return "", err
		}
	}
	salt, iv, text := raw[0], raw[1], raw[2]
	if len(salt) != 16 || len(iv) != aes.BlockSize || len(text) == 0 || len(text)%aes.BlockSize != 0 {
		return "", errors.New("its lengths are wrong")
	}
	derived, err := scrypt.Key([]byte(key), salt, 16384, 8, 1, 32)
	if err != nil {
		return "", err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return "", err
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(text, text)
	pad := int(text[len(text)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.Equal(text[len(text)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return "", errors.New("it was sealed under another key's text")
	}
	return string(text[:len(text)-pad]), nil
}

// begin does what the existing connector does at each start: it asks for the
// settings, posts its certificate, and proves to the hub who it is.
func (f *former) begin(ctx context.Context) (*websocket.Conn, string) {
	f.t.Helper()
	var info struct {
		Hub   string `json:"adHub"`
		Name  string `json:"connectionName"`
		Realm struct {
			Name string `json:"name"`
		} `json:"realm"`
	}
	fetch(f.t, f.client, http.MethodGet, f.conf.Ticket+"/info", nil, &info)
	var answer struct {
		SigningKey string `json:"signingKey"`
	}
	fetch(f.t, f.client, http.MethodPost, f.conf.Ticket, map[string]any{
		"certs": []string{base64.StdEncoding.EncodeToString(f.der)}, "signInEndpoint": f.conf.Server + "/wsfed", "agentMode": true, "agentVersion": "6.4.1",
	}, &answer)
	conn, _, err := websocket.Dial(ctx, strings.Replace(info.Hub, "http", "ws", 1), &websocket.DialOptions{HTTPClient: f.client})
	if err != nil {
		f.t.Fatal(err)
	}
	now := time.Now().Unix()
	signed := formerPart(map[string]any{"alg": "RS256", "typ": "JWT"}) + "." + formerPart(map[string]any{"iat": now, "exp": now + 60, "aud": info.Realm.Name, "iss": info.Name})
	sum := sha256.Sum256([]byte(signed))
	proof, err := rsa.SignPKCS1v15(rand.Reader, f.key, crypto.SHA256, sum[:])
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.send(ctx, conn, "authenticate", map[string]any{"jwt": signed + "." + base64.RawURLEncoding.EncodeToString(proof)}); err != nil {
		f.t.Fatal(err)
	}
	if name, _, err := formerFrame(ctx, conn); err != nil || name != "authenticated" {
		f.t.Fatalf("the hub says %q to the existing connector: %v", name, err)
	}
	return conn, answer.SigningKey
}

func formerPart(claims map[string]any) string {
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err) // texts and numbers
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func (f *former) send(ctx context.Context, conn *websocket.Conn, name string, payload any) error {
	text, err := json.Marshal(map[string]any{"n": name, "p": payload})
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, text)
}

func formerFrame(ctx context.Context, conn *websocket.Conn) (name, token string, err error) {
	_, text, err := conn.Read(ctx)
	if err != nil {
		return "", "", err
	}
	var frame struct {
		Name    string `json:"n"`
		Payload struct {
			JWT string `json:"jwt"`
		} `json:"p"`
	}
	err = json.Unmarshal(text, &frame)
	return frame.Name, frame.Payload.JWT, err
}

// serve answers logins until the link ends.
func (f *former) serve(ctx context.Context, conn *websocket.Conn, signing string) {
	defer func() { _ = conn.CloseNow() }() // it may be closed already
	for {
		name, token, err := formerFrame(ctx, conn)
		if err != nil {
			if ctx.Err() == nil {
				f.t.Errorf("the hub ends the existing connector's link: %v", err)
			}
			return
		}
		claims, err := formerClaims(token, signing)
		if err != nil || name != "authenticate_user" {
			f.t.Errorf("the existing connector does not take %s: %v", name, err)
			continue
		}
		if err := f.send(ctx, conn, claims.PID+"_result", f.login(claims)); err != nil && ctx.Err() == nil {
			f.t.Error(err)
		}
		f.answered.Add(1)
	}
}

type formerCommand struct {
	PID      string `json:"pid"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// formerClaims verifies a command under the tenant's secret.
func formerClaims(token, signing string) (c formerCommand, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("it is no token")
	}
	mac := hmac.New(sha256.New, []byte(signing))
	_, _ = io.WriteString(mac, parts[0]+"."+parts[1]) // a hash takes everything
	sum, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(sum, mac.Sum(nil)) {
		return c, fmt.Errorf("it is not the tenant's: %w", err)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(text, &c)
}

// formerNickname marks the profiles of the existing connector.
const formerNickname = "answered by the existing connector"

// login returns what the directory makes of a login, as the existing connector
// tells it.
func (f *former) login(c formerCommand) map[string]any {
	profile := map[string]any{"id": c.Username, "nickname": formerNickname}
	conn, err := ldap.DialURL(f.conf.URL)
	if err == nil {
		defer func() { _ = conn.Close() }() // it ends with the login
		err = conn.Bind(f.conf.User, f.password)
	}
	if err != nil {
		f.t.Errorf("the existing connector and the directory: %v", err)
		return map[string]any{"err": map[string]any{"message": "Unexpected Error"}}
	}
	found, err := conn.Search(ldap.NewSearchRequest(f.conf.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 10, false,
		"(sAMAccountName="+ldap.EscapeFilter(c.Username)+")", nil, nil))
	if err != nil || len(found.Entries) == 0 {
		return formerReply("WrongUsername", c.Username, nil)
	}
	if c.Password == "" || conn.Bind(found.Entries[0].DN, c.Password) != nil {
		return formerReply("WrongPassword", c.Username, profile)
	}
	return formerReply("", c.Username, profile)
}

// formerReply is a reply to a login; a refusal is "" when there is none.
func formerReply(refusal, username string, profile map[string]any) map[string]any {
	switch refusal {
	case "WrongUsername":
		return map[string]any{
			"err":     map[string]any{"message": "Wrong username", "username": username, "name": refusal},
			"profile": map[string]any{"username": username},
		}
	case "WrongPassword":
		return map[string]any{"err": map[string]any{"message": "Wrong password", "profile": profile, "name": refusal}, "profile": profile}
	}
	return map[string]any{"profile": profile}
}

// TestFormerSpeaksAsRecorded: what the stand-in answers is, but for what is in
// the profile, what the existing connector answered to the same commands.
func TestFormerSpeaksAsRecorded(t *testing.T) {
	t.Parallel()
	compared := 0
	for name, refusal := range map[string]string{"10-login-success": "", "11-login-wrong-password": "WrongPassword", "12-login-wrong-username": "WrongUsername"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "hub", name+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		var asked formerCommand
		for line := range strings.Lines(string(text)) {
			var event struct{ Dir, Frame string }
			if err := json.Unmarshal([]byte(line), &event); err != nil {
				t.Fatal(err)
			}
			var frame struct {
				Name    string         `json:"n"`
				Payload map[string]any `json:"p"`
			}
			if event.Frame == "" {
				continue
			}
			if err := json.Unmarshal([]byte(event.Frame), &frame); err != nil {
				t.Fatal(err)
			}
			if event.Dir == "hub>agent" {
				token, _ := frame.Payload["jwt"].(string)
				parts := strings.Split(token, ".")
				claims, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
				if err != nil || json.Unmarshal(claims, &asked) != nil || frame.Name != "authenticate_user" {
					t.Fatalf("%s: %s: %v", name, frame.Name, err)
				}
				continue
			}
			profile, _ := frame.Payload["profile"].(map[string]any)
			want := map[string]any{"n": asked.PID + "_result", "p": formerReply(refusal, asked.Username, profile)}
			if diff := cmp.Diff(want, map[string]any{"n": frame.Name, "p": frame.Payload}); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			compared++
		}
	}
	if compared < 3 {
		t.Errorf("only %d answers were compared", compared)
	}
}

// archived is what is in an archive.
func archived(t *testing.T, path string) map[string]string {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }() // it was only read
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}
