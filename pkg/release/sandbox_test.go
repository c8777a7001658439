package release

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ad-ldap-connector/pkg/sandbox"
)

// TestSandboxServesReleases has the sandbox serve the folder, well and spoilt.
func TestSandboxServesReleases(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cloud, err := sandbox.StartCloud(sandbox.CloudOptions{Releases: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() })
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: cloud.CAPool(), MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	s.options.HTTP = &http.Client{Transport: transport}
	s.options.URL = cloud.URL() + "/releases"
	s.options.RateWindow = 100 * time.Millisecond
	c := s.client()
	r, err := c.Releases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, f, err := r.Choose(Query{OS: "linux", Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "connector")
	for _, test := range []struct {
		fault     sandbox.ReleaseFault
		documents Kind
		file      Kind
	}{
		{sandbox.ReleasesTruncated, KindMalformed, KindTruncated},
		{sandbox.ReleasesEndless, KindTooLarge, KindTooLarge},
		{sandbox.ReleasesSlow, KindTooSlow, KindTooSlow},
	} {
		t.Run(string(test.fault), func(t *testing.T) {
			cloud.SpoilReleases(test.fault)
			_, err := c.Releases(t.Context())
			refused(t, err, test.documents)
			refused(t, c.Fetch(t.Context(), f, dst, nil), test.file)
			if _, err := os.Stat(dst); err == nil {
				t.Error("there is a program")
			}
			untouched(t, dst, test.file == KindTooSlow)
		})
	}
	cloud.SpoilReleases(sandbox.ReleasesWell)
	if err := c.Fetch(t.Context(), f, dst, nil); err != nil {
		t.Fatal(err)
	}
	only(t, dst, s.program)
}
