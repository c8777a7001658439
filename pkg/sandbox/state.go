package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// cloudState is what state.json holds: all that a restarted sandbox must still
// know. Its tickets and keys are secrets, hence the mode 0600.
type cloudState struct {
	Version     int                `json:"version"`
	Port        int                `json:"port"`
	Connections []*cloudConnection `json:"connections"`
}

const cloudStateVersion = 1

// load reads state.json, if there is one. A file that is damaged or of another
// version is an error: to go on without it would break every ticket it holds.
func (c *Cloud) load() error {
	path := filepath.Join(c.folder, "state.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the sandbox's state: %w", err)
	}
	state, err := parseCloudState(data)
	if err != nil {
		return fmt.Errorf("read the sandbox's state: %s: %w", path, err)
	}
	c.port, c.connections = state.Port, state.Connections
	return nil
}

func parseCloudState(data []byte) (*cloudState, error) {
	var state cloudState
	if err := json.Unmarshal(data, &state); err != nil {
		return nil, err
	}
	if state.Version != cloudStateVersion {
		return nil, fmt.Errorf("version %d is not known here", state.Version)
	}
	if state.Port < 0 || state.Port > 65535 {
		return nil, fmt.Errorf("port %d does not exist", state.Port)
	}
	names := map[string]bool{}
	for i, connection := range state.Connections {
		if connection == nil || names[connection.Name] {
			return nil, fmt.Errorf("connection %d is empty or there twice", i+1)
		}
		names[connection.Name] = true
		if err := connection.prepare(); err != nil {
			return nil, fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	return &state, nil
}

// replace saves the connections and, when that went well, uses them. The
// caller holds c.writing. Connections are never changed in place, so that a
// full disk leaves everything as it was.
func (c *Cloud) replace(connections []*cloudConnection) error {
	data, err := json.MarshalIndent(cloudState{cloudStateVersion, c.port, connections}, "", "  ")
	if err != nil {
		return fmt.Errorf("save the sandbox's state: %w", err)
	}
	if err := writeCloudFile(c.folder, "state.json", data); err != nil {
		return err
	}
	c.mu.Lock()
	c.connections = connections
	c.mu.Unlock()
	return nil
}

// writeCloudFile writes a file of mode 0600 whole or not at all.
func writeCloudFile(folder, name string, data []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("save the sandbox's %s: %w", name, err)
		}
	}()
	file, err := os.CreateTemp(folder, "."+name+"-*") // made with mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), filepath.Join(folder, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
