package profile

// An Event is something that is counted.
type Event string

// What a Mapper tells of, in Options.Event.
const (
	ProcessStarted Event = "process_started" // a process has loaded the script
	StartFailed    Event = "start_failed"    // none could be started, or it did not load the script
	ProcessEnded   Event = "process_ended"   // it served its time, or was killed, or died
	TimedOut       Event = "timed_out"       // a script took longer than the limit
)

// Events are all there are.
var Events = []Event{ProcessStarted, StartFailed, ProcessEnded, TimedOut}
