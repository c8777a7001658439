package kubernetes_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A pod is one container of the rendered Deployment, run as a kubelet would run
// it, as far as a machine without one can: with the file system of the image,
// which cannot be written to, with its volumes, its environment and nothing
// else of it, and under its user.
type pod struct {
	t       *testing.T
	root    string
	spec    corev1.PodSpec
	environ []string
	grace   time.Duration
	cmd     *exec.Cmd
	stderr  *output
	done    chan struct{}
}

// objects are those that the chart refers to and does not make: what each key of
// a Secret or of a ConfigMap holds.
type objects map[string]map[string]string

// startPod starts the pod.
func startPod(t *testing.T, r *rendered, made objects, hostname string) *pod {
	t.Helper()
	spec, c := r.pod(), r.container()
	p := &pod{t: t, root: imageRoot(t), spec: spec, grace: time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second, stderr: new(output), done: make(chan struct{})}
	script := []string{"set -e", "mount --make-rprivate /", "mount --bind $ROOT $ROOT"}
	for _, file := range []string{"/etc/hosts", "/etc/resolv.conf"} { // a kubelet writes them
		p.lay(file, "")
		script = append(script, "mount --bind "+file+" $ROOT"+file)
	}
	p.lay("/dev/null", "")
	p.folder("/proc")
	script = append(script, "mount --bind /dev/null $ROOT/dev/null", "mount -t proc -o nosuid,nodev,noexec proc $ROOT/proc")
	user, group := *spec.SecurityContext.RunAsUser, *spec.SecurityContext.FSGroup
	for _, m := range c.VolumeMounts {
		p.folder(m.MountPath)
		for _, v := range spec.Volumes {
			switch {
			case v.Name != m.Name:
			case v.EmptyDir != nil:
				script = append(script, fmt.Sprintf("mount -t tmpfs -o mode=2777,gid=%d,size=64m %s $ROOT%s", group, m.Name, m.MountPath))
			case v.ConfigMap != nil:
				script = append(script, p.volume(m.MountPath, v.ConfigMap.Name, made))
			case v.Secret != nil:
				script = append(script, p.volume(m.MountPath, v.Secret.SecretName, made))
			}
		}
	}
	script = append(script, "mount -o remount,bind,ro $ROOT",
		fmt.Sprintf("exec /usr/bin/env -u ROOT -u PATH -u PWD /usr/bin/setpriv --no-new-privs /usr/sbin/chroot --userspec=%d:%d --groups=%d $ROOT %s", user, *spec.SecurityContext.RunAsGroup, group, strings.Join(append([]string{"/connector"}, c.Args...), " ")))
	p.cmd = exec.Command("unshare", "--mount", "sh", "-c", strings.Join(script, "\n"))
	// What the shell needs goes with it: the container gets what the chart says.
	p.environ = environment(t, r, made, hostname)
	p.cmd.Env = append(slices.Clone(p.environ), "ROOT="+p.root, "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	p.cmd.Stderr, p.cmd.Stdout = p.stderr, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the status is read from ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.done
		if t.Failed() {
			t.Logf("%s said:\n%s", hostname, p.stderr)
		}
	})
	return p
}

// environment is the container's, with what the references stand for.
func environment(t *testing.T, r *rendered, made objects, hostname string) (environ []string) {
	t.Helper()
	for _, e := range r.container().Env {
		switch from := e.ValueFrom; {
		case from == nil:
			environ = append(environ, e.Name+"="+e.Value)
		case from.SecretKeyRef != nil:
			value, ok := made[from.SecretKeyRef.Name][from.SecretKeyRef.Key]
			if ok {
				environ = append(environ, e.Name+"="+value)
			} else if !*from.SecretKeyRef.Optional {
				t.Fatalf("the Secret has no %s", e.Name)
			}
		case from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.name":
			environ = append(environ, e.Name+"="+hostname)
		default:
			t.Fatalf("%s comes from %v", e.Name, from)
		}
	}
	return environ
}

// imageRoot is the file system that the Containerfile makes.
func imageRoot(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	root, copied := t.TempDir(), 0
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "COPY" {
			continue
		}
		from := map[string]string{"connector": program(t), "ca-certificates.crt": "/etc/ssl/certs/ca-certificates.crt"}[words[1]]
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(root, words[2])
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o755); err != nil {
			t.Fatal(err)
		}
		copied++
	}
	if copied != 2 {
		t.Fatalf("%d files are in the image", copied)
	}
	return root
}

func (p *pod) folder(path string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Join(p.root, path), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pod) lay(path, text string) {
	p.t.Helper()
	p.folder(filepath.Dir(path))
	if err := os.WriteFile(filepath.Join(p.root, path), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// volume lays out an object's keys as a kubelet does: links to a folder that is
// exchanged as a whole. It returns what makes it read only.
func (p *pod) volume(at, name string, made objects) string {
	p.t.Helper()
	if made[name] == nil {
		p.t.Fatalf("there is no %s", name)
	}
	p.folder(at + "/..2026_01_01")
	if err := os.Symlink("..2026_01_01", filepath.Join(p.root, at, "..data")); err != nil {
		p.t.Fatal(err)
	}
	for key, text := range made[name] {
		p.lay(at+"/..2026_01_01/"+key, text)
		if err := os.Symlink("..data/"+key, filepath.Join(p.root, at, key)); err != nil {
			p.t.Fatal(err)
		}
	}
	return fmt.Sprintf("mount --bind $ROOT%s $ROOT%s; mount -o remount,bind,ro $ROOT%s", at, at, at)
}

// exec is a program in the container, as "kubectl exec" starts it.
func (p *pod) exec(args ...string) *exec.Cmd {
	user := fmt.Sprint(*p.spec.SecurityContext.RunAsUser)
	cmd := exec.Command("nsenter", append([]string{"--target", fmt.Sprint(p.cmd.Process.Pid), "--mount", "--root", "--wd", "--setuid", user, "--setgid", user, "--"}, args...)...)
	cmd.Env = p.environ
	return cmd
}

// terminate asks the container to end, as a kubelet does.
func (p *pod) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pod) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait waits until it has ended, within what it is granted.
func (p *pod) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(p.grace):
		p.t.Errorf("it has not ended %s after it was asked to", p.grace)
	}
	return p.cmd.ProcessState.ExitCode()
}

// An output is what a process has written until now.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// skip leaves a test out, unless all are to run.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CONNECTOR_TEST_REQUIRE") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}
