package browser

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// axe-core, by which accessibility is measured: its release, and the SHA-256 of
// what is taken from it. It is MPL-2.0, and no part of this repository.
const (
	axeRelease = "4.14.1"
	axeSum     = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
)

// Axe returns the source of axe-core, which npm fetches once.
func Axe(t testing.TB) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(home, ".cache", "connector-ci", "axe-core-"+axeRelease+".min.js")
	data, err := os.ReadFile(kept)
	if err == nil && sum(data) == axeSum {
		return string(data)
	}
	npm := need(t, "npm")
	if data, err = fetchAxe(t.Context(), t.TempDir(), npm); err == nil && sum(data) != axeSum {
		err = fmt.Errorf("axe.min.js has the SHA-256 %s", sum(data))
	}
	if err != nil {
		t.Fatalf("fetch axe-core %s: %v", axeRelease, err)
	}
	// Another test may be doing the same: whole files take each other's place.
	part, err := os.CreateTemp(mkdir(t, filepath.Dir(kept)), "axe-*")
	if err != nil {
		t.Fatal(err)
	}
	_, err = part.Write(data)
	if err := errors.Join(err, part.Close(), os.Rename(part.Name(), kept)); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func mkdir(t testing.TB, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// fetchAxe has npm fetch the package, and takes the one file out of it.
func fetchAxe(ctx context.Context, dir, npm string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "axe-core@"+axeRelease)
	cmd.Dir = dir
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, errs.String())
	}
	packed, err := os.ReadFile(filepath.Join(dir, "axe-core-"+axeRelease+".tgz"))
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			return nil, err
		}
		if h.Name == "package/axe.min.js" {
			return io.ReadAll(io.LimitReader(r, 8<<20))
		}
	}
}
