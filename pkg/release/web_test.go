package release

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestTrouble is what is nobody's attack.
func TestTrouble(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   Kind
		says   string
		tries  int64
	}{
		"no releases": {http.NotFound, KindNotFound, "no such file", 1},
		"forbidden":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, KindStatus, "status 403", 1},
		"proxy":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(407) }, KindStatus, "proxy", 1},
		"broken":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, KindBusy, "status 500", 4},
		"away":        {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "0"); w.WriteHeader(503) }, KindBusy, "status 503", 4},
		"away for long": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(503)
		}, KindBusy, "come back in 1h0m0s", 1},
		"login page": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<!DOCTYPE html><title>Guest</title>"))
		}, KindCaptive, "page for people", 1},
		"login page as a file": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("\n<html>"))
		}, KindCaptive, "page for people", 1},
		"sent on": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://portal.example/login?secret", http.StatusFound)
		}, KindCaptive, "http://portal.example ", 1},
		"cut": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, KindNetwork, "EOF", 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			files := http.FileServer(http.Dir(s.dir))
			var tries atomic.Int64
			s.answer(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, releasesName) {
					files.ServeHTTP(w, r)
					return
				}
				tries.Add(1)
				test.answer(w, r)
			})
			_, err := s.client().Releases(t.Context())
			refused(t, err, test.want)
			if !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("it says %v", err)
			}
			if n := tries.Load(); n < test.tries || n > test.tries*2 { // net/http tries a broken line again by itself
				t.Errorf("%d tries, want %d", n, test.tries)
			}
		})
	}
}

// TestComesBack has a server that is well at the third try.
func TestComesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	files := http.FileServer(http.Dir(s.dir))
	var tries atomic.Int64
	s.answer(func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) < 3 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		files.ServeHTTP(w, r)
	})
	if _, err := s.client().Releases(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestNobodyThere has no server, and one that is somebody else.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	stranger := s.options
	stranger.HTTP = &http.Client{Transport: &http.Transport{}}
	c, err := New(stranger)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Releases(t.Context())
	refused(t, err, KindNetwork)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	s.server.Close()
	asked := ""
	s.options.Explain = func(doing, host string, err error) error {
		if op := (*net.OpError)(nil); doing == "" && errors.As(err, &op) {
			asked = host
		}
		return errors.New("nobody is there")
	}
	_, err = s.client().Releases(t.Context())
	refused(t, err, KindNetwork)
	if want, _ := url.Parse(s.server.URL); asked != want.Host || !strings.HasSuffix(err.Error(), ": nobody is there") {
		t.Errorf("asked about %q: %v", asked, err)
	}
}

func TestReleasesCanceled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.answer(func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(500)
	})
	_, err := s.client().Releases(ctx)
	refused(t, err, KindCanceled)
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for address, well := range map[string]bool{
		"https://releases.example": true, "https://releases.example/connector": true, "https://releases.example:8443/a/b/": true,
		"http://127.0.0.1:8080/": true, "http://localhost/": true,
		"http://releases.example/": false, "ftp://releases.example/": false, "": false, "releases.example": false, "https://": false,
		"https://user:pass@releases.example/": false, "https://releases.example/?a=b": false, "https://releases.example/#a": false, "https://%zz": false,
	} {
		s.options.URL = address
		c, err := New(s.options)
		if well && (err != nil || !strings.HasPrefix(c.Source(), address)) {
			t.Errorf("%q: %v", address, err)
		}
		if !well {
			refused(t, err, KindAddress)
		}
	}
}

// TestElsewhere has the files lie on another server, below a path.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := strings.CutPrefix(r.URL.Path, "/connector/releases")
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.Redirect(w, r, s.server.URL+path, http.StatusFound)
	}))
	t.Cleanup(front.Close)
	s.options.URL = front.URL + "/connector/releases"
	if _, err := s.client().Releases(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-5": 0, "soon": 0, "99999999999999999999": 0,
		today.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		today.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if have := retryAfter(header, today); have != want {
			t.Errorf("%q: %v, want %v", header, have, want)
		}
	}
}
