package console

// Search is what its page needs.
type Search struct{}

func (c *console) search() []route {
	return []route{{pattern: "GET /search-users", do: func(v *visit) error { return unavailable(v, "It is done by a command here.") }}}
}
