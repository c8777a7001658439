package home

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ad-ldap-connector/pkg/config"
)

// systemdCreds encrypts credentials, since systemd 250.
const systemdCreds = "systemd-creds"

// oldestCredentials is the first systemd that hands credentials to services,
// from a file of root's in the clear.
const oldestCredentials = 247

func encrypts() bool {
	_, err := exec.LookPath(systemdCreds)
	return err == nil
}

func checkStore(store string) error {
	if store != config.InSystemd {
		return &StoreError{store, "Linux has no such store", "set SECRETS to systemd, or to file"}
	}
	if encrypts() {
		return nil
	}
	out, err := run(nil, "systemctl", "--version")
	fields := strings.Fields(string(out))
	if err != nil || len(fields) < 2 {
		return &StoreError{store, "there is no systemd here", "set SECRETS to file"}
	}
	if version, err := strconv.Atoi(fields[1]); err != nil || version < oldestCredentials {
		return &StoreError{store, fmt.Sprintf("systemd %.8s hands no credentials to services, %d or later does", fields[1], oldestCredentials), "set SECRETS to file"}
	}
	return nil
}

// handed returns what systemd has handed to the service that this process is,
// or, before that, what an administrator's command has since then: credentials
// do not change while a unit runs.
func (h *Home) handed(store, name string) (value string, ok bool, err error) {
	if store != config.InSystemd {
		return "", false, nil
	}
	var places []string
	if folders := h.variable("RUNTIME_DIRECTORY"); folders != "" {
		places = append(places, strings.Split(folders, ":")...)
	}
	if folder := h.variable("CREDENTIALS_DIRECTORY"); folder != "" {
		places = append(places, folder)
	}
	for _, folder := range places {
		if !filepath.IsAbs(folder) {
			continue
		}
		data, err := contents(anywhere{}, filepath.Join(folder, name))
		if err == nil && len(data) > 0 {
			return string(data), true, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", false, fmt.Errorf("read %s: %w", filepath.Join(folder, name), cause(err))
		}
	}
	return "", false, nil
}

func (h *Home) variable(name string) string {
	value := ""
	for _, v := range h.environ {
		if text, ok := strings.CutPrefix(v, name+"="); ok {
			value = text
		}
	}
	return value
}

// HandOver gives another secret to a service that runs, in its folder of /run,
// which is memory and ends with the unit: from there it has the secret after the
// next reload, until its next start brings what the store keeps. It is false
// where there is no such folder: the unit does not run, or was started before
// it had one.
func HandOver(serviceName, name, value string) (bool, error) {
	dir := filepath.Join(runFolder, serviceName)
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
		err = writeFile(root, name, []byte(value))
	}
	if err != nil {
		return false, fmt.Errorf("hand the secret over in %s: %w", dir, cause(err))
	}
	return true, nil
}

// runFolder is where systemd makes the folders of RuntimeDirectory.
const runFolder = "/run"

// sealSecret has systemd encrypt a secret with the key of this host, and of its
// TPM where it has one. A systemd that cannot gets it in the clear, in a file
// that only root reads.
func sealSecret(_, name, value string) (file string, data []byte, err error) {
	if os.Geteuid() != 0 {
		return "", nil, errNotRoot
	}
	if !encrypts() {
		return name, []byte(value), nil
	}
	data, err = run([]byte(value), systemdCreds, "encrypt", "--name="+name, "-", "-")
	return name + encryptedSuffix, data, err
}

func openSecret(_, name, file string, data []byte) (string, error) {
	if file == name {
		return string(data), nil
	}
	if os.Geteuid() != 0 {
		return "", errNotRoot
	}
	out, err := run(data, systemdCreds, "decrypt", "--name="+name, "-", "-")
	return string(out), err
}

// longest bounds a program of systemd's: a TPM takes its time.
const longest = time.Minute

// run runs a program of systemd's, which gets what is secret on its standard
// input. Its own words are shown, which are never a secret.
func run(in []byte, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0", "SYSTEMD_LOG_LEVEL=warning")
	cmd.Stdin = bytes.NewReader(in)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's Ctrl-C is for this process
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		said := strings.Join(strings.Fields(strings.ToValidUTF8(errs.String(), "?")), " ")
		return nil, fmt.Errorf("%s %s: %w: %.400s", name, args[0], err, said)
	}
	return out.Bytes(), nil
}
