//go:build !linux

package service

import "context"

// agent is a service that does nothing until it is to end.
func agent([]string) error {
	return Run(context.Background(), "agent", func(ctx context.Context, n *Notifier) error {
		if err := n.Ready(); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
}
