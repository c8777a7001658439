package main

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/release"
)

func newRootCommand(m *maintainer) *cobra.Command {
	var (
		root, releases, keys  []string
		rootLeast, leastOfRel int
		days                  int
	)
	cmd := &cobra.Command{
		Use:   "root FOLDER",
		Short: "Write the next root document: the first, or one with other keys or a new expiry",
		Long:  "The keys of the root before must sign the next one too, as many as it says.",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			_, n, err := newestRoot(args[0])
			if err != nil {
				return err
			}
			r := release.Root{Version: n + 1, Expires: m.in(days)}
			if r.Root, err = roleOf(root, rootLeast); err != nil {
				return err
			}
			if r.Releases, err = roleOf(releases, leastOfRel); err != nil {
				return err
			}
			document, err := r.Document()
			if err != nil {
				return err
			}
			return m.land(args[0], release.RootName(r.Version), document, keys)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&root, "root", nil, "public key `FILE` that signs roots (repeatable)")
	f.IntVar(&rootLeast, "root-threshold", 1, "how many of them must")
	f.StringSliceVar(&releases, "releases", nil, "public key `FILE` that signs releases (repeatable)")
	f.IntVar(&leastOfRel, "releases-threshold", 1, "how many of them must")
	f.StringSliceVar(&keys, "key", nil, "private key `FILE` to sign with (repeatable)")
	f.IntVar(&days, "days", 730, "how long it holds")
	return cmd
}

func roleOf(names []string, threshold int) (release.Role, error) {
	r := release.Role{Threshold: threshold}
	for _, name := range names {
		key, err := readPublic(name)
		if err != nil {
			return r, err
		}
		r.Keys = append(r.Keys, key)
	}
	return r, nil
}

func newSignCommand(m *maintainer) *cobra.Command {
	var keys []string
	cmd := &cobra.Command{
		Use:   "sign FOLDER/DOCUMENT.draft",
		Short: "Add signatures to a draft, and publish it when it has all",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			folder, name := filepath.Split(args[0])
			name, ok := strings.CutSuffix(name, draftSuffix)
			if !ok {
				return errors.New("name a draft")
			}
			document, err := readSmallDocument(args[0])
			if err != nil {
				return err
			}
			if err := m.show(name, document); err != nil {
				return err
			}
			return m.land(filepath.Clean(folder+"."), name, document, keys)
		},
	}
	cmd.Flags().StringSliceVar(&keys, "key", nil, "private key `FILE` to sign with (repeatable)")
	return cmd
}

// show says what is about to be signed.
func (m *maintainer) show(name string, document []byte) error {
	if name == releasesName {
		r, err := release.LookReleases(document)
		if err != nil {
			return err
		}
		m.say("releases, version %d, until %s:", r.Version, r.Expires.Format("2006-01-02"))
		for _, one := range r.Releases {
			m.say("  %s %v, %d files", one.Version, one.Channels, len(one.Files))
		}
		return nil
	}
	r, err := release.LookRoot(document)
	if err != nil {
		return err
	}
	m.say("root, version %d, until %s", r.Version, r.Expires.Format("2006-01-02"))
	for what, role := range map[string]release.Role{"roots": r.Root, "releases": r.Releases} {
		m.say("  %d of these sign %s:", role.Threshold, what)
		for _, k := range role.Keys {
			m.say("    %s", release.KeyID(k))
		}
	}
	return nil
}
