package hub

import (
	"testing"
)

func TestLogin(t *testing.T) {
	l, log, _ := meet(t, &people{}, nil)
	l.login(t)
	log.waitFor(t, `msg="command answered" command=authenticate_user user=jane outcome=accepted`)
	log.waitFor(t, `msg="auth0: Agent accepted."`)
}
