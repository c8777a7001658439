package home

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/keys"
)

// rotated are the passwords that are kept in turn.
var rotated = []string{"first-of-the-passwords", "second-of-the-passwords"}

// A sealing is one pair with the passwords sealed by it: sealing takes long, and
// is not what is tried.
type sealing struct {
	Pair   *keys.Pair
	Sealed []config.Secret
}

// sealings makes those of two pairs, or reads what another process made.
func sealings(dir string) (all []sealing, err error) {
	for _, ref := range []string{"a", "b"} {
		pair, err := readPair(ref)
		if err != nil {
			return nil, err
		}
		s := sealing{Pair: pair}
		for i, password := range rotated {
			name := filepath.Join(dir, fmt.Sprintf("sealed-%s-%d", ref, i))
			sealed, err := os.ReadFile(name)
			if errors.Is(err, os.ErrNotExist) {
				var text string
				if text, err = pair.Seal(password); err == nil {
					sealed, err = []byte(text), os.WriteFile(name, []byte(text), 0o600)
				}
			}
			if err != nil {
				return nil, err
			}
			s.Sealed = append(s.Sealed, config.Secret(sealed))
		}
		all = append(all, s)
	}
	return all, nil
}

// rotateForever does in turn all that changes a password or what it is sealed
// with: another password in the file, a setting, another key pair, a move to
// each store and another password there, and the way back.
func rotateForever(dir string) error {
	h, err := Open(dir, nil)
	if err != nil {
		return err
	}
	all, err := sealings(filepath.Dir(dir))
	if err != nil {
		return err
	}
	inFile := func(i int, s sealing) (config.Config, error) {
		c, err := h.Config()
		c.Agent.Secrets, c.Directory.BindCredentials = config.InFile, s.Sealed[i%2]
		return c, err
	}
	for i := os.Getpid(); ; i++ { // so that no two of them begin alike
		s := all[i/2%2]
		c, err := inFile(i, s)
		if err != nil {
			return err
		}
		c.Tenant.SiteName = fmt.Sprint(i)
		text, err := c.Encode()
		if err != nil {
			return err
		}
		if _, err := h.ReplaceKeys(s.Pair, text); err != nil {
			return err
		}
		fmt.Println("another pair", i)
		if c, err = inFile(i+1, s); err != nil {
			return err
		}
		if err := errors.Join(h.SaveConfigWith(c, s.Pair), h.RemoveSecrets()); err != nil {
			return err
		}
		fmt.Println("another password", i)
		for _, store := range storesHere() {
			for n := range 3 {
				if c, err = h.Config(); err != nil {
					return err
				}
				if err := h.KeepBindPassword(c, store, rotated[(i+n)%2], nil); err != nil {
					return err
				}
				fmt.Println("in a store", i)
			}
		}
	}
}

// storesHere are the stores but the file that this process may use.
func storesHere() (found []string) {
	for _, store := range []string{config.InSystemd, config.InDPAPI} {
		if CheckStore(store) == nil && (store != config.InSystemd || os.Geteuid() == 0) {
			found = append(found, store)
		}
	}
	if mayUseKeyring() {
		found = append(found, config.InKeyring)
	}
	return found
}

// Whenever the process dies, the next Open finds a password that opens: the
// former one or the next.
func TestRotationSurvivesKill(t *testing.T) {
	h := lay(t, configured(t))
	all, err := sealings(filepath.Dir(h.Dir()))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	rounds := kills(t, 40)
	killed(t, rounds, "rotate", h.Dir(), func(round int) {
		h = open(t, h.Dir())
		c, err := h.Config()
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		pair, err := h.Keys(c)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if c.Stored() {
			password, err := h.BindPassword(c)
			if err != nil || !slices.Contains(rotated, password) {
				t.Errorf("round %d: the store has %q, %v", round, password, err)
			}
			found[c.Agent.Secrets]++
			return
		}
		if string(c.Directory.BindCredentials) == sealedWith("a") && pair.Thumbprint() == all[0].Pair.Thumbprint() {
			return // it was killed before it had begun
		}
		s := all[slices.IndexFunc(all, func(s sealing) bool { return s.Pair.Thumbprint() == pair.Thumbprint() })]
		if !slices.Contains(s.Sealed, c.Directory.BindCredentials) {
			t.Errorf("round %d: the password is not sealed with the key that is there", round)
		}
		found[pair.Thumbprint()]++
	})
	t.Logf("%d kills; found %v", rounds, found)
	if len(found) < 2 {
		t.Errorf("the kills proved nothing: %v", found)
	}
}
