package console

// Configuration is what its page needs.
type Configuration struct{}

func (c *console) configuration() []route {
	return []route{{pattern: "GET /configuration", do: func(v *visit) error { return unavailable(v, "It is done by a command here.") }}}
}
