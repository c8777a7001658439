package release

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// body answers the program's requests with other octets, and all others as
// the folder does.
func (s *site) body(answer func(w http.ResponseWriter, r *http.Request)) {
	files := http.FileServer(http.Dir(s.dir))
	s.answer(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/1.4.0/") {
			answer(w, r)
			return
		}
		files.ServeHTTP(w, r)
	})
}

// TestFilesRefused has each attack on a file get its own error, and leave
// nothing behind but what was there.
func TestFilesRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer func(s *site, w http.ResponseWriter, r *http.Request)
		want   Kind
		keeps  bool // what came, for later
	}{
		"swapped": {func(s *site, w http.ResponseWriter, _ *http.Request) {
			other := append([]byte{}, s.program...)
			other[len(other)/2]++
			_, _ = w.Write(other)
		}, KindHash, false},
		"longer": {func(s *site, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(s.program)+1))
			_, _ = w.Write(append(s.program[:len(s.program):len(s.program)], 0))
		}, KindTooLarge, false},
		"endless": {func(s *site, w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(s.program)
			endless(w, r)
		}, KindTooLarge, false},
		"shorter": {func(s *site, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(s.program)-1))
			_, _ = w.Write(s.program[1:])
		}, KindTruncated, false},
		"truncated": {func(s *site, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(s.program[1:])
			_ = http.NewResponseController(w).Flush()
		}, KindTruncated, false},
		"silent": {func(s *site, w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(s.program[:1000])
			silent(w, r)
		}, KindTooSlow, true},
		"dripping":   {func(_ *site, w http.ResponseWriter, r *http.Request) { dripping(w, r) }, KindTooSlow, true},
		"compressed": {func(_ *site, w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "gzip") }, KindMalformed, false},
		"not there":  {func(_ *site, w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, KindNotFound, false},
		"login page": {func(_ *site, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>log in")) }, KindCaptive, false},
		"other range": {func(_ *site, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 5-9/10")
			w.WriteHeader(206)
		}, KindMalformed, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.body(func(w http.ResponseWriter, r *http.Request) { test.answer(s, w, r) })
			switch name {
			case "silent":
				s.options.Idle, s.options.Tries = silence, 1
			case "dripping":
				s.options.RateWindow, s.options.MinRate = 50*time.Millisecond, 1<<20
			}
			dst := filepath.Join(t.TempDir(), "connector")
			if err := os.WriteFile(dst, []byte("the old program"), 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, s.client().Fetch(t.Context(), s.file(), dst, nil), test.want)
			if data, err := os.ReadFile(dst); err != nil || string(data) != "the old program" {
				t.Errorf("the old program is %q (%v)", data, err)
			}
			untouched(t, dst, test.keeps)
		})
	}
}

// untouched checks that nothing lies beside a file but a part that cannot run.
func untouched(t *testing.T, dst string, keeps bool) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(dst))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o111 != 0 || e.Name() != filepath.Base(dst) && !keeps {
			t.Errorf("there is %s, %v", e.Name(), info.Mode())
		}
	}
}

// cutting breaks the line after so many octets of each answer.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	if len(p) > c.left {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

// TestResume breaks the line at random places, within one Fetch and between
// two, and has each octet sent once or little more.
func TestResume(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.options.Tries = 2
			var mu sync.Mutex
			random := rand.New(rand.NewPCG(seed, 1))
			files := http.FileServer(http.Dir(s.dir))
			s.body(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				n := 1 + random.IntN(60_000)
				mu.Unlock()
				files.ServeHTTP(&cutting{w, n}, r)
			})
			dst := filepath.Join(t.TempDir(), "connector")
			highest := int64(0)
			fetches := 0
			for ; ; fetches++ {
				if fetches > 1000 {
					t.Fatal("it does not get further")
				}
				err := s.client().Fetch(t.Context(), s.file(), dst, func(done, _ int64) {
					if done < highest {
						t.Errorf("%d octets were there, and now %d", highest, done)
					}
					highest = done
				})
				if err == nil {
					break
				}
				refused(t, err, KindNetwork)
				untouched(t, dst, true)
			}
			only(t, dst, s.program)
			t.Logf("%d fetches, %d requests", fetches+1, len(s.requests()))
		})
	}
}

// TestResumeOfAnother has the file replaced while the line was broken: what
// had come is of no use.
func TestResumeOfAnother(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *site, dst string){
		"another release": func(s *site, _ string) {
			s.program = random(150_000)
			s.put("1.4.0/connector-linux-amd64", s.program)
		},
		"the server's is newer": func(s *site, _ string) {
			path := filepath.Join(s.dir, "1.4.0", "connector-linux-amd64")
			if err := os.Chtimes(path, time.Now(), time.Now().Add(time.Hour)); err != nil {
				s.t.Fatal(err)
			}
		},
		"the part was changed": func(s *site, dst string) {
			if err := os.WriteFile(dst+partSuffix, random(70_000)[10:], 0o600); err != nil {
				s.t.Fatal(err)
			}
		},
		"the part is whole, and wrong": func(s *site, dst string) {
			if err := os.WriteFile(dst+partSuffix, make([]byte, len(s.program)), 0o600); err != nil {
				s.t.Fatal(err)
			}
		},
		"the part is too long": func(s *site, dst string) {
			if err := os.WriteFile(dst+partSuffix, make([]byte, len(s.program)+1), 0o600); err != nil {
				s.t.Fatal(err)
			}
		},
		"the part is a folder": func(s *site, dst string) {
			if err := errors.Join(os.Remove(dst+partSuffix), os.MkdirAll(filepath.Join(dst+partSuffix, "sub"), 0o700)); err != nil {
				s.t.Fatal(err)
			}
		},
		"the tag is gone": func(s *site, dst string) {
			if err := os.Remove(dst + tagSuffix); err != nil {
				s.t.Fatal(err)
			}
		},
		"the tag is nonsense": func(s *site, dst string) {
			if err := os.WriteFile(dst+tagSuffix, random(3000), 0o600); err != nil {
				s.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.options.Tries = 1
			files := http.FileServer(http.Dir(s.dir))
			s.body(func(w http.ResponseWriter, r *http.Request) { files.ServeHTTP(&cutting{w, 100_000}, r) })
			dst := filepath.Join(t.TempDir(), "connector")
			refused(t, s.client().Fetch(t.Context(), s.file(), dst, nil), KindNetwork)
			change(s, dst)
			s.answer(nil)
			if err := s.client().Fetch(t.Context(), s.file(), dst, nil); err != nil {
				t.Fatal(err)
			}
			only(t, dst, s.program)
		})
	}
}

// TestPartIsNoLink has a link where the part belongs: what it leads to stays.
func TestPartIsNoLink(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(elsewhere, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(dir, "connector")
	if err := os.Symlink(elsewhere, dst+partSuffix); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if err := os.WriteFile(dst+tagSuffix, []byte(s.file().SHA256+"\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.client().Fetch(t.Context(), s.file(), dst, nil); err != nil {
		t.Fatal(err)
	}
	only(t, dst, s.program)
	if data, err := os.ReadFile(elsewhere); err != nil || string(data) != "precious" {
		t.Errorf("what the link leads to is %q (%v)", data, err)
	}
}

func TestFetchCanceled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.body(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(s.program[:1000])
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	dst := filepath.Join(t.TempDir(), "connector")
	err := s.client().Fetch(ctx, s.file(), dst, nil)
	refused(t, err, KindCanceled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
}

func TestFetchToNowhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	refused(t, s.client().Fetch(t.Context(), s.file(), filepath.Join(t.TempDir(), "none", "connector"), nil), KindDisk)
	dst := filepath.Join(t.TempDir(), "connector") // a folder with something in it is in the way
	if err := os.MkdirAll(filepath.Join(dst, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	refused(t, s.client().Fetch(t.Context(), s.file(), dst, nil), KindDisk)
	if entries, err := os.ReadDir(filepath.Dir(dst)); err != nil || len(entries) != 1 {
		t.Errorf("there are %v (%v)", entries, err)
	}
}
