package console

// Transfer is what its page needs.
type Transfer struct{}

func (c *console) transfer() []route {
	return []route{{pattern: "GET /export", do: func(v *visit) error { return unavailable(v, "It is done by a command here.") }}}
}
