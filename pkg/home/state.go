package home

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
)

var stateName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// SaveState keeps v as JSON in state/NAME.json: what a part of the connector
// wants to know again after a restart. A name is made of lower-case letters,
// digits and dashes.
func (h *Home) SaveState(name string, v any) error {
	file, err := stateFile(name)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", h.Path(file), err)
	}
	return h.write(file, append(data, '\n'))
}

// LoadState reads state/NAME.json into v. The error is an fs.ErrNotExist when
// there is none; after any error v may be filled in part.
func (h *Home) LoadState(name string, v any) error {
	file, err := stateFile(name)
	if err != nil {
		return err
	}
	data, err := h.readOwn(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", h.Path(file), err)
	}
	return nil
}

// RemoveState takes state/NAME.json away. That it is not there is no fault.
func (h *Home) RemoveState(name string) error {
	file, err := stateFile(name)
	if err != nil {
		return err
	}
	return h.remove(file)
}

func stateFile(name string) (string, error) {
	// IsLocal knows the names that Windows keeps for devices.
	if !stateName.MatchString(name) || !filepath.IsLocal(name+".json") {
		return "", fmt.Errorf("name a state %q: use lower-case letters, digits and dashes", name)
	}
	return stateFolder + "/" + name + ".json", nil
}
