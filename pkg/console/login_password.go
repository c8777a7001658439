package console

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Argon2id as OWASP has it for 19 MiB: a service that shares its machine with a
// directory must not take much more for a try.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	argonKey     = 32
	argonSalt    = 16

	shortestPassword = 12
	longestPassword  = 1024
)

// Faults of a password that somebody wants to have.
var (
	errShort = fmt.Errorf("the password has fewer than %d characters", shortestPassword)
	errLong  = fmt.Errorf("the password has more than %d octets", longestPassword)
)

// HashPassword returns what may be kept of an administrator's password: an
// argon2id hash in the usual form.
func HashPassword(password string) (string, error) {
	switch {
	case len([]rune(password)) < shortestPassword:
		return "", errShort
	case len(password) > longestPassword:
		return "", errLong
	}
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // crypto/rand.Read never fails
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		b.EncodeToString(salt), b.EncodeToString(key)), nil
}

var errHash = errors.New("what is kept of the console's password is no argon2id hash")

// samePassword compares a password with what HashPassword made of one. A hash of
// other parameters is honoured within bounds: whoever can write it there could
// as well write another password's, but a slip must not take the machine down.
func samePassword(hash, password string) (bool, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return false, errHash
	}
	var version, memory, passes, threads int
	if n, err := fmt.Sscanf(parts[2], "v=%d", &version); n != 1 || err != nil || version != argon2.Version {
		return false, errHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads); n != 3 || err != nil {
		return false, errHash
	}
	if memory < 8 || memory > 128<<10 || passes < 1 || passes > 16 || threads < 1 || threads > 16 {
		return false, errHash
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	want, keyErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(salt) < 8 || len(salt) > 64 || len(want) < 16 || len(want) > 64 {
		return false, errHash
	}
	if len(password) > longestPassword {
		return false, nil
	}
	got := argon2.IDKey([]byte(password), salt, uint32(passes), uint32(memory), uint8(threads), uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}
