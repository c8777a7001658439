package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/scrypt"
)

// ErrSealed says that a sealed secret was not made with this key, or has been
// changed since. The two cannot be told apart: neither format has a checksum.
var ErrSealed = errors.New("sealed with another key, or damaged")

const (
	prefix     = "$2$" // of format 2; anything else is format 1
	saltSize   = 16
	keySize    = 32 // AES-256
	maxSecret  = 4 << 10
	maxSealed  = 2 * (maxSecret + 128) // hex digits of the ciphertext, and the rest
	scryptCost = 16384                 // N; r=8 and p=1 are the existing connector's too
)

// Seal encrypts a secret, so that it can be kept beside the key in
// LDAP_BIND_CREDENTIALS, in format 2 of the existing connector:
// "$2$.SALT.IV.CIPHERTEXT" in hex, AES-256-CBC under a key that scrypt derives
// from the text of the private key. It protects the password of somebody who
// holds the configuration alone, and detects no tampering. The secret must be
// UTF-8 without control characters and at most 4 KiB; of another one Open
// could not tell that it was decrypted well.
func (p *Pair) Seal(plaintext string) (string, error) {
	salt, iv := make([]byte, saltSize), make([]byte, aes.BlockSize)
	// rand.Read is documented never to return an error.
	_, _ = rand.Read(salt)
	_, _ = rand.Read(iv)
	return p.seal(plaintext, salt, iv)
}

// SealAlike seals like Seal, but the same secret alike each time: for what must
// not differ without a reason. Two equal texts tell that their secrets are.
func (p *Pair) SealAlike(plaintext string) (string, error) {
	random, err := p.derive("seal alike", plaintext, saltSize+aes.BlockSize)
	if err != nil {
		return "", fmt.Errorf("seal a secret: %w", err)
	}
	return p.seal(plaintext, random[:saltSize], random[saltSize:])
}

func (p *Pair) seal(plaintext string, salt, iv []byte) (string, error) {
	if p == nil || len(p.keyPEM) == 0 {
		return "", errors.New("seal a secret: the key pair has no PEM text")
	}
	if len(plaintext) > maxSecret {
		return "", fmt.Errorf("seal a secret: it is longer than %d bytes", maxSecret)
	}
	if !isText(plaintext) {
		return "", errors.New("seal a secret: it is not UTF-8 text, or holds control characters such as a line end")
	}
	return seal(p.keyPEM, plaintext, salt, iv)
}

// Open decrypts a secret of format 2 or of format 1, which is hex without a
// prefix. It tries the private key's text byte for byte, and then with its line
// ends changed from LF to CRLF and back: copying a key between systems does
// that, and the existing connector can no longer read its password afterwards.
// The error is an ErrSealed when the value is well formed, and shows nothing of
// the secret.
func (p *Pair) Open(sealed string) (string, error) {
	if p == nil || len(p.keyPEM) == 0 {
		return "", errors.New("open a sealed secret: the key pair has no PEM text")
	}
	s, err := parseSealed(sealed)
	if err != nil {
		return "", fmt.Errorf("open a sealed secret: %w", err)
	}
	lf := bytes.ReplaceAll(p.keyPEM, []byte("\r\n"), []byte("\n"))
	crlf := bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n"))
	for i, passphrase := range [][]byte{p.keyPEM, crlf, lf} {
		if i > 0 && bytes.Equal(passphrase, p.keyPEM) {
			continue
		}
		plaintext, ok, err := s.open(passphrase)
		if err != nil {
			return "", fmt.Errorf("open a sealed secret: %w", err)
		}
		if ok {
			return plaintext, nil
		}
	}
	return "", fmt.Errorf("open a sealed secret: %w", ErrSealed)
}

// sealed is a value of LDAP_BIND_CREDENTIALS, taken apart. In format 1 there
// is neither salt nor IV.
type sealed struct{ salt, iv, ciphertext []byte }

func parseSealed(text string) (sealed, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return sealed{}, errors.New("it is empty")
	}
	if len(text) > maxSealed {
		return sealed{}, fmt.Errorf("it is longer than %d characters", maxSealed)
	}
	var s sealed
	fields := strings.Split(text, ".")
	into := []*[]byte{&s.ciphertext}
	if fields[0] == prefix {
		fields, into = fields[1:], []*[]byte{&s.salt, &s.iv, &s.ciphertext}
	} else if strings.HasPrefix(text, "$") {
		return sealed{}, errors.New("it is of an unknown format; formats 1 (hex) and 2 ($2$.) can be read")
	}
	if len(fields) != len(into) {
		return sealed{}, errors.New("it is not in the form HEX or $2$.SALT.IV.CIPHERTEXT")
	}
	for i, field := range fields {
		b, err := hex.DecodeString(field)
		if err != nil {
			return sealed{}, errors.New("it is not in hex digits")
		}
		*into[i] = b
	}
	if len(into) > 1 && (len(s.salt) != saltSize || len(s.iv) != aes.BlockSize) {
		return sealed{}, fmt.Errorf("its salt and IV must have %d bytes each", aes.BlockSize)
	}
	if n := len(s.ciphertext); n == 0 || n%aes.BlockSize != 0 {
		return sealed{}, fmt.Errorf("its ciphertext is cut short: %d bytes are no whole number of blocks: %w", n, ErrSealed)
	}
	return s, nil
}

// open says false when the passphrase is wrong, as far as can be told: a wrong
// one leaves valid padding behind about once in 256 times, and what it leaves
// then is noise.
func (s sealed) open(passphrase []byte) (string, bool, error) {
	var key, iv []byte
	var err error
	if s.salt == nil {
		key, iv = bytesToKey(passphrase)
	} else if key, err = derive(passphrase, s.salt); err != nil {
		return "", false, err
	} else {
		iv = s.iv
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", false, err
	}
	text := make([]byte, len(s.ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(text, s.ciphertext)
	pad := int(text[len(text)-1])
	if pad < 1 || pad > aes.BlockSize {
		return "", false, nil
	}
	text, tail := text[:len(text)-pad], text[len(text)-pad:]
	if !bytes.Equal(tail, bytes.Repeat([]byte{byte(pad)}, pad)) || !isText(string(text)) {
		return "", false, nil
	}
	return string(text), true, nil
}

func seal(passphrase []byte, plaintext string, salt, iv []byte) (string, error) {
	key, err := derive(passphrase, salt)
	if err != nil {
		return "", fmt.Errorf("seal a secret: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", fmt.Errorf("seal a secret: %w", err)
	}
	pad := aes.BlockSize - len(plaintext)%aes.BlockSize // PKCS#7 (RFC 5652, section 6.3)
	text := append([]byte(plaintext), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(text, text)
	return strings.Join([]string{prefix, hex.EncodeToString(salt), hex.EncodeToString(iv), hex.EncodeToString(text)}, "."), nil
}

func derive(passphrase, salt []byte) ([]byte, error) {
	return scrypt.Key(passphrase, salt, scryptCost, 8, 1, keySize)
}

// bytesToKey is OpenSSL's EVP_BytesToKey with MD5, no salt and one round: the
// key and the IV are the digests of the passphrase, each preceded by the digest
// before it. Only format 1 needs it.
func bytesToKey(passphrase []byte) (key, iv []byte) {
	var out, last []byte
	for len(out) < keySize+aes.BlockSize {
		sum := md5.Sum(append(last, passphrase...))
		last = sum[:]
		out = append(out, last...)
	}
	return out[:keySize], out[keySize:]
}

func isText(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}
