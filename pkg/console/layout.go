package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed page
var files embed.FS

// A view is what the template of a page gets as its dot.
type view struct {
	Page    string // its path, for the navigation
	Title   string
	Version string
	CSRF    string // the token that every change must show; "" where nobody is logged in
	Session string // how the administrator has logged in
	Flashes []flash
	Bare    bool   // without the navigation: nobody is logged in
	Refresh string // where the browser is to go at once
	Data    any
}

// Pages are the entries of the navigation.
func (*view) Pages() []page { return pages }

// Path, Name and Hash are for the navigation's template.
func (p page) Path() string   { return p.path }
func (p page) Name() string   { return p.name }
func (p page) Hash() []string { return p.hash }

// A flash is a message that waits for the next page.
type flash struct {
	Kind flashKind
	Text string
}

type flashKind string

const (
	flashOK   flashKind = "ok"
	flashWarn flashKind = "warn"
	flashBad  flashKind = "bad"
)

// A layout has the templates of all pages, and what they link to.
type layout struct {
	pages  map[string]*template.Template // by file, without .html
	assets map[string]asset
}

type asset struct {
	data []byte
	kind string
	sum  string // the beginning of its hash: an address for each content, that may be kept
}

// newLayout reads what is built in. That it fits together is the tests' to see.
func newLayout() *layout {
	l := &layout{pages: map[string]*template.Template{}, assets: map[string]asset{}}
	list, err := fs.ReadDir(files, "page")
	if err != nil {
		panic(err) // it is built in
	}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for _, e := range list {
		kind := kinds[path.Ext(e.Name())]
		if kind == "" {
			continue
		}
		data, err := files.ReadFile("page/" + e.Name())
		if err != nil {
			panic(err) // it is built in
		}
		sum := sha256.Sum256(data)
		l.assets[e.Name()] = asset{data, kind, hex.EncodeToString(sum[:6])}
	}
	common := template.Must(template.New("").Funcs(l.funcs()).ParseFS(files, "page/layout.html", "page/parts.html"))
	for _, e := range list {
		name, ok := strings.CutSuffix(e.Name(), ".html")
		if !ok || name == "layout" || name == "parts" {
			continue
		}
		l.pages[name] = template.Must(template.Must(common.Clone()).ParseFS(files, "page/"+e.Name()))
	}
	return l
}

// funcs are what templates can call.
func (l *layout) funcs() template.FuncMap {
	return template.FuncMap{
		"asset": func(name string) (string, error) {
			a, ok := l.assets[name]
			if !ok {
				return "", fmt.Errorf("there is no asset %s", name)
			}
			return "/asset/" + name + "?" + a.sum, nil
		},
		"utc":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
		"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"tone":  tone,
		"lower": strings.ToLower,
		"ms":    func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) },
	}
}

// tones are how good the words are that say how something is, or came out.
var tones = map[string]string{
	"ok": "ok", "passed": "ok", "accepted": "ok", "done": "ok", "running": "ok",
	"degraded": "warn", "warning": "warn", "refused": "warn", "warn": "warn",
	"down": "bad", "failed": "bad", "fault": "bad", "error": "bad",
}

// tone is the class of such a word.
func tone(word any) string {
	if t := tones[fmt.Sprint(word)]; t != "" {
		return t
	}
	return "idle"
}

// write answers with a page. It is made whole first: half of one helps nobody.
func (l *layout) write(w http.ResponseWriter, code int, name string, of *view) error {
	t := l.pages[name]
	if t == nil {
		http.Error(w, "there is no page "+name, http.StatusInternalServerError)
		return fmt.Errorf("show the page %s: %w", name, fs.ErrNotExist)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", of); err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return fmt.Errorf("show the page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // the reader has gone; nobody is left to tell
	return nil
}

// part is one template of a page's file.
func (l *layout) part(page, name string, data any) (string, error) {
	t := l.pages[page]
	if t == nil {
		return "", fmt.Errorf("show a part of the page %s: %w", page, fs.ErrNotExist)
	}
	var b strings.Builder
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("show %s of the page %s: %w", name, page, err)
	}
	return b.String(), nil
}

// asset serves what pages link to. There is nothing secret in it.
func (l *layout) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	a, ok := l.assets[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	if r.URL.RawQuery == a.sum {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.data) // the reader has gone; nobody is left to tell
	}
}
