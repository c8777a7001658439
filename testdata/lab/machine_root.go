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
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	packages := strings.Join(append([]string{machinePackages}, more...), ",")
	sum := sha256.Sum256(fmt.Append(nil, release, packages))
	dir = filepath.Join(cache, fmt.Sprintf("rootfs-%s-%x", release, sum[:4]))
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
	runtime.LockOSThread() // see tie
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, mmdebstrapPath, "--quiet", "--variant=minbase", "--include="+packages,
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=force-unsafe-io",
		release, half, "deb "+mirror+" "+release+" main")
	tie(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make a machine of %s: %w\n%s", release, err, out)
	}
	dropTemplates(cache, "rootfs-*", now.AddDate(0, 0, -14))
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
