package home

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/config"
)

// killsEnv is how many times in all each of these tests is to kill, for a longer
// trial than everyday's.
const killsEnv = "CONNECTOR_KILLS"

func kills(t *testing.T, everyday int) int {
	t.Helper()
	text := os.Getenv(killsEnv)
	if text == "" {
		return everyday
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is no number of kills", killsEnv, text)
	}
	return n
}

// killed runs a child over and over and kills it at random moments, each round
// after a random number of the lines that it prints and a random pause, and
// calls check after each.
func killed(t *testing.T, rounds int, what, dir string, check func(round int)) {
	t.Helper()
	for round := range rounds {
		cmd := child(t, what, dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		for range 1 + rand.IntN(4) {
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatalf("the child ended by itself: %v", cmd.Wait())
			}
		}
		// The moment of the kill is what is random here, not something awaited.
		<-time.After(time.Duration(rand.IntN(4000)) * time.Microsecond)
		kill(t, cmd, lines)
		check(round)
		if t.Failed() {
			return
		}
	}
}

func kill(t *testing.T, cmd *exec.Cmd, out io.Reader) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out) // until it is dead
	_ = cmd.Wait()                  // which says that it was killed
}

// rewriteForever writes configurations of very different sizes in turn.
func rewriteForever(dir string) error {
	h, err := Open(dir, nil)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		c, err := h.Config()
		if err != nil {
			return err
		}
		c.Tenant.SiteName = strings.Repeat("x", 1+i%3*50_000)
		c.Tenant.Connection = strconv.Itoa(len(c.Tenant.SiteName))
		if err := h.SaveConfig(c); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// Whenever the process dies, config.json is a whole one, and nothing else is
// left after the next Open.
func TestConfigSurvivesKill(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	leftovers := 0
	killed(t, kills(t, 60), "rewrite", h.Dir(), func(round int) {
		leftovers += len(filesBelow(t, h.Dir())) - 1
		h = open(t, h.Dir())
		c, err := h.Config()
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if strconv.Itoa(len(c.Tenant.SiteName)) != c.Tenant.Connection {
			t.Errorf("round %d: the file is of two writes", round)
		}
		if n := len(filesBelow(t, h.Dir())); n != 1 {
			t.Errorf("round %d: %d files, want config.json alone", round, n)
		}
	})
	t.Logf("%d times something was left to clean", leftovers)
}

// generation is one of two sets of files that all differ: the second has no
// mapper. Each names itself in its configuration.
func generation(ref string) (*Archive, error) {
	c := config.Default()
	c.Tenant.SiteName = ref
	pair, err := readPair(ref)
	if err != nil {
		return nil, err
	}
	a := &Archive{Config: c, Pair: pair}
	if ref == "a" {
		a.Mapper = "mapper of a"
	}
	return a, nil
}

func replaceForever(dir string) error {
	h, err := Open(dir, nil)
	if err != nil {
		return err
	}
	a, err := generation("a")
	if err != nil {
		return err
	}
	b, err := generation("b")
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if _, err := h.Replace([]*Archive{a, b}[i%2]); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// Whenever the process dies, the next Open finds all files of one generation.
func TestReplaceSurvivesKill(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	found := map[string]int{}
	interrupted := 0
	want := map[string]*Archive{}
	for _, ref := range []string{"a", "b"} {
		var err error
		if want[ref], err = generation(ref); err != nil {
			t.Fatal(err)
		}
	}
	rounds := kills(t, 60)
	killed(t, rounds, "replace", h.Dir(), func(round int) {
		if _, err := os.Lstat(h.Path(stageFolder)); err == nil {
			interrupted++
		}
		h = open(t, h.Dir())
		c, err := h.Config()
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		pair, err := h.Keys(c)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		script, _, err := h.Mapper(c)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		of := want[c.Tenant.SiteName]
		if of == nil || script != of.Mapper || pair.Thumbprint() != of.Pair.Thumbprint() {
			t.Errorf("round %d: files of two generations", round)
		}
		if _, err := os.Lstat(h.Path(stageFolder)); err == nil {
			t.Errorf("round %d: %s is left", round, stageFolder)
		}
		found[c.Tenant.SiteName]++
	})
	if interrupted == 0 || len(found) != 2 {
		t.Errorf("the kills proved nothing: %d interrupted, found %v", interrupted, found)
	}
	t.Logf("%d of %d kills came in the middle; found %v", interrupted, rounds, found)
}
