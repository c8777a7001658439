package service

import (
	"io/fs"
	"strings"
)

// whatElse says what there is where no service manager is.
func whatElse(root fs.FS, env func(string) (string, bool)) *NoManagerError {
	first, _ := fs.ReadFile(root, "proc/1/comm") // "" is said in its place
	return &NoManagerError{First: strings.TrimSpace(string(first)), Container: container(root, env)}
}

func container(root fs.FS, env func(string) (string, bool)) string {
	if _, ok := env("KUBERNETES_SERVICE_HOST"); ok {
		return "Kubernetes"
	}
	for _, sign := range []struct{ file, kind string }{{".dockerenv", "Docker"}, {"run/.containerenv", "Podman"}} {
		if _, err := fs.Stat(root, sign.file); err == nil {
			return sign.kind
		}
	}
	data, _ := fs.ReadFile(root, "proc/1/environ") // its owner alone may read it
	for entry := range strings.SplitSeq(string(data), "\x00") {
		if kind, ok := strings.CutPrefix(entry, "container="); ok {
			return kind
		}
	}
	return ""
}
