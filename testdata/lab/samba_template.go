package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// A sambaTree is the files of one domain controller, running or not.
type sambaTree struct{ dir, conf string }

// environ keeps Samba's programs off the files of this machine.
func (s sambaTree) environ() []string {
	env := append(os.Environ(), "KRB5_CONFIG="+filepath.Join(s.dir, "krb5.conf"), "LC_ALL=C.UTF-8")
	// The ldb programs of Debian do not know where Samba's modules are, which
	// is below the machine's name.
	if found, _ := filepath.Glob("/usr/lib/*/samba/ldb"); len(found) > 0 {
		env = append(env, "LDB_MODULES_PATH="+found[0])
	}
	return env
}

// run runs one of Samba's programs and returns what it prints. It ends with
// this process, lest it writes into what the next one begins anew.
func (s sambaTree) run(ctx context.Context, stdin, program string, args ...string) (string, error) {
	runtime.LockOSThread() // see tie
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, program, args...)
	tie(cmd)
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.environ(), strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %.60q: %w\n%s%s", filepath.Base(program), args, err, out.Bytes(), errs.Bytes())
	}
	return out.String(), nil
}

// tool runs samba-tool, which takes half a second whatever it does.
func (s sambaTree) tool(ctx context.Context, args ...string) (string, error) {
	return s.run(ctx, "", sambaToolPath, append(args, "--configfile="+s.conf)...)
}

// ldb adds or modifies entries, at about 4 ms each; a password takes 25 ms.
func (s sambaTree) ldb(program, ldif string, args ...string) error {
	_, err := s.run(context.Background(), ldif, program, append(args, "--configfile="+s.conf, "-H", s.database())...)
	return err
}

func (s sambaTree) database() string { return filepath.Join(s.dir, "private", "sam.ldb") }

// sambaVersion is the text that tells one Samba from another.
var sambaVersion = sync.OnceValues(func() (string, error) {
	out, err := exec.Command(sambaPath, "--version").Output()
	return string(out), err
})

// cacheDir is where what is expensive to make is kept between runs.
func cacheDir() (string, error) {
	if dir := os.Getenv("CONNECTOR_CI_CACHE"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".cache", "connector-ci"), err
}

// copyTemplate fills the server's folder from the template for o, which it
// makes where there is none.
func (s *SambaServer) copyTemplate(o SambaOptions) {
	s.t.Helper()
	template, unlock, err := sambaTemplate(s.t, o.Bulk)
	if err != nil {
		s.t.Fatal(err)
	}
	defer unlock()
	if err := copyTree(template, s.Dir); err != nil {
		s.t.Fatal(err)
	}
}

// copyTree copies what is in one folder into another.
func copyTree(from, to string) error {
	if out, err := exec.Command("cp", "-a", "--reflink=auto", from+"/.", to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy %s: %w\n%s", from, err, out)
	}
	return nil
}

// sambaTemplate returns the folder of a provisioned and seeded domain
// controller that nobody changes until unlock is called.
func sambaTemplate(t testing.TB, bulk int) (dir string, unlock func(), err error) {
	version, err := sambaVersion()
	if err != nil {
		return "", nil, err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", nil, err
	}
	// What the seed is made of names it: other content is another template.
	sum := sha256.Sum256(fmt.Append(nil, version, provisionArgs, sambaSeed(), adBulk(bulk)))
	dir = filepath.Join(cache, fmt.Sprintf("samba-%x", sum[:8]))
	if unlock, err = lockFile(dir+".lock", true); err != nil {
		return "", nil, err
	}
	now := time.Now()
	_ = os.Chtimes(dir+".lock", now, now) // at worst it is made anew some day
	if _, err := os.Stat(dir); err == nil {
		return dir, unlock, nil
	}
	t.Logf("making the template %s, once", dir)
	if err := makeTemplate(t, dir, bulk); err != nil {
		unlock()
		return "", nil, err
	}
	dropTemplates(cache, "samba-*", now.AddDate(0, 0, -14))
	return dir, unlock, nil
}

// makeTemplate builds the template beside its place and moves it there whole.
func makeTemplate(t testing.TB, dir string, bulk int) error {
	half := dir + ".half"
	if err := os.RemoveAll(half); err != nil { // of one that was killed over it
		return err
	}
	if err := os.Mkdir(half, 0o700); err != nil {
		return err
	}
	tree := sambaTree{dir: half, conf: filepath.Join(half, "smb.conf")}
	begin, fill := tree.provision, sambaSeed()
	if bulk > 0 {
		begin, fill = func() error { return copySeeded(t, half) }, adBulk(bulk)
	}
	if err := begin(); err != nil {
		return err
	}
	// The server's own configuration, but for what only a running one has.
	if err := os.WriteFile(tree.conf, []byte(sambaConf(half, "127.0.0.1", "", "", "", SambaOptions{})), 0o600); err != nil {
		return err
	}
	for _, step := range fill {
		if err := tree.ldb(step.program, step.ldif, step.args...); err != nil {
			return err
		}
	}
	if bulk == 0 {
		if err := tree.delegate("people", "special"); err != nil {
			return err
		}
	}
	return os.Rename(half, dir)
}

// copySeeded copies the template without the many users.
func copySeeded(t testing.TB, to string) error {
	base, unlock, err := sambaTemplate(t, 0)
	if err != nil {
		return err
	}
	defer unlock()
	return copyTree(base, to)
}

// dropTemplates removes the templates of a kind that nobody has used since.
func dropTemplates(cache, kind string, since time.Time) {
	locks, _ := filepath.Glob(filepath.Join(cache, kind+".lock"))
	for _, lock := range locks {
		info, err := os.Stat(lock)
		if err != nil || info.ModTime().After(since) {
			continue
		}
		if unlock, err := lockFile(lock, false); err == nil {
			_ = os.RemoveAll(strings.TrimSuffix(lock, ".lock")) // only space is lost
			unlock()
		}
	}
}

// provisionArgs make an empty domain.
var provisionArgs = []string{
	"domain", "provision", "--realm=" + sambaRealm, "--domain=" + sambaShort, "--server-role=dc", "--dns-backend=SAMBA_INTERNAL",
	"--adminpass=" + sambaAdminWord, "--host-name=dc1", "--host-ip=127.0.0.1", "--use-rfc2307",
	"--option=interfaces=127.0.0.1/8", "--option=bind interfaces only=yes",
}

func (s sambaTree) provision() error {
	if err := os.WriteFile(s.conf, []byte("[global]\n"), 0o600); err != nil {
		return err
	}
	_, err := s.tool(context.Background(), append(provisionArgs, "--targetdir="+s.dir)...)
	return err
}
