package console

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
)

// A fakeTransfer takes archives that begin with "zip".
type fakeTransfer struct {
	replaced, undone int
	offline          bool // tenant and directory do not answer
	foreign          string
}

func (f *fakeTransfer) options() Options {
	return Options{Health: func() []agent.Health { return nil }, Transfer: &Transfer{
		Export: func(passphrase string) (string, []byte, error) {
			return "connector_export.zip", []byte("octets-of-one " + passphrase), nil
		},
		Open: func(data []byte, passphrase string) (*Arrival, error) {
			switch {
			case bytes.HasPrefix(data, []byte("age")) && passphrase != "several good words":
				return nil, ErrPassphrase
			case !bytes.HasPrefix(data, []byte("zip")) && !bytes.HasPrefix(data, []byte("age")):
				return nil, errors.New("it is no archive: " + xssCorpus[0])
			}
			return &Arrival{Connection: xssCorpus[0], Notes: []string{xssCorpus[1]}, Changes: []SettingChange{{"LDAP_URL", xssCorpus[2], xssCorpus[3]}}, Foreign: f.foreign,
				Prove: func(_ context.Context, ask bool) error {
					if ask && f.offline {
						return errors.New("the tenant does not answer")
					}
					return nil
				},
				Replace: func(context.Context) (string, string, error) { f.replaced++; return "/home/backups/x", "", nil }}, nil
		},
		Undo: func(context.Context, bool) (string, error) { f.undone++; return "", nil },
		Last: func() (*LastImport, error) {
			if f.replaced == 0 {
				return nil, nil
			}
			return &LastImport{When: time.Now(), Connection: xssCorpus[0], Backup: "/home/backups/x"}, nil
		},
	}}
}

// TestExport: nobody gets an octets-of-oneout saying how.
func TestExport(t *testing.T) {
	t.Parallel()
	o := (&fakeTransfer{}).options()
	v := newVisitor(t, o)
	for _, tt := range []struct {
		form url.Values
		want string // in the page; "" is an archive
	}{
		{url.Values{}, "at least 12"},
		{url.Values{"passphrase": {"short"}, "again": {"short"}}, "at least 12"},
		{url.Values{"passphrase": {"several good words"}, "again": {"other"}}, "not the same"},
		{url.Values{"passphrase": {"several good words"}, "again": {"several good words"}}, ""},
		{url.Values{"how": {"plain"}}, "Confirm"},
		{url.Values{"how": {"plain"}, "sure": {"true"}}, ""},
	} {
		code, body := v.post("/export", tt.form)
		if tt.want == "" {
			if code != 200 || !strings.HasPrefix(body, "octets-of-one") || v.header.Get("Content-Disposition") != "attachment; filename=connector_export.zip" || v.header.Get("Content-Type") != "application/octet-stream" {
				t.Errorf("%v: %d %s %v", tt.form, code, body, v.header)
			}
		} else if code != 422 || !strings.Contains(body, tt.want) || strings.Contains(body, "octets-of-one") {
			t.Errorf("%v: %d, without %q", tt.form, code, tt.want)
		}
	}
	v.client = v.browser() // nobody
	if code, body := v.get("/export"); code == 200 || strings.Contains(body, "octets-of-one") {
		t.Errorf("without a session: %d", code)
	}
	if code, body := v.post("/export", url.Values{"how": {"plain"}, "sure": {"true"}}); code < 400 || strings.Contains(body, "octets-of-one") {
		t.Errorf("posted without a session: %d", code)
	}
}

// TestImport shows what would change before it does.
func TestImport(t *testing.T) {
	t.Parallel()
	f := &fakeTransfer{}
	v := newVisitor(t, f.options())
	for name, tt := range map[string]struct{ data, passphrase, want string }{
		"nothing":          {"", "", "Choose the archive"},
		"garbage":          {"\x00\x01", "", "it is no archive"},
		"wrong passphrase": {"age", "wrong", "does not open"},
	} {
		code, body := v.upload("/export/upload", "archive", "a.zip", []byte(tt.data), "opens", tt.passphrase)
		if code != 422 || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d, without %q", name, code, tt.want)
		}
		checkEscaped(t, body)
	}
	if code, _ := v.upload("/export/upload", "archive", "a.zip", make([]byte, largestArchive+2*usualBody)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large one: %d", code)
	}
	review := func() (draft url.Values, body string) {
		t.Helper()
		if code, _ := v.upload("/export/upload", "archive", `../../<b>"x`, []byte("age"), "opens", "several good words"); code != 303 {
			t.Fatalf("uploading: %d", code)
		}
		_, body = v.get(v.location)
		checkEscaped(t, body)
		return url.Values{"draft": {draftInPage.FindStringSubmatch(body)[1]}}, body
	}
	draft, body := review()
	if !strings.Contains(body, "LDAP_URL") || f.replaced != 0 {
		t.Error("the review shows no change, or comes too late")
	}
	if code, _ := v.post("/export/import", draft); code != 303 || f.replaced != 1 {
		t.Errorf("importing: %d, %d times", code, f.replaced)
	}
	if v.post("/export/import", draft); f.replaced != 1 {
		t.Error("it was imported twice")
	}
	// Another connection, and nobody who answers, are agreed to one by one.
	f.foreign, f.offline = "it is of another connection "+xssCorpus[0], true
	draft, _ = review()
	for _, agree := range []string{"foreign", "offline"} {
		if v.post("/export/import", draft); f.replaced != 1 {
			t.Error("it was imported without agreement")
		}
		draft.Set(agree, "yes")
	}
	if v.post("/export/import", draft); f.replaced != 2 {
		t.Error("it was not imported")
	}
	if code, _ := v.post("/export/undo", url.Values{}); code != 422 || f.undone != 0 {
		t.Errorf("undone without agreement: %d", code)
	}
	_, body = v.get("/export")
	checkEscaped(t, body)
	if code, _ := v.post("/export/undo", url.Values{"sure": {"yes"}}); code != 303 || f.undone != 1 {
		t.Errorf("undoing: %d", code)
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
