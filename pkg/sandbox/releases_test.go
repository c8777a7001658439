package sandbox

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReleases(t *testing.T) {
	outside, folder := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		filepath.Join(outside, "secret"):                "not for you",
		filepath.Join(folder, "releases.json"):          "{}",
		filepath.Join(folder, "1.0.0", "index.html"):    "0123456789",
		filepath.Join(folder, "1.0.0", "connector.tar"): "0123456789",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	linked := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(folder, "link")) == nil // not everybody may on Windows
	c := startCloud(t, CloudOptions{Releases: folder})
	client := httpClient(t, c)
	for path, want := range map[string]string{
		"releases.json": "200 {}", "1.0.0/connector.tar": "200 0123456789", "1.0.0/index.html": "200 0123456789",
		"": "404", "1.0.0": "404", "1.0.0/": "404", "other": "404", "..%2fsecret": "404", "link": "404",
	} {
		if path == "link" && !linked {
			continue
		}
		status, body := callCloud(t, client, "GET", c.URL()+"/releases/"+path, "")
		if have := http.StatusText(status); status == 200 {
			if "200 "+body != want {
				t.Errorf("%q: %s", path, body)
			}
		} else if want != "404" || status != 404 {
			t.Errorf("%q: %d %s", path, status, have)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), "GET", c.URL()+"/releases/1.0.0/connector.tar", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Range", "bytes=7-")
	res, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusPartialContent || string(rest) != "789" || !strings.HasPrefix(res.Header.Get("ETag"), `"`) {
		t.Errorf("the rest is %d %q (%v), %v", res.StatusCode, rest, err, res.Header)
	}
}

func TestNoReleases(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	if status, _ := callCloud(t, httpClient(t, c), "GET", c.URL()+"/releases/releases.json", ""); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
}

func TestReleasesSpoilt(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "file"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := startCloud(t, CloudOptions{Releases: folder})
	client := httpClient(t, c)
	get := func(limit int64, patience time.Duration) string {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, "GET", c.URL()+"/releases/file", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		data, _ := io.ReadAll(io.LimitReader(res.Body, limit)) // it may not end
		return string(data)
	}
	c.SpoilReleases(ReleasesTruncated)
	if have := get(100, patience); have != "01234" {
		t.Errorf("truncated: %q", have)
	}
	c.SpoilReleases(ReleasesEndless)
	if have := get(100_000, patience); len(have) != 100_000 || !strings.HasPrefix(have, "0123456789\x00") {
		t.Errorf("endless: %d octets", len(have))
	}
	c.SpoilReleases(ReleasesSlow)
	if have := get(2, patience); have != "01" {
		t.Errorf("slow: %q", have)
	}
	c.SpoilReleases(ReleasesWell)
	if have := get(100, patience); have != "0123456789" {
		t.Errorf("well: %q", have)
	}
}
