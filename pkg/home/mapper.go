package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ad-ldap-connector/pkg/config"
)

// Mapper returns the operator's profile mapper and where it was found: the
// script in PROFILE_MAPPER, else the file that PROFILE_MAPPER_FILE names
// (relative to lib/, and with or without .js, like a module of the existing
// connector), else lib/profileMapper.js. Without any of them the script is "",
// and the default mapping applies. A file that is named but missing is an
// error.
func (h *Home) Mapper(c config.Config) (script, name string, err error) {
	if c.Mapper.Source != "" {
		return c.Mapper.Source, "PROFILE_MAPPER", nil
	}
	if c.Mapper.File != "" {
		path := h.mapperPath(c.Mapper.File)
		data, err := readFile(path)
		if err != nil {
			return "", "", fmt.Errorf("PROFILE_MAPPER_FILE: %w", err)
		}
		return string(data), path, nil
	}
	data, err := h.read(mapperFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	return string(data), h.Path(mapperFile), err
}

// mapperPath finds the file behind PROFILE_MAPPER_FILE, which names a module
// and may leave its extension out.
func (h *Home) mapperPath(name string) string {
	path := filepath.FromSlash(name)
	if !filepath.IsAbs(path) {
		path = h.Path(libFolder, path)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return path
	}
	if _, err := os.Stat(path + ".js"); err == nil {
		return path + ".js"
	}
	return path
}

// SaveMapper writes lib/profileMapper.js.
func (h *Home) SaveMapper(script string) error { return h.write(mapperFile, []byte(script)) }
