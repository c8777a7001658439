package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/release"
)

func newBundleCommand() *cobra.Command {
	var version, system, arch string
	cmd := &cobra.Command{
		Use:   "bundle FOLDER FILE",
		Short: "Pack a release's programs with the documents, for \"connector update --from FILE\"",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			v, err := release.ParseVersion(version)
			if err != nil {
				return err
			}
			out, err := os.OpenFile(args[1], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // published: for everybody to read
			if err != nil {
				return err
			}
			defer func() {
				if err = errors.Join(err, out.Close()); err != nil {
					_ = os.Remove(args[1]) // the first error is the one to tell
				}
			}()
			return release.WriteBundle(out, args[0], func(r release.Release, f release.File) bool {
				return r.Version.Compare(v) == 0 && f.Kind == release.FileProgram &&
					(system == "" || f.OS == system) && (arch == "" || f.Arch == arch)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&version, "version", "", "the `VERSION` to pack")
	f.StringVar(&system, "os", "", "for this system only, as GOOS")
	f.StringVar(&arch, "arch", "", "for this architecture only, as GOARCH")
	return cmd
}

func newVerifyCommand(m *maintainer) *cobra.Command {
	return &cobra.Command{
		Use:   "verify FOLDER",
		Short: "Check a folder as those who read it do, and all of its files",
		Args:  cobra.ExactArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return m.verify(args[0]) },
	}
}

func (m *maintainer) verify(folder string) error {
	root, n, err := newestRoot(folder)
	if err != nil {
		return err
	}
	if n == 0 {
		return errors.New("there is no root")
	}
	data, err := readSmallDocument(filepath.Join(folder, releasesName))
	if err != nil {
		return err
	}
	r, err := release.ReadReleases(data, root)
	if err != nil {
		return err
	}
	if !m.now().Before(r.Expires) {
		return fmt.Errorf("the releases expired at %s", r.Expires)
	}
	for _, one := range r.Releases {
		for _, f := range one.Files {
			if err := f.Check(filepath.Join(folder, filepath.FromSlash(f.Path))); err != nil {
				return err
			}
		}
		m.say("%s %v: %d files are well", one.Version, one.Channels, len(one.Files))
	}
	m.say("root %d, releases %d, until %s", n, r.Version, r.Expires.Format("2006-01-02"))
	return nil
}
