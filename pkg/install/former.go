package install

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/service"
)

// A Former is the Node connector that an install takes over from, in the folder
// that is the home now.
type Former struct {
	Data     *home.Data       // what it keeps below data/, which is to be copied; nil: nothing
	Services []service.Former // those that run it now, or would
	System   FormerServices
}

// FormerServices stops services of others for good, and brings them back. The
// package service has one for this system.
type FormerServices interface {
	Retired(ctx context.Context, f service.Former, ours string) (bool, error)
	Retire(ctx context.Context, f service.Former, ours string) error
	Restore(ctx context.Context, f service.Former) error
}

// A former record is what it takes to give the home back to the Node connector,
// also days later and in another process. It is in the home before anything of
// it is changed.
type formerRecord struct {
	Version  int              `json:"version"`
	Since    time.Time        `json:"since"`
	Adopted  bool             `json:"adopted"` // the files are the connector's now
	Home     home.Before      `json:"home"`
	Services []service.Former `json:"services"` // as they were
}

const recordVersion = 1

// succeed adds to a plan what taking over from the Node connector needs. Its
// service is stopped just before ours is started; where both have one name,
// ours is registered in between.
func (w *work) succeed(plan Plan) Plan {
	if w.Former == nil {
		return plan
	}
	adopt := Plan{w.adoptHome()}
	if w.Service != nil {
		adopt = w.touching(adopt)
	}
	plan = plan.put("create-home", adopt...)
	if w.Service == nil || !w.Service.Start || len(w.Former.Services) == 0 {
		return plan
	}
	stop := Plan{w.stopFormer()}
	sameName := func(f service.Former) bool { return f.Name == w.Service.Unit.Name }
	if i := plan.index("register-service"); i >= 0 && slices.ContainsFunc(w.Former.Services, sameName) {
		stop = append(stop, plan[i])
		plan = slices.Delete(plan, i, i+1)
	}
	return slices.Insert(plan, plan.index("start-service"), stop...)
}

func (p Plan) index(name string) int {
	return slices.IndexFunc(p, func(s Step) bool { return s.Name == name })
}

// put puts steps after the one of that name.
func (p Plan) put(after string, steps ...Step) Plan {
	return slices.Insert(p, p.index(after)+1, steps...)
}

// adoptHome keeps what the home is like, and copies what is to be used from now
// on. Its undoing gives all of it back: the files first, and then the services
// that read them.
func (w *work) adoptHome() Step {
	says := "Take over the Node connector's files in " + w.Home.Dir()
	if w.Former.Data != nil {
		says = "Copy the Node connector's files in " + w.Home.Path("data") + " to their places"
	}
	return Step{Name: "adopt-home", Says: says,
		Done: func(context.Context) (bool, error) {
			r, err := loadRecord(w.Home)
			if errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			w.former = r
			return err == nil && r.Adopted, err
		},
		Do: func(context.Context) (err error) {
			if w.former == nil {
				w.former = &formerRecord{Version: recordVersion, Since: w.Now().UTC(), Services: w.Former.Services}
				if w.former.Home, err = w.Home.Before(); err != nil {
					w.former = nil
					return err
				}
				w.recorded = true
				if err := w.Home.SaveFormer(w.former); err != nil {
					return err
				}
			}
			if w.Former.Data != nil {
				if w.former.Home.Aside, err = w.Home.AdoptData(w.Former.Data); err != nil {
					return err
				}
			}
			w.former.Adopted = true
			return w.Home.SaveFormer(w.former)
		},
		Undo: func(ctx context.Context) error {
			if !w.recorded {
				return nil
			}
			if w.known && !w.former.Home.Keyed {
				return errors.Join(w.restoreFormer(ctx), errors.New("the home stays taken over, because of its new key pair"))
			}
			if err := w.Home.Take(&w.former.Home); err != nil { // nobody else has changed it meanwhile
				return err
			}
			if _, err := w.Home.Return(w.former.Home); err != nil {
				return err
			}
			if err := w.restoreFormer(ctx); err != nil {
				return err
			}
			return w.Home.RemoveFormer()
		},
		Tidy: func() {
			if w.former.Home.Taken == nil && w.Home.Take(&w.former.Home) == nil {
				_ = w.Home.SaveFormer(w.former) // at worst more than needed is kept when the home is given back
			}
		}}
}

func loadRecord(h *home.Home) (*formerRecord, error) {
	r := &formerRecord{}
	if err := h.LoadFormer(r); err != nil {
		return nil, err
	}
	if r.Version != recordVersion {
		return nil, errors.New("read what the Node connector was like: a newer connector has written it")
	}
	return r, nil
}

// stopFormer stops the services that ran the Node connector, for good. Before it
// stops one, all that it takes to bring it back is on the disk.
func (w *work) stopFormer() Step {
	ours := w.Service.Unit.Name
	return Step{Name: "stop-former", Says: "Stop and disable " + naming(w.Former.Services),
		Done: func(ctx context.Context) (bool, error) {
			w.running = nil
			for _, f := range w.Former.Services {
				done, err := w.Former.System.Retired(ctx, f, ours)
				if err != nil {
					return false, err
				}
				if !done {
					w.running = append(w.running, f)
				}
			}
			return len(w.running) == 0, nil
		},
		Do: func(ctx context.Context) error {
			for _, f := range w.running {
				if !slices.ContainsFunc(w.former.Services, func(r service.Former) bool { return r.Name == f.Name }) {
					w.former.Services = append(w.former.Services, f)
				}
			}
			if err := errors.Join(w.Home.Take(&w.former.Home), w.Home.SaveFormer(w.former)); err != nil {
				return err
			}
			for _, f := range w.running {
				w.stopped = append(w.stopped, f) // before: half of it is undone too
				if err := w.Former.System.Retire(ctx, f, ours); err != nil {
					return err
				}
			}
			return nil
		},
		Undo: func(ctx context.Context) error {
			if w.recorded {
				return nil // adopt-home's undoing does it, once its files are its own again
			}
			return w.restoreFormer(ctx)
		}}
}

// restoreFormer brings back what this plan has stopped.
func (w *work) restoreFormer(ctx context.Context) error {
	var left []error
	for _, f := range slices.Backward(w.stopped) {
		left = append(left, w.Former.System.Restore(ctx, f))
	}
	return errors.Join(left...)
}

func naming(services []service.Former) string {
	text := "the service"
	if len(services) > 1 {
		text = "the services"
	}
	for i, f := range services {
		switch {
		case i > 0 && i == len(services)-1:
			text += " and"
		case i > 0:
			text += ","
		}
		text += " " + f.Name
	}
	return text + " of the Node connector"
}

// TookOver reports whether the home was the Node connector's, and can be given
// back.
func TookOver(h *home.Home) (bool, error) {
	r, err := loadRecord(h)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && r.Adopted, err
}

// Rollback returns the plan that gives a home back to the Node connector, and
// starts its services as they were. Ours is gone by then. It is not undone when
// it fails: it can be run again, until the record is gone, which is the last
// thing it does.
func Rollback(h *home.Home, system FormerServices, note func(string)) (Plan, error) {
	r, err := loadRecord(h)
	if err != nil {
		return nil, err
	}
	again := func(context.Context) error {
		return errors.New("run connector uninstall --rollback --home " + h.Dir() + " again: it goes on from here")
	}
	return Plan{
		{Name: "restore-home", Says: "Give " + h.Dir() + " back to the Node connector",
			Do: func(context.Context) error {
				notes, err := h.Return(r.Home)
				for _, text := range notes {
					note(text)
				}
				return errors.Join(err, h.RemoveProgram())
			},
			Undo: again},
		{Name: "start-former", Says: "Bring back " + naming(r.Services),
			Done: func(context.Context) (bool, error) { return len(r.Services) == 0, nil },
			Do: func(ctx context.Context) error {
				for _, f := range r.Services {
					if err := system.Restore(ctx, f); err != nil {
						return err
					}
				}
				return nil
			},
			Undo: again},
		{Name: "forget-former", Says: "Forget that it was taken over", Do: func(context.Context) error { return h.RemoveFormer() }, Undo: again},
	}, nil
}
