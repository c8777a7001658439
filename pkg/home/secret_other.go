//go:build !linux && !windows

package home

// checkStore: what the system keeps for programs, its keychains, opens to
// people who are logged in, and to root.
func checkStore(store string) error {
	return &StoreError{store, "this system has no such store", "set SECRETS to file"}
}

// encrypts is systemd's.
func encrypts() bool { return false }

// handed is systemd's too.
func (h *Home) handed(string, string) (string, bool, error) { return "", false, nil }

// HandOver is systemd's as well.
func HandOver(string, string, string) (bool, error) { return false, nil }

func sealSecret(store, _, _ string) (string, []byte, error) { return "", nil, checkStore(store) }

func openSecret(store, _, _ string, _ []byte) (string, error) { return "", checkStore(store) }
