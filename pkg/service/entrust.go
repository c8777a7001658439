package service

import "context"

// Entrust lets the service's account use the service's home: it may read what is
// there, make files of its own in it, and has those that u says are its. What
// else is in the home stays as it is, the program above all. On Windows, where
// the account exists once the service is registered, it may change all that is
// not kept from it. The way back is in the Change, also when there is an error.
func Entrust(ctx context.Context, u Unit) (Change, error) {
	if err := u.check(); err != nil {
		return Change{}, err
	}
	return entrust(ctx, u)
}

// Entrusted reports whether Entrust has nothing to do.
func Entrusted(ctx context.Context, u Unit) (bool, error) {
	if err := u.check(); err != nil {
		return false, err
	}
	return entrusted(ctx, u)
}

// Reclaim takes back what Entrust gave: the home and what is owned in it become
// the administrator's alone. It is for a service whose account is to go, because
// another account may get its number one day.
func Reclaim(ctx context.Context, u Unit) (Change, error) {
	if err := u.check(); err != nil {
		return Change{}, err
	}
	return reclaim(ctx, u)
}
