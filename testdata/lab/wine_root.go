package lab

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const (
	// wineRelease is the first release of Debian's whose Wine has what Go's
	// programs need of Windows 10, bcryptprimitives.dll, and what the tests need:
	// a Service Control Manager that sees how a service ends.
	wineRelease  = "trixie"
	winePackages = "wine,wine64"
)

// wineWithout is half of Wine: what draws and plays, and libraries of compilers.
var wineWithout = []string{
	"/usr/share/locale/*", "*/x86_64-windows/d2d1*", "*/x86_64-windows/d3d*", "*/x86_64-windows/mshtml*", "*/x86_64-windows/msvc[pr][0-9]*",
	"*/x86_64-windows/msxml*", "*/x86_64-windows/opengl32*", "*/x86_64-windows/wined3d*", "*/x86_64-windows/winedbg*",
}

// wineRoot is machineRoot for a machine that has Wine, with a Windows on it that
// is ready to start.
func wineRoot(t testing.TB) (dir string, err error) {
	_, mirror, err := debian()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Append(nil, wineRelease, winePackages, wineWithout, prepare))
	return keptRoot(t, fmt.Sprintf("wine-%s-%x", wineRelease, sum[:4]), "wine-*", func(ctx context.Context, half string) error {
		if err := bootstrap(ctx, half, wineRelease, mirror, winePackages, wineWithout...); err != nil {
			return err
		}
		//nolint:gosec // for all to read
		if err := os.WriteFile(filepath.Join(half, "etc/hosts"), []byte("127.0.0.1 localhost\n::1 localhost\n"), 0o644); err != nil {
			return err
		}
		args := []string{"--quiet", "--register=no", "--keep-unit", "--private-network", "--directory=" + half, "--machine=connector-wine"}
		args = append(append(args, wineArgs()...), "/bin/sh", "-c", prepare)
		// What systemd-nspawn notes of the machine is nobody else's, see spawn.
		script := `mkdir -p /run/systemd/nspawn && mount -t tmpfs tmpfs /run/systemd/nspawn && exec "$@"`
		return toEnd(exec.CommandContext(ctx, unsharePath, append([]string{"--mount", "/bin/sh", "-c", script, "sh", nspawnPath}, args...)...))
	})
}

// prepare makes the Windows. Most of it are copies of files of Wine's, which
// take no space once they are links.
const prepare = `set -eu
wine wineboot --init
wineserver --wait
hardlink --quiet --ignore-owner --ignore-mode --ignore-time /root/wine /usr/lib`
