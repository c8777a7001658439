package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"time"
)

// A ReleaseFault is what may be wrong with the server of releases.
type ReleaseFault string

// The faults. Each concerns what is in the files' bodies; the headers are right,
// but for the length, which is not said.
const (
	ReleasesWell      ReleaseFault = ""
	ReleasesTruncated ReleaseFault = "truncated" // half of each file, as if it ended there
	ReleasesEndless   ReleaseFault = "endless"   // each file, and then zeros for ever
	ReleasesSlow      ReleaseFault = "slow"      // an octet a second
)

// SpoilReleases has the releases served with a fault from now on.
func (c *Cloud) SpoilReleases(f ReleaseFault) { c.releaseFault.Store(&f) }

// serveReleases serves the files below the folder of releases, in ranges too,
// and lists none. Links do not lead out of it.
func (c *Cloud) serveReleases(w http.ResponseWriter, r *http.Request) {
	if c.options.Releases == "" {
		answerError(w, http.StatusNotFound, errors.New("this sandbox was given no releases"))
		return
	}
	file, info, err := openRelease(c.options.Releases, r.PathValue("path"))
	if errors.Is(err, fs.ErrPermission) {
		answerError(w, http.StatusForbidden, errors.New("the file may not be read"))
		return
	}
	if err != nil {
		answerError(w, http.StatusNotFound, errors.New("no such file"))
		return
	}
	defer func() { _ = file.Close() }() // read only
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	// A program takes longer than a page on a slow line. The line ends with the
	// sandbox at the latest.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	if f := c.releaseFault.Load(); f != nil && *f != ReleasesWell {
		c.spoil(w, r, *f, file, info.Size())
		return
	}
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// openRelease opens a file below a folder. Folders are none.
func openRelease(folder, name string) (*os.File, fs.FileInfo, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	// A pipe would hold whoever opens it.
	if info, err := root.Stat(path.Clean(name)); err != nil || !info.Mode().IsRegular() {
		return nil, nil, errors.Join(err, fs.ErrNotExist)
	}
	file, err := root.Open(path.Clean(name))
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close() // read only
		return nil, nil, err
	}
	return file, info, nil
}

func (c *Cloud) spoil(w http.ResponseWriter, r *http.Request, f ReleaseFault, file io.Reader, size int64) {
	flush := http.NewResponseController(w).Flush
	switch f {
	case ReleasesTruncated:
		_, _ = io.CopyN(w, file, size/2) // whoever asked has gone, at worst
		_ = flush()                      // so that no length is said
	case ReleasesEndless:
		_, _ = io.Copy(w, file)
		zeros := make([]byte, 32<<10)
		for {
			if _, err := w.Write(zeros); err != nil {
				return
			}
		}
	case ReleasesSlow:
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for {
			if _, err := io.CopyN(w, file, 1); err != nil || flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-c.ctx.Done():
				return
			case <-second.C:
			}
		}
	}
}
