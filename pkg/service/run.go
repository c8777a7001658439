package service

import "context"

// Run runs main as the service of the given name until it returns. Its ctx ends
// when the given one does, or when the service manager stops the service; main
// then ends within half a minute, or is killed. It calls Ready of the Notifier
// when it has begun, and Watch, if it can tell that it hangs.
//
// On Windows it works only in a process that the Service Control Manager
// started, unless name is "": then there is no manager, and nobody is told.
// Elsewhere the manager is found in the environment, and not needed.
func Run(ctx context.Context, name string, main func(context.Context, *Notifier) error) error {
	return run(ctx, name, main)
}
