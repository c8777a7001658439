package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// machinePackages are what a machine has beyond the least that Debian needs.
const machinePackages = "systemd,systemd-sysv,dbus,procps"

// machineRoot returns the file system of a machine that nobody has started. It
// is made of Debian's packages once, and read only from then on.
func machineRoot(t testing.TB, more []string) (dir string, err error) {
	release, mirror, err := debian()
	if err != nil {
		return "", err
	}
	packages := strings.Join(append([]string{machinePackages}, more...), ",")
	sum := sha256.Sum256(fmt.Append(nil, release, packages))
	return keptRoot(t, fmt.Sprintf("rootfs-%s-%x", release, sum[:4]), "rootfs-*", func(ctx context.Context, half string) error {
		return bootstrap(ctx, half, release, mirror, packages)
	})
}

// bootstrap unpacks a release of Debian's with more packages than the least, and
// without the files that the last arguments say.
func bootstrap(ctx context.Context, dir, release, mirror, packages string, without ...string) error {
	args := []string{"--quiet", "--variant=minbase", "--include=" + packages, "--dpkgopt=force-unsafe-io"}
	for _, path := range append([]string{"/usr/share/man/*", "/usr/share/doc/*"}, without...) {
		args = append(args, "--dpkgopt=path-exclude="+path)
	}
	return toEnd(exec.CommandContext(ctx, mmdebstrapPath, append(args, release, dir, "deb "+mirror+" "+release+" main")...))
}

// toEnd runs a program that ends with this process.
func toEnd(cmd *exec.Cmd) error {
	runtime.LockOSThread() // see tie
	defer runtime.UnlockOSThread()
	tie(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, out)
	}
	return nil
}

// keptRoot returns a file system that is in the cache by this name, and that fill
// makes where there is none. Those of the same kind that nobody has used for
// long are dropped then.
func keptRoot(t testing.TB, name, kind string, fill func(ctx context.Context, half string) error) (dir string, err error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	dir = filepath.Join(cache, name)
	unlock, err := lockFile(dir+".lock", true)
	if err != nil {
		return "", err
	}
	defer unlock()
	now := time.Now()
	_ = os.Chtimes(dir+".lock", now, now) // at worst it is made anew some day
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	t.Logf("making the machine's files in %s, once", dir)
	half := dir + ".half"
	if err := os.RemoveAll(half); err != nil { // of one that was killed over it
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := fill(ctx, half); err != nil {
		return "", fmt.Errorf("make %s: %w", dir, err)
	}
	dropTemplates(cache, kind, now.AddDate(0, 0, -14))
	return dir, os.Rename(half, dir)
}

// debian returns the release that this machine has, and where its packages are.
func debian() (release, mirror string, err error) {
	data, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			release = strings.Trim(name, `"`)
		}
	}
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(SITE)",
		"Codename: "+release, "Component: main", "Created-By: Packages").Output()
	first, _, _ := bytes.Cut(out, []byte("\n"))
	if err == nil && (release == "" || len(first) == 0) {
		err = errors.New("apt knows no source of this release")
	}
	if err != nil {
		return "", "", fmt.Errorf("find the packages of Debian %q: %w", release, err)
	}
	return release, string(first), nil
}
