package service

import "context"

// A Former is a service that ran a connector here before this one: one that
// somebody else registered, with all that it takes to bring it back. It can be
// kept as JSON, and restored by another process.
type Former struct {
	Name    string `json:"name"`    // as its manager has it
	Program string `json:"program"` // its command line
	Dir     string `json:"dir"`     // the folder it runs in, or runs a program of
	Where   string `json:"where"`   // what registers it: a unit's file, or the service manager
	Enabled bool   `json:"enabled"` // it starts with the system
	Running bool   `json:"running"`

	Files  []Kept     `json:"files,omitempty"`  // what systemd knows it by
	Values []KeptData `json:"values,omitempty"` // what Windows knows it by
}

// Kept is a file, or a link, as it was.
type Kept struct {
	Path string `json:"path"`
	Link string `json:"link,omitempty"` // what it points to, if it is a link
	Data []byte `json:"data,omitempty"`
	Mode uint32 `json:"mode"` // permissions
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
}

// KeptData is a value of the registry, below the service's own key, as it was.
type KeptData struct {
	Key  string `json:"key,omitempty"`
	Name string `json:"name"`
	Type uint32 `json:"type"`
	Data []byte `json:"data"`
}

// Formers returns the services of others that run in a folder, or a program of
// one, that wanted says yes to. It is asked about folders and files, none of
// which need exist. A service that only handles the folder, as a backup does,
// is not one of them, and those that the connector registered are not either.
// Without a service manager there are none.
func Formers(ctx context.Context, wanted func(path string) bool) ([]Former, error) {
	return formers(ctx, wanted)
}

// Retire stops a service of others and keeps it from starting with the system.
// If ours is its name, it is taken out of the way as well, so that ours can be
// registered. Restore is the way back: whoever calls this has kept f before.
func Retire(ctx context.Context, f Former, ours string) error {
	if done, err := retired(ctx, f, ours); done || err != nil {
		return err
	}
	return retire(ctx, f, ours)
}

// Retired reports whether there is nothing left to do for Retire.
func Retired(ctx context.Context, f Former, ours string) (bool, error) { return retired(ctx, f, ours) }

// Restore brings a service back as it was kept: registered, starting with the
// system if it did, and running if it did. What is so already is left as it is.
// While ours has its name, it is a *TakenError.
func Restore(ctx context.Context, f Former) error { return restore(ctx, f) }

// FormerServices is the services of others, as an install works with them.
type FormerServices struct{}

// Retire is Retire.
func (FormerServices) Retire(ctx context.Context, f Former, ours string) error {
	return Retire(ctx, f, ours)
}

// Retired is Retired.
func (FormerServices) Retired(ctx context.Context, f Former, ours string) (bool, error) {
	return Retired(ctx, f, ours)
}

// Restore is Restore.
func (FormerServices) Restore(ctx context.Context, f Former) error { return Restore(ctx, f) }

// Strays says in sentences what else on this machine starts a connector in the
// folder, or has started one that runs now: scripts of other service managers,
// and processes that belong to none of the known services. None of it is the
// connector's to change.
func Strays(dir string, known []Former) []string { return strays("/", dir, known) }

// A TakenError says that a service cannot come back, because the connector's
// own has its name.
type TakenError struct{ Name string }

func (e *TakenError) Error() string {
	return "the service " + e.Name + " is the connector's now"
}

// Hint says what to do.
func (e *TakenError) Hint() string { return `Remove it first: "connector uninstall".` }
