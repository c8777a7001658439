package home

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// ErrPassphrase says that a passphrase does not open an archive.
var ErrPassphrase = errors.New("the passphrase is wrong")

const (
	// The work that each guess at a passphrase costs: scrypt with N=2^15, which
	// takes 32 MiB and a fifth of a second. A container with the least memory
	// that the connector runs in can do that.
	scryptWork = 15
	// The age program itself chooses 18, which takes 256 MiB.
	maxScryptWork = 18
	// maxEncrypted is an archive of the largest size, armored.
	maxEncrypted = maxArchive * 3 / 2
)

// IsEncrypted reports whether data begins as a file of age does.
func IsEncrypted(data []byte) bool {
	return bytes.HasPrefix(data, []byte("age-encryption.org/")) || isArmored(data)
}

func isArmored(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte(armor.Header))
}

// Encrypt encrypts an archive with a passphrase, in the format of age
// (age-encryption.org/v1): age itself can open it too.
func Encrypt(archive []byte, passphrase string) ([]byte, error) {
	return encrypt(archive, passphrase, scryptWork)
}

func encrypt(archive []byte, passphrase string, work int) ([]byte, error) {
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("encrypt the archive: %w", err)
	}
	to.SetWorkFactor(work)
	var buf bytes.Buffer
	w, err := age.Encrypt(&buf, to)
	if err == nil {
		_, err = w.Write(archive)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt the archive: %w", err)
	}
	return buf.Bytes(), nil
}

// Decrypt opens what Encrypt made. All of it is read and proved before any of
// it is returned. The error is an ErrPassphrase when the passphrase is another.
func Decrypt(data []byte, passphrase string) ([]byte, error) {
	archive, err := decrypt(data, passphrase, maxScryptWork)
	if err != nil {
		return nil, fmt.Errorf("decrypt the archive: %w", err)
	}
	return archive, nil
}

func decrypt(data []byte, passphrase string, maxWork int) ([]byte, error) {
	if len(data) > maxEncrypted {
		return nil, fmt.Errorf("it is larger than %d MiB", maxEncrypted>>20)
	}
	with, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, errors.New("the passphrase is empty")
	}
	with.SetMaxWorkFactor(maxWork)
	var from io.Reader = bytes.NewReader(data)
	if isArmored(data) {
		from = armor.NewReader(from)
	}
	r, err := age.Decrypt(from, with)
	var other *age.NoIdentityMatchError
	switch {
	case errors.As(err, &other) && !slices.Contains(other.StanzaTypes, "scrypt"):
		return nil, errors.New("it is encrypted to a key, not with a passphrase; decrypt it with age first")
	case errors.As(err, &other):
		return nil, ErrPassphrase
	case err != nil && strings.Contains(err.Error(), "work factor too large"): // age has no other mark
		return nil, errors.New("whoever made it wants more memory and time than an archive is given")
	case err != nil:
		return nil, errors.New("it is damaged or cut short")
	}
	archive, err := io.ReadAll(io.LimitReader(r, maxArchive+1))
	if err != nil {
		return nil, errors.New("it is damaged or cut short")
	}
	if len(archive) > maxArchive {
		return nil, fmt.Errorf("it is larger than %d MiB", maxArchive>>20)
	}
	return archive, nil
}
