package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ad-ldap-connector/pkg/release"
)

// A key's files: FILE is the private key, PKCS #8 in PEM, encrypted with a
// passphrase as age does it, so that "age -d FILE | openssl pkey" shows it in
// years to come; FILE.pub is the public one in PEM.
const (
	publicSuffix = ".pub"
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
	maxKeyFile   = 64 << 10
	minPass      = 12 // characters
)

func newKeysCommand(m *maintainer) *cobra.Command {
	var keys = &cobra.Command{Use: "keys", Short: "Make and show keys"}
	keys.AddCommand(
		&cobra.Command{
			Use: "new FILE", Short: "Make a key pair: FILE, encrypted, and FILE.pub", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return m.newKey(args[0]) },
		},
		&cobra.Command{
			Use: "show FILE.pub...", Short: "Print the ids of public keys", Args: cobra.MinimumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				for _, name := range args {
					key, err := readPublic(name)
					if err != nil {
						return err
					}
					m.say("%s %s", release.KeyID(key), name)
				}
				return nil
			},
		},
	)
	return keys
}

func (m *maintainer) newKey(name string) error {
	passphrase, err := m.passphrase("passphrase of the new key "+name, true)
	if err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	locked, err := lock(private, passphrase, m.work)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	// The private key first: a public one without it is of no use.
	if err := writeNew(name, locked, 0o600); err != nil {
		return err
	}
	if err := writeNew(name+publicSuffix, pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der}), 0o644); err != nil {
		return err
	}
	m.say("%s %s", release.KeyID(public), name+publicSuffix)
	return nil
}

// lock encrypts a key. Each guess at the passphrase costs 2^work; 0 is age's own
// choice, which takes a second and 256 MiB.
func lock(key ed25519.PrivateKey, passphrase string, work int) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	if work > 0 {
		to.SetWorkFactor(work)
	}
	var buf bytes.Buffer
	armored := armor.NewWriter(&buf)
	w, err := age.Encrypt(armored, to)
	if err != nil {
		return nil, err
	}
	err = pem.Encode(w, &pem.Block{Type: privateBlock, Bytes: der})
	err = errors.Join(err, w.Close(), armored.Close())
	return buf.Bytes(), err
}

// unlock reads a private key that lock made.
func (m *maintainer) unlock(name string) (ed25519.PrivateKey, error) {
	data, err := readSmall(name)
	if err != nil {
		return nil, err
	}
	passphrase, err := m.passphrase("passphrase of "+name, false)
	if err != nil {
		return nil, err
	}
	by, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(data)), by)
	if err != nil {
		return nil, fmt.Errorf("unlock %s: %w", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("unlock %s: %w", name, err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != privateBlock {
		return nil, fmt.Errorf("unlock %s: there is no private key in it", name)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("unlock %s: %w", name, err)
	}
	if key, ok := key.(ed25519.PrivateKey); ok {
		return key, nil
	}
	return nil, fmt.Errorf("unlock %s: it is no Ed25519 key", name)
}

func readPublic(name string) (ed25519.PublicKey, error) {
	data, err := readSmall(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != publicBlock {
		return nil, fmt.Errorf("read %s: it is no public key", name)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if key, ok := key.(ed25519.PublicKey); ok {
		return key, nil
	}
	return nil, fmt.Errorf("read %s: it is no Ed25519 key", name)
}

func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	return io.ReadAll(io.LimitReader(f, maxKeyFile))
}

// passphrase asks for one, a new one twice, unless a file has it.
func (m *maintainer) passphrase(prompt string, fresh bool) (string, error) {
	if m.passphrases != "" {
		data, err := readSmall(m.passphrases)
		if err != nil {
			return "", err
		}
		return good(strings.TrimRight(string(data), "\r\n"), fresh)
	}
	terminal, ok := m.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", fmt.Errorf("ask for the %s: there is no terminal; give --passphrase-file", prompt)
	}
	ask := func(prompt string) (string, error) {
		_, _ = fmt.Fprintf(m.stderr, "%s: ", prompt) // the answer tells whether it was seen
		data, err := term.ReadPassword(int(terminal.Fd()))
		_, _ = fmt.Fprintln(m.stderr) // the same
		return string(data), err
	}
	first, err := ask(prompt)
	if err != nil || !fresh {
		return first, err
	}
	second, err := ask("again")
	if err == nil && first != second {
		err = errors.New("the two passphrases are not the same")
	}
	if err != nil {
		return "", err
	}
	return good(first, fresh)
}

func good(passphrase string, fresh bool) (string, error) {
	if fresh && len(passphrase) < minPass {
		return "", fmt.Errorf("a passphrase has at least %d characters", minPass)
	}
	return passphrase, nil
}
