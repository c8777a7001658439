package service

import "context"

// Entrust lets the service's account read and write the service's home and
// the folders that it may write to, with all that is in them; the program stays
// the system's. The account must exist: on Windows it does once the service is
// registered. The way back is in the Change, also when there is an error.
func Entrust(ctx context.Context, u Unit) (Change, error) {
	if err := u.check(); err != nil {
		return Change{}, err
	}
	return entrust(ctx, u)
}
