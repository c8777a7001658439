package home

import (
	"encoding/json"
	"fmt"
	"os"
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

// ChangeState reads state/NAME.json into v, lets change alter v, and writes it,
// while no other process writes to the home. Where there is none, or one that
// cannot be read, v is as it was given. After an error of change nothing is
// written.
func (h *Home) ChangeState(name string, v any, change func() error) error {
	file, err := stateFile(name)
	if err != nil {
		return err
	}
	err = h.exclusively(func(root *os.Root) error {
		if data, err := contents(root, file); err == nil {
			_ = json.Unmarshal(data, v) // what is damaged is written anew
		}
		if err := change(); err != nil {
			return err
		}
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		return cause(writeFile(root, file, append(data, '\n')))
	})
	if err != nil {
		return fmt.Errorf("change %s: %w", h.Path(file), err)
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
