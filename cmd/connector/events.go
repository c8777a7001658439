package main

import "log/slog"

// Event ids of records without one of their own. Windows takes ids from 1 to
// 1000 for sources that bring no texts of their own.
const (
	someWarning = 1
	someError   = 2
	someNews    = 3 // only with --verbose
)

// An event is a kind of record, by its message, and the id that the Event Log
// of Windows shows for it. Monitoring relies on ids: they never change, nor do
// they come back with another meaning. "connector help logging" prints them.
type event struct {
	id      uint32
	message string
}

var events = []event{
	{100, "the connector cannot run"},
	{101, "reload refused; the running configuration stays"},
	{102, "the connector hangs"},
	{103, "the service manager was not told"},
	{104, "stop"},
	{105, "parts do not end"},
	{106, "part ended"},
	{107, "part panicked"},
	{108, "part changed its state"},
	{110, "the log file is given up for now; the log goes on here"},
	{111, "lines are missing here: the system's log was too slow"},
	{112, "a metric is missing"},
	{113, "the level that was asked for is ignored"},
	{114, "the audit file cannot be written"},
	{120, "no other process can take over"},
	{121, "the takeover came to nothing; this process goes on"},
	{122, "the home is no longer locked"},
	{123, "the former process fell silent"},
	{124, "a command was lost: the process that took over does not take it"},
	{125, "a reply of the former process was lost"},

	{200, "ask the tenant for its settings"},
	{201, "going on with the tenant's settings of the last start"},
	{210, "auth0: Agent rejected."},
	{211, "auth0: Connection closed, reconnecting."},
	{212, "Auth0 server didn't respond to 5 ping commands. Re-pinging."},
	{213, "no command can be verified"},
	{214, "the link to the hub is not encrypted: passwords travel in clear"},
	{220, "a frame of the hub was skipped: it is too long"},
	{221, "a frame of the hub was ignored"},
	{222, "a frame panicked"},
	{223, "an event of the hub was ignored"},
	{230, "command answered"},
	{231, "a command panicked"},
	{232, "a command was dropped: the hub does not take its answer"},
	{233, "a command came too late: the connector is stopping"},
	{234, "change_password was ignored: write-back is not enabled"},
	{235, "a command was dropped: the tenant's keys are being read"},
	{236, "the tenant's keys could not be read"},
	{240, "Unauthorized attemp of authentication."},
	{241, "Unauthorized attemp of search_users."},
	{242, "Unauthorized attempt of list_groups"},
	{243, "Unauthorized change_password attempt"},

	{300, "the directory cannot be asked"},
	{301, "login went on without groups"},
	{302, "passwords cross the network in clear"},
	{303, "the client certificate cannot be read again, the one before is used"},
	{304, "a reference could not be followed"},
	{305, "a task of the directory's broke off"},
	{310, "going on with the directory servers known so far"},
	{311, "directory server left out"},
	{312, "directory server left out: its name is not of the domain, and anybody may have put it into the answer"},

	{400, "the profile mapper does not work"},
	{401, "the mapper does not start"},
	{402, "the mapper process ended"},
	{403, `the mapper uses \p{...} in a regular expression, which may never match here: name the characters instead`},
	{404, "the mapper says"},

	{500, "a sign-in was not understood"},
	{501, "a sign-in failed"},
	{502, "a sign-in panicked"},
	{503, "a page could not be made"},
	{510, "a proof was refused"},
	{511, "a proved user was refused"},
	{512, "a session was refused"},
	{513, "a sign-in was not tried: there were too many wrong passwords"},
	{514, "a sign-in was not tried: too many are under way"},

	{520, "the keytab cannot be read again, the one before is used"},
	{521, "the certificate of PORT cannot be read again, the one before is used"},

	{530, "the console could not do it"},
	{531, "the console's password cannot be compared"},
}

// eventID is the id of a record's kind.
func eventID(n note) uint32 {
	for _, e := range events {
		if e.message == n.event {
			return e.id
		}
	}
	switch {
	case n.level >= slog.LevelError:
		return someError
	case n.level >= slog.LevelWarn:
		return someWarning
	}
	return someNews
}
