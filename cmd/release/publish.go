package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/release"
)

// in is the moment so many days from now.
func (m *maintainer) in(days int) time.Time {
	return m.now().UTC().Truncate(time.Second).AddDate(0, 0, days)
}

func readSmallDocument(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	return io.ReadAll(io.LimitReader(f, 8<<20))
}

// change writes the next version of a folder's releases.
func (m *maintainer) change(folder string, days int, keys []string, do func(*release.Releases) error) error {
	r := &release.Releases{}
	data, err := readSmallDocument(filepath.Join(folder, releasesName))
	switch {
	case errors.Is(err, fs.ErrNotExist): // the first
	case err != nil:
		return err
	default:
		// Signed by whomever: by the keys of the root before, after a rotation.
		if r, err = release.LookReleases(data); err != nil {
			return err
		}
	}
	r.Version++
	r.Expires = m.in(days)
	if err := do(r); err != nil {
		return err
	}
	document, err := r.Document()
	if err != nil {
		return err
	}
	return m.land(folder, releasesName, document, keys)
}

// signing are the flags of what writes releases.
func signing(cmd *cobra.Command, days *int, keys *[]string) {
	cmd.Flags().IntVar(days, "days", 60, "how long the releases hold; renew them before")
	cmd.Flags().StringSliceVar(keys, "key", nil, "private key `FILE` to sign with (repeatable)")
}

func newPublishCommand(m *maintainer) *cobra.Command {
	var (
		version, from, notes string
		channels, keys       []string
		days                 int
	)
	cmd := &cobra.Command{
		Use:   "publish DIST FOLDER",
		Short: "Copy a folder of built programs and packages into the folder of releases, and offer them",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			one := release.Release{Date: m.in(0), Channels: channels}
			var err error
			if one.Version, err = release.ParseVersion(version); err != nil {
				return err
			}
			if from != "" {
				if one.From, err = release.ParseVersion(from); err != nil {
					return err
				}
			}
			if notes != "" {
				text, err := readSmallDocument(notes)
				if err != nil {
					return err
				}
				one.Notes = string(text)
			}
			return m.change(args[1], days, keys, func(r *release.Releases) error {
				if _, ok := r.Find(one.Version); ok {
					return fmt.Errorf("release %s is published already; withdraw it, and give the next one another version", one.Version)
				}
				one, err := release.Collect(one, args[0], args[1])
				r.Releases = append(r.Releases, one)
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&version, "version", "", "the release's `VERSION`")
	f.StringVar(&from, "from", "", "the oldest `VERSION` that may be updated to it directly")
	f.StringVar(&notes, "notes-file", "", "`file` with what is new, in Markdown")
	f.StringSliceVar(&channels, "channel", []string{release.Stable}, "who is offered it (repeatable)")
	signing(cmd, &days, &keys)
	return cmd
}

func newRenewCommand(m *maintainer) *cobra.Command {
	var keys []string
	var days int
	cmd := &cobra.Command{
		Use: "renew FOLDER", Short: "Give the releases a new expiry", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return m.change(args[0], days, keys, func(*release.Releases) error { return nil })
		},
	}
	signing(cmd, &days, &keys)
	return cmd
}

func newWithdrawCommand(m *maintainer) *cobra.Command {
	var keys []string
	var days int
	cmd := &cobra.Command{
		Use: "withdraw FOLDER VERSION", Short: "Offer a release no longer", Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			v, err := release.ParseVersion(args[1])
			if err != nil {
				return err
			}
			return m.change(args[0], days, keys, func(r *release.Releases) error {
				before := len(r.Releases)
				r.Releases = slices.DeleteFunc(r.Releases, func(one release.Release) bool { return one.Version.Compare(v) == 0 })
				if len(r.Releases) == before {
					return fmt.Errorf("there is no release %s", v)
				}
				return nil
			})
		},
	}
	signing(cmd, &days, &keys)
	return cmd
}
