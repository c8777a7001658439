package main

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/sandbox"
)

// On a full disk a renewal ends before the tenant has been told.
func TestAcceptRenewOnAFullDisk(t *testing.T) {
	disk := smallDisk(t, "2m")
	r := newRenewing(t, sandbox.CloudOptions{SeveralCertificates: true}, filepath.Join(disk, "home"))
	before, former := homeFiles(t, r.home), r.pair().Thumbprint()
	free := fillDisk(t, disk)
	for _, args := range [][]string{{}, {"--new-key"}} {
		if i := r.run(append([]string{"keys", "renew", "--yes"}, args...)...); i.status() != exitUndone {
			t.Errorf("status %d: %s", i.status(), i.stderr)
		}
		if diff := cmp.Diff(before, homeFiles(t, r.home)); diff != "" {
			t.Error(diff)
		}
		if got := r.cloud.Thumbprints(""); len(got) != 1 || got[0] != former {
			t.Errorf("the tenant lists %v", got)
		}
	}
	free()
	r.must("keys", "renew", "--yes")
	if r.pair().Thumbprint() == former {
		t.Error("with room again the pair is still the former one")
	}
}
