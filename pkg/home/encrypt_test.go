package home

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
)

const passphrase = "correct horse battery"

func encrypted(t testing.TB, data []byte) []byte {
	t.Helper()
	out, err := encrypt(data, passphrase, 1)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func armored(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := armor.NewWriter(&buf)
	_, err := w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestEncrypt(t *testing.T) {
	plain := []byte(strings.Repeat("archive ", 20000)) // several chunks
	one, err := Encrypt(plain, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(one, []byte("archive")) || !IsEncrypted(one) || IsEncrypted(plain) {
		t.Error("it is not encrypted")
	}
	for name, data := range map[string][]byte{"as made": one, "armored": append([]byte("\r\n"), armored(t, one)...)} {
		if got, err := Decrypt(data, passphrase); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if _, err := Decrypt(data, passphrase+" "); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s, with another passphrase: %v", name, err)
		}
	}
	if two, err := Encrypt(plain, passphrase); err != nil || bytes.Equal(one, two) {
		t.Errorf("two are the same: %v", err)
	}
	if _, err := Encrypt(plain, ""); err == nil {
		t.Error("an empty passphrase")
	}
}

func TestDecryptRefuses(t *testing.T) {
	good := encrypted(t, []byte(strings.Repeat("x", 70000)))
	header := bytes.Index(good, []byte("\n--- "))
	flip := func(at int) []byte {
		data := bytes.Clone(good)
		data[at] ^= 1
		return data
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var toKey bytes.Buffer
	w, err := age.Encrypt(&toKey, key.Recipient())
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	costly := bytes.Replace(good, []byte(" 1\n"), []byte(" 30\n"), 1)
	const damaged = "it is damaged or cut short"
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":              {nil, damaged},
		"no age":               {[]byte("age-encryption.org/v1\nhello"), damaged},
		"a later version":      {bytes.Replace(good, []byte("/v1"), []byte("/v9"), 1), damaged},
		"cut in the header":    {good[:header-10], damaged},
		"cut after the header": {good[:header+60], damaged},
		"cut in a chunk":       {good[:len(good)-9], damaged},
		"cut between chunks":   {good[:len(good)-(70000-64*1024)-16], damaged},
		"more at the end":      {append(bytes.Clone(good), 'x'), damaged},
		"a bit of the end":     {flip(len(good) - 1), damaged},
		"a bit of the mark":    {flip(header + 8), damaged},
		"to a key":             {toKey.Bytes(), "encrypted to a key, not with a passphrase"},
		"costly":               {costly, "wants more memory and time"},
		"huge":                 {make([]byte, maxEncrypted+1), "it is larger than"},
		"huge inside":          {encrypted(t, make([]byte, maxArchive+1)), "it is larger than"},
		"armor cut short":      {armored(t, good)[:300], damaged},
		"armor alone":          {[]byte(armor.Header), damaged},
	} {
		got, err := Decrypt(tt.data, passphrase)
		if err == nil || got != nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: %d bytes, %v; want %q", name, len(got), err, tt.want)
		}
	}
	if _, err := Decrypt(good, ""); err == nil {
		t.Error("an empty passphrase")
	}
}

func FuzzDecrypt(f *testing.F) {
	good := encrypted(f, []byte("archive"))
	f.Add(good)
	f.Add(armored(f, good))
	f.Add(good[:len(good)-1])
	f.Add([]byte("age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decrypt(data, passphrase, 4) // no more work than a fuzzer has time for
		if err != nil && got != nil {
			t.Fatalf("%d bytes and %v", len(got), err)
		}
	})
}
