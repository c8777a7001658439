package service

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf16"

	"golang.org/x/sys/windows/registry"
)

// keepValues reads the values of a service's key and of what nssm keeps below
// it.
func keepValues(service string) ([]KeptData, error) {
	var all []KeptData
	for _, sub := range []string{"", nssmKey, nssmKey + `\AppExit`} {
		key, err := registry.OpenKey(registry.LOCAL_MACHINE, below(service, sub), registry.QUERY_VALUE)
		if sub != "" && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		values, err := valuesOf(key, sub)
		_ = key.Close() // it was only read
		if err != nil {
			return nil, err
		}
		all = append(all, values...)
	}
	return all, nil
}

func below(service, sub string) string {
	return strings.TrimSuffix(servicesKey+`\`+service+`\`+sub, `\`)
}

func valuesOf(key registry.Key, sub string) ([]KeptData, error) {
	names, err := key.ReadValueNames(-1)
	if err != nil {
		return nil, err
	}
	var all []KeptData
	for _, name := range names {
		size, _, err := key.GetValue(name, nil)
		if err != nil {
			return nil, err
		}
		data := make([]byte, size)
		n, kind, err := key.GetValue(name, data)
		if err != nil {
			return nil, err
		}
		all = append(all, KeptData{Key: sub, Name: name, Type: kind, Data: data[:n]})
	}
	return all, nil
}

// putValues writes back what nssm keeps of the service. What the Service Control
// Manager keeps was told to it.
func (f Former) putValues() error {
	for _, v := range f.Values {
		if v.Key == "" {
			continue
		}
		if v.Key != nssmKey && v.Key != nssmKey+`\AppExit` {
			return fmt.Errorf("%q is no place for what nssm keeps", v.Key)
		}
		key, _, err := registry.CreateKey(registry.LOCAL_MACHINE, below(f.Name, v.Key), registry.SET_VALUE)
		if err != nil {
			return err
		}
		err = v.put(key)
		if err := errors.Join(err, key.Close()); err != nil {
			return fmt.Errorf("write %s: %w", v.Name, err)
		}
	}
	return nil
}

func (v KeptData) put(key registry.Key) error {
	switch v.Type {
	case registry.SZ:
		return key.SetStringValue(v.Name, utf16Text(v.Data))
	case registry.EXPAND_SZ:
		return key.SetExpandStringValue(v.Name, utf16Text(v.Data))
	case registry.MULTI_SZ:
		return key.SetStringsValue(v.Name, strings.Split(strings.TrimRight(utf16All(v.Data), "\x00"), "\x00"))
	case registry.DWORD:
		if len(v.Data) == 4 {
			return key.SetDWordValue(v.Name, uint32(v.Data[0])|uint32(v.Data[1])<<8|uint32(v.Data[2])<<16|uint32(v.Data[3])<<24)
		}
	}
	return key.SetBinaryValue(v.Name, v.Data)
}

// utf16Text is a text of the registry up to its end.
func utf16Text(data []byte) string {
	text, _, _ := strings.Cut(utf16All(data), "\x00")
	return text
}

func utf16All(data []byte) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = uint16(data[2*i]) | uint16(data[2*i+1])<<8
	}
	return string(utf16.Decode(units))
}
