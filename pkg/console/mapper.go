package console

// Mapper is what its page needs.
type Mapper struct{}

func (c *console) mapper() []route {
	return []route{{pattern: "GET /profile-mapper", do: func(v *visit) error { return unavailable(v, "It is done by a command here.") }}}
}
